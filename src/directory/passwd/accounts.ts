/** Accounts as a line and the files beside it say, and the rules about whose they may be. */
import { type Address, type DomainName, formatAddress, type UserName } from '../../model/address.ts';
import type { Account, AccountRules, Service } from '../../model/directory.ts';
import { withoutUndefined } from '../../model/leftOut.ts';
import type { Log } from '../../model/log.ts';
import type { Mailbox } from '../../model/mailbox.ts';
import { parseTarget, qualified } from './aliasTargets.ts';
import type { Domain, Domains } from './domains.ts';
import type { HostUsers } from './hostUsers.ts';
import type { PasswdLine } from './lines.ts';
import { type AccountSettings, everyService, noAccountSettings, noDomainSettings } from './settings.ts';
import { type PasswordKind, type PasswordRule, type StoredPassword, storedPassword } from './storedPassword.ts';

export interface Virtual {
  readonly domain: Domain;
  readonly user: UserName;
  readonly line: PasswdLine;
  readonly mailbox: Mailbox;
}

/** A user of the host. */
export interface System {
  readonly domain: undefined;
  readonly user: UserName;
  readonly mailbox: Mailbox;
}

export type Found = Virtual | System;

/** Of the process: its own, and all it is in. */
export interface Groups {
  readonly own: number;
  readonly all: ReadonlySet<number>;
}

export interface AccountsOptions {
  readonly domains: Domains;
  /** `undefined`: the host's own users don't log in. */
  readonly hostUsers: HostUsers | undefined;
  readonly passwordKind: PasswordKind;
  readonly processUid: number;
  readonly groups: Groups | undefined;
  readonly minUid: number;
  readonly log: Log;
}

export interface Accounts {
  /** @throws Fault temporary */
  virtualUser(address: Address): Promise<Virtual | undefined>;
  systemUser(user: UserName): System | undefined;
  /** Of all accounts of a domain that the process may act for. @throws Fault temporary */
  mailboxes(name: DomainName): Promise<readonly Mailbox[]>;
  accountOf(found: Found, settings: AccountSettings | undefined): Account;
  ruleOf(domain: Domain | undefined): PasswordRule;
  /** What the password field means; one that makes no sense is told in the log. */
  passwordOf(found: Virtual): StoredPassword;
  /** Why a process of this uid can't be used for this account; `undefined`: it can. */
  refusedUid(found: Virtual): string | undefined;
  logRefusedUid(found: Virtual, reason: string): void;
}

/** `undefined`: nothing is set, as with most accounts. */
function rulesOf(domain: Domain | undefined, settings: AccountSettings | undefined): AccountRules | undefined {
  const { accountQuotaOctets, receipts, expireDays } = domain?.settings ?? noDomainSettings;
  const own = settings ?? noAccountSettings;
  const rules: AccountRules = {
    forward: domain === undefined ? [] : forwardedTo(own.forward, domain.name),
    keepsCopy: own.keepsCopy,
    vacation: own.vacation,
    quotaOctets: own.quotaOctets ?? accountQuotaOctets,
    receipts: own.receipts ?? receipts,
    expireDays: own.expireDays ?? expireDays,
  };
  const isUsual =
    rules.forward.length === 0 &&
    rules.vacation === undefined &&
    rules.quotaOctets === undefined &&
    rules.receipts === undefined &&
    rules.expireDays === undefined;
  return isUsual ? undefined : rules;
}

function forwardedTo(targets: readonly string[], domain: DomainName): readonly string[] {
  return [...new Set(targets.flatMap((written) => parseTarget(written) ?? []).map((target) => qualified(target, domain)))];
}

/** About 1 kB of memory each. */
const MOST_LATELY = 2000;

