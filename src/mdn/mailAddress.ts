/** Addresses as they stand in header fields. RFC 5322 section 3.4. What is sent to one of them must be sure whom it means, so there is no guessing. */
import { type DomainName, parseDomainName } from '../model/address.ts';

/** An addr-spec: what is left of `"Ada" <ada@example.org>` without name, comments, brackets and quotes. */
export interface MailAddress {
  /** Without the quotes around it and the backslashes in it: RFC 8098 section 2.1 compares it so. */
  readonly local: string;
  readonly domain: DomainName;
}

interface Token {
  readonly kind: 'atom' | 'quoted' | 'special' | 'dot' | 'literal';
  readonly text: string;
}

const DOT_ATOM = /^[\w!#$%&'*+/=?^`{|}~\u0080-\uffff-]+(?:\.[\w!#$%&'*+/=?^`{|}~\u0080-\uffff-]+)*$/;
/** Octets of a path, RFC 5321 section 4.5.3.1.3, without its angle brackets. */
const LONGEST_ADDRESS = 254;
const LONGEST_LOCAL = 64;

/** In SMTP commands and header fields. */
export function formatMailAddress({ local, domain }: MailAddress): string {
  return `${DOT_ATOM.test(local) ? local : `"${local.replace(/["\\]/g, '\\$&')}"`}@${domain}`;
}

/** RFC 8098 section 2.1: the local part as it is written, the domain in any case (a `DomainName` is in lower case). */
export function sameMailAddress(one: MailAddress, other: MailAddress): boolean {
  return one.local === other.local && one.domain === other.domain;
}

/** A mailbox-list; `undefined` where it is none, or where one of its addresses is none that mail can go to. */
export function parseMailboxList(value: string): readonly MailAddress[] | undefined {
  const tokens = tokensOf(value);
  if (tokens === undefined) return undefined;
  const found: MailAddress[] = [];
  for (const mailbox of parted(tokens, ',')) {
    // RFC 5322 section 4.4: nothing between two commas was allowed once.
    if (mailbox.length === 0) continue;
    const address = mailboxOf(mailbox);
    if (address === undefined) return undefined;
    found.push(address);
  }
  return found.length === 0 ? undefined : found;
}

/** One bare addr-spec, as in `Delivered-To`, or one in angle brackets. */
export function parseMailAddress(value: string): MailAddress | undefined {
  const tokens = tokensOf(value);
  return tokens === undefined ? undefined : mailboxOf(tokens);
}

function mailboxOf(tokens: readonly Token[]): MailAddress | undefined {
  const open = tokens.findIndex(isSpecial('<'));
  if (open === -1) return addressOf(tokens);
  const close = tokens.findIndex(isSpecial('>'));
  if (close !== tokens.length - 1 || !tokens.slice(0, open).every(isWordOfPhrase)) return undefined;
  const inside = tokens.slice(open + 1, close);
  // A source route: RFC 5322 section 4.4 says to ignore it.
  const route = inside.findIndex(isSpecial(':'));
  return addressOf(inside.slice(route + 1));
}

function addressOf(tokens: readonly Token[]): MailAddress | undefined {
  const at = tokens.findIndex(isSpecial('@'));
  if (at < 1) return undefined;
  const local = joined(tokens.slice(0, at), ['atom', 'quoted']);
  const domain = parseDomainName(joined(tokens.slice(at + 1), ['atom']) ?? '');
  if (local === undefined || domain === undefined) return undefined;
  const octets = Buffer.byteLength(local);
  if (octets === 0 || octets > LONGEST_LOCAL || Buffer.byteLength(formatMailAddress({ local, domain })) > LONGEST_ADDRESS) return undefined;
  return { local, domain };
}

/** Words with dots between them. */
function joined(tokens: readonly Token[], words: readonly Token['kind'][]): string | undefined {
  if (tokens.length % 2 === 0) return undefined;
  for (const [index, { kind }] of tokens.entries()) if (index % 2 === 0 ? !words.includes(kind) : kind !== 'dot') return undefined;
  return tokens.map(({ text }) => text).join('');
}

function parted(tokens: readonly Token[], separator: string): Token[][] {
  const parts: Token[][] = [[]];
  for (const token of tokens) {
    if (token.kind === 'special' && token.text === separator) parts.push([]);
    else parts.at(-1)?.push(token);
  }
  return parts;
}

function isSpecial(text: string): (token: Token) => boolean {
  return (token) => token.kind === 'special' && token.text === text;
}

/** Dots between the words of a name are old, and frequent. */
function isWordOfPhrase({ kind }: Token): boolean {
  return kind === 'atom' || kind === 'quoted' || kind === 'dot';
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const PIECE = /([^\s\u0000-\u001f\u007f()<>[\]:;@\\,."]+)|"((?:[^"\\]|\\.)*)"|(\[[^[\]\\]*\])|([<>:;@,])|(\.)/uy;

/** Without white space and comments; `undefined` for what no token is. */
function tokensOf(value: string): readonly Token[] | undefined {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  if (/[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u2028\u2029\ufffd]/u.test(value)) return undefined;
  const tokens: Token[] = [];
  let at = 0;
  while (at < value.length) {
    const character = value[at];
    if (character === ' ' || character === '\t') at += 1;
    else if (character === '(') {
      at = afterComment(value, at);
      if (at === 0) return undefined;
    } else {
      PIECE.lastIndex = at;
      const match = PIECE.exec(value);
      if (match === null) return undefined;
      tokens.push(tokenOf(match));
      at = PIECE.lastIndex;
    }
  }
  return tokens;
}

function tokenOf([, atom, quoted, literal, special]: RegExpExecArray): Token {
  if (atom !== undefined) return { kind: 'atom', text: atom };
  if (quoted !== undefined) return { kind: 'quoted', text: quoted.replace(/\\(.)/gu, '$1') };
  if (literal !== undefined) return { kind: 'literal', text: literal };
  return special === undefined ? { kind: 'dot', text: '.' } : { kind: 'special', text: special };
}

/** Comments hold comments. 0: it has no end. */
function afterComment(value: string, start: number): number {
  let depth = 0;
  for (let at = start; at < value.length; at += 1) {
    const character = value[at];
    if (character === '\\') at += 1;
    else if (character === '(') depth += 1;
    else if (character === ')') {
      depth -= 1;
      if (depth === 0) return at + 1;
    }
  }
  return 0;
}
