/** `domain.toml` and `accounts/<user>.toml`, as far as logging in, looking up and delivering need them. Every key is optional. */
import { type DomainName, parseAddress, parseDomainName } from '../../model/address.ts';
import { isTimeZone } from '../../model/day.ts';
import type { ReceiptPolicy, Service, UnknownUsers, Vacation } from '../../model/directory.ts';
import { Networks } from '../../model/networks.ts';
import type { Identity } from '../../os/becomeUser.ts';
import { storedVerifier } from '../schemes/index.ts';
import type { Verifier } from '../schemes/scheme.ts';
import { parseTarget } from './aliasTargets.ts';
import { parseOwner } from './ownerKey.ts';
import type { PasswordKind } from './storedPassword.ts';
import { readToml, type TomlTable } from './toml.ts';

export interface DomainSettings {
  readonly passwordKind: PasswordKind | undefined;
  readonly unknownUsers: UnknownUsers | undefined;
  readonly language: string | undefined;
  /** Whom the host has given the domain to, where the file is root's; a text: what is wrong with that. */
  readonly owner: Identity | string | undefined;
  /** From where its accounts may log in that don't say so themselves; `undefined`: from everywhere. */
  readonly networks: Networks | undefined;
  readonly aliasOf: DomainName | undefined;
  readonly foldsSubdomains: boolean | undefined;
  /** Of all its mailboxes together, in octets. */
  readonly quotaOctets: number | undefined;
  /** Of accounts that don't say so themselves, like `receipts` and `expireDays`. */
  readonly accountQuotaOctets: number | undefined;
  readonly rewritesSenders: boolean | undefined;
  readonly popBeforeSmtp: boolean | undefined;
  readonly receipts: ReceiptPolicy | undefined;
  readonly expireDays: number | 'never' | undefined;
}

export interface AccountSettings {
  /** `undefined`: all of them. */
  readonly services: ReadonlySet<Service> | undefined;
  /** Nobody logs in; mail is still taken in. */
  readonly disabled: boolean;
  readonly language: string | undefined;
  /** Beside the password field, for SCRAM and CRAM-MD5. */
  readonly verifiers: readonly Verifier[];
  /** From where it may log in; `undefined`: as the domain says. */
  readonly networks: Networks | undefined;
  /** Where its mail goes on to, as written: names without a domain are in the account's own. */
  readonly forward: readonly string[];
  readonly keepsCopy: boolean;
  readonly vacation: Vacation | undefined;
  readonly quotaOctets: number | undefined;
  readonly receipts: ReceiptPolicy | undefined;
  readonly expireDays: number | 'never' | undefined;
}

export const noDomainSettings: DomainSettings = {
  passwordKind: undefined,
  unknownUsers: undefined,
  language: undefined,
  owner: undefined,
  networks: undefined,
  aliasOf: undefined,
  foldsSubdomains: undefined,
  quotaOctets: undefined,
  accountQuotaOctets: undefined,
  rewritesSenders: undefined,
  popBeforeSmtp: undefined,
  receipts: undefined,
  expireDays: undefined,
};
export const noAccountSettings: AccountSettings = {
  services: undefined,
  disabled: false,
  language: undefined,
  verifiers: [],
  networks: undefined,
  forward: [],
  keepsCopy: true,
  vacation: undefined,
  quotaOctets: undefined,
  receipts: undefined,
  expireDays: undefined,
};

export const everyService: ReadonlySet<Service> = new Set(['pop3', 'smtp-auth', 'receive', 'web']);

/** @throws BadToml */
export function parseDomainSettings(octets: Buffer): DomainSettings {
  const toml = readToml(octets);
  const owner = toml.text('owner');
  return {
    owner: owner === undefined ? undefined : parseOwner(owner),
    passwordKind: toml.choice('password_kind', ['auto', 'plain', 'crypt']),
    unknownUsers: unknownUsers(toml.text('unknown_users'), (reason) => toml.bad('unknown_users', reason)),
    language: languageTag(toml.text('language'), (reason) => toml.bad('language', reason)),
    networks: networksOf(toml),
    aliasOf: domainName(toml.text('alias_of'), (reason) => toml.bad('alias_of', reason)),
    foldsSubdomains: toml.flag('fold_subdomains'),
    quotaOctets: toml.size('quota'),
    accountQuotaOctets: toml.size('account_quota'),
    rewritesSenders: toml.flag('srs'),
    popBeforeSmtp: toml.flag('pop_before_smtp'),
    receipts: toml.choice('receipts', receiptPolicies),
    expireDays: expireDays(toml),
  };
}

