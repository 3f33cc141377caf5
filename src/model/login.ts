/** What a login name as typed may mean, before anybody is asked whether such an account exists. Pure: nothing is looked up here. */
import { type DomainName, parseDomainName, parseUserName, type UserName } from './address.ts';

export interface LoginRules {
  /** Characters any of which parts user and domain: a subset of `@ % ! : ;`. Empty: every name is a bare one. */
  readonly delimiters: string;
  /** Take `s-` before a name to mean: leave `Status:` alone in this session. */
  readonly options: boolean;
}

/** One reading of a login name. */
export interface Login {
  readonly user: UserName;
  /** `undefined`: a bare name, whose domain is decided by the way the client came in. */
  readonly domain: DomainName | undefined;
  readonly noStatus: boolean;
}

/** The longest name worth looking at, in UTF-16 units: 64 octets of user, 253 of domain (more before IDNA), and the rest. */
const LONGEST = 1100;

/**
 * The readings of a login name, the one to prefer first; none when it can't be a name of ours.
 *
 * The last delimiter parts user and domain. A domain holds none of these characters, so no earlier one could; vm-pop3d, which
 * looked for `@`, `:`, `!`, `;` in this order, agrees on every name that holds a single one.
 * A name that begins with `s-` is first tried as it stands: an account that is really called so is not to be locked out.
 */
export function parseLogin(raw: string, rules: LoginRules): readonly Login[] {
  if (raw.length === 0 || raw.length > LONGEST) return [];
  const readings: Login[] = [];
  const whole = parse(raw, rules.delimiters, false);
  if (whole !== undefined) readings.push(whole);
  if (rules.options && /^s-/i.test(raw)) {
    const rest = parse(raw.slice(2), rules.delimiters, true);
    if (rest !== undefined) readings.push(rest);
  }
  return readings;
}

function parse(name: string, delimiters: string, noStatus: boolean): Login | undefined {
  let at = -1;
  for (const delimiter of delimiters) at = Math.max(at, name.lastIndexOf(delimiter));
  const user = parseUserName(at < 0 ? name : name.slice(0, at));
  if (user === undefined) return undefined;
  if (at < 0) return { user, domain: undefined, noStatus };
  const domain = parseDomainName(name.slice(at + 1));
  return domain === undefined ? undefined : { user, domain, noStatus };
}