export function createAccounts(options: AccountsOptions): Accounts {
  const { domains, hostUsers, passwordKind, processUid, groups, minUid, log } = options;
  /** Lines told of, of each version of a file: whoever guesses passwords must not fill the log. */
  const told = new WeakMap<object, Set<number>>();
  /** Lines taken apart lately: the same clients come again and again. By version of the file, so that what has changed isn't found. */
  let lately = new WeakMap<object, Map<UserName, Pick<Virtual, 'line' | 'mailbox'>>>();
  let latelyCount = 0;
  const passwords = new WeakMap<PasswdLine, StoredPassword & PasswordRule>();
  /** Versions of files of which it was told that a gid is not used. */
  const toldOfGid = new WeakSet<object>();

  function place({ domain, line, mailbox }: Pick<Virtual, 'domain' | 'line' | 'mailbox'>) {
    return { account: mailbox.name, file: domain.passwdPath, line: domain.passwd.lineNumber(line.start) };
  }

  /** Nobody gets into a group by writing its number into a passwd file. */
  function withOwnGroup(domain: Domain, line: PasswdLine, mailbox: Mailbox): Mailbox {
    const { owner } = mailbox;
    if (groups === undefined || owner?.uid !== processUid || groups.all.has(owner.gid)) return mailbox;
    if (!toldOfGid.has(domain.passwd)) {
      log.info('directory.foreign-gid', { ...place({ domain, line, mailbox }), gid: owner.gid, used: groups.own });
    }
    toldOfGid.add(domain.passwd);
    return { ...mailbox, owner: { uid: owner.uid, gid: groups.own } };
  }

  function entryOf(domain: Domain, address: Address): Pick<Virtual, 'line' | 'mailbox'> | undefined {
    const { passwd } = domain;
    const ofFile = lately.get(passwd) ?? new Map();
    const known = ofFile.get(address.user);
    if (known !== undefined) return known;
    const line = passwd.find(address.user);
    if (line === undefined) return undefined;
    const { home, owner } = line;
    const mailbox = withOwnGroup(domain, line, { name: formatAddress(address), ...address, home, owner });
    if (latelyCount === MOST_LATELY) {
      lately = new WeakMap();
      latelyCount = 0;
    }
    lately.set(passwd, ofFile.set(address.user, { line, mailbox }));
    latelyCount++;
    return { line, mailbox };
  }

  function understood(line: PasswdLine, { kind, ofDomain }: PasswordRule): StoredPassword {
    const known = passwords.get(line);
    if (known?.kind === kind && known.ofDomain === ofDomain) return known;
    const stored = { ...storedPassword(line, { kind, ofDomain }), kind, ofDomain };
    passwords.set(line, stored);
    return stored;
  }

  function ruleOf(domain: Domain | undefined): PasswordRule {
    const own = domain?.settings.passwordKind;
    return { kind: own ?? passwordKind, ofDomain: own !== undefined };
  }

  function refusal(owner: Mailbox['owner']): string | undefined {
    if (owner === undefined) return undefined;
    if (owner.uid === 0) return 'uid 0 never owns mail';
    if (owner.uid < minUid) return `uid ${owner.uid} is below ${minUid}`;
    return owner.uid === processUid ? undefined : `uid ${owner.uid} is not the ${processUid} that this process runs as`;
  }

  return {
    ruleOf,

    async virtualUser(address) {
      const domain = await domains.find(address.domain);
      const entry = domain && entryOf(domain, address);
      return entry && { domain, user: address.user, line: entry.line, mailbox: entry.mailbox };
    },

    systemUser(user) {
      const found = hostUsers?.find(user);
      // The host's own passwd file says who this is, so here any uid but root's is as good as the host's word.
      if (found === undefined || found.uid === 0 || found.uid < minUid) return undefined;
      const home = found.home.startsWith('/') ? found.home : undefined;
      return { domain: undefined, user, mailbox: { name: user, user, domain: undefined, home, owner: { uid: found.uid, gid: found.gid } } };
    },

    async mailboxes(name) {
      const domain = await domains.find(name);
      if (domain === undefined) return [];
      const all: Mailbox[] = [];
      for (const user of domain.passwd.names()) {
        const line = domain.passwd.find(user);
        if (line === undefined || refusal(line.owner) !== undefined) continue;
        const { home, owner } = line;
        all.push({ name: formatAddress({ user, domain: name }), user, domain: name, home, owner });
      }
      return all;
    },

    accountOf(found, settings) {
      const services = settings?.services ?? everyService;
      return withoutUndefined({
        mailbox: found.mailbox,
        services: settings?.disabled === true ? services.intersection(new Set<Service>(['receive'])) : services,
        language: settings?.language ?? found.domain?.settings.language,
        rules: rulesOf(found.domain, settings),
      });
    },

    passwordOf(found) {
      const stored = understood(found.line, ruleOf(found.domain));
      if (stored.verifier !== undefined || stored.hint === undefined) return stored;
      const lines = told.get(found.domain.passwd) ?? new Set();
      told.set(found.domain.passwd, lines);
      if (!lines.has(found.line.start)) log.warn('directory.password-not-understood', { ...place(found), hint: stored.hint });
      lines.add(found.line.start);
      return stored;
    },

    refusedUid: ({ mailbox: { owner } }) => refusal(owner),

    logRefusedUid(found, reason) {
      log.warn('directory.refused-uid', { ...place(found), uid: found.mailbox.owner?.uid, processUid, reason });
    },
  };
}