/** @throws BadToml */
export function parseAccountSettings(octets: Buffer): AccountSettings {
  const toml = readToml(octets);
  const services = toml.texts('services');
  return {
    // Services that this version doesn't have are no mistake: the file may be shared with a newer one.
    services: services && new Set([...everyService].filter((service) => services.includes(service))),
    disabled: toml.flag('disabled') ?? false,
    language: languageTag(toml.text('language'), (reason) => toml.bad('language', reason)),
    verifiers: (toml.texts('verifiers') ?? []).map((text, index) => {
      const verifier = storedVerifier(Buffer.from(text));
      if (verifier === undefined) throw toml.bad('verifiers', `number ${index + 1} is unknown or malformed`);
      return verifier;
    }),
    networks: networksOf(toml),
    forward: forwardOf(toml),
    keepsCopy: toml.flag('keep_copy') ?? true,
    vacation: vacationOf(toml.table('vacation')),
    quotaOctets: toml.size('quota'),
    receipts: toml.choice('receipts', receiptPolicies),
    expireDays: expireDays(toml),
  };
}

const receiptPolicies: readonly ReceiptPolicy[] = ['never', 'ask', 'known-senders', 'always'];
/** Far more than anybody writes, and all together less than a frame between processes holds. */
const MOST_FORWARDS = 50;
const LONGEST_VACATION = 8000;
const MOST_VACATION_ADDRESSES = 50;
const LONGEST_ADDRESS = 320;

function forwardOf(toml: TomlTable): readonly string[] {
  const targets = toml.texts('forward') ?? [];
  if (targets.length > MOST_FORWARDS) throw toml.bad('forward', `has more than ${MOST_FORWARDS} addresses`);
  const wrong = targets.find((target) => parseTarget(target) === undefined);
  if (wrong !== undefined) throw toml.bad('forward', `${JSON.stringify(wrong)} is no address`);
  return targets;
}

function vacationOf(toml: TomlTable | undefined): Vacation | undefined {
  if (toml === undefined) return undefined;
  const text = toml.text('text');
  if (text === undefined || text.trim() === '') throw toml.bad('text', 'is missing: it is what is answered');
  if (text.length > LONGEST_VACATION) throw toml.bad('text', `is longer than ${LONGEST_VACATION} characters`);
  const subject = toml.text('subject');
  if (subject !== undefined && !/^\P{Cc}{1,200}$/u.test(subject)) throw toml.bad('subject', 'must be one line of at most 200 characters');
  const from = toml.day('from');
  const until = toml.day('until');
  if (from !== undefined && until !== undefined && until < from) throw toml.bad('until', 'is before `from`');
  const timeZone = toml.text('time_zone');
  if (timeZone !== undefined && !isTimeZone(timeZone)) throw toml.bad('time_zone', 'must be a name such as "Europe/Copenhagen"');
  const addresses = toml.texts('addresses') ?? [];
  if (addresses.length > MOST_VACATION_ADDRESSES) throw toml.bad('addresses', `has more than ${MOST_VACATION_ADDRESSES} addresses`);
  if (addresses.some((address) => address.length > LONGEST_ADDRESS)) throw toml.bad('addresses', 'has one that is too long');
  return {
    from,
    until,
    timeZone,
    subject,
    text,
    intervalDays: toml.integer('interval_days', 1, 365) ?? 7,
    addresses: addresses.map((address) => address.toLowerCase()),
  };
}

function expireDays(toml: TomlTable): number | 'never' | undefined {
  if (toml.isText('expire_days')) return toml.choice('expire_days', ['never'] as const);
  return toml.integer('expire_days', 0, 36_500);
}

function domainName(text: string | undefined, bad: (reason: string) => Error): DomainName | undefined {
  const name = text === undefined ? undefined : parseDomainName(text);
  if (text !== undefined && name === undefined) throw bad('must be a domain name');
  return name;
}

function unknownUsers(text: string | undefined, bad: (reason: string) => Error): UnknownUsers | undefined {
  if (text === undefined) return undefined;
  if (text === 'bounce' || text === 'postmaster') return { kind: text };
  const address = parseAddress(text);
  if (address === undefined) throw bad('must be "bounce", "postmaster" or an address');
  return { kind: 'address', address };
}

/** An empty list could mean nowhere or everywhere, so it means neither. */
function networksOf(toml: TomlTable): Networks | undefined {
  const entries = toml.texts('networks');
  if (entries === undefined) return undefined;
  if (entries.length === 0) throw toml.bad('networks', 'is empty; everywhere is ["0.0.0.0/0", "::/0"]');
  try {
    return new Networks(entries);
  } catch (error) {
    throw toml.bad('networks', error instanceof RangeError ? error.message : String(error));
  }
}

function languageTag(text: string | undefined, bad: (reason: string) => Error): string | undefined {
  if (text !== undefined && !/^[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*$/.test(text)) throw bad('must be a language tag');
  return text;
}
