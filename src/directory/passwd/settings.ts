/** `domain.toml` and `accounts/<user>.toml`, as far as logging in and looking up need them. Every key is optional. */
import { parseAddress } from '../../model/address.ts';
import type { Service, UnknownUsers } from '../../model/directory.ts';
import { Networks } from '../../model/networks.ts';
import type { Identity } from '../../os/becomeUser.ts';
import { storedVerifier } from '../schemes/index.ts';
import type { Verifier } from '../schemes/scheme.ts';
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
}

export const noDomainSettings: DomainSettings = {
  passwordKind: undefined,
  unknownUsers: undefined,
  language: undefined,
  owner: undefined,
  networks: undefined,
};
export const noAccountSettings: AccountSettings = {
  services: undefined,
  disabled: false,
  language: undefined,
  verifiers: [],
  networks: undefined,
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
  };
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
