/** Accounts and names on the wire. A front is told what it has a use for: not where mail rests, nor whose it is. */
import { type Address, type DomainName, formatAddress, parseDomainName, parseUserName, type UserName } from '../model/address.ts';
import type { Account, Service } from '../model/directory.ts';
import { readAccountRules } from './accountRules.ts';
import type { FrameWriter, Payload } from './codec.ts';
import { Malformed } from './frames.ts';

export const services: readonly Service[] = ['pop3', 'smtp-auth', 'receive', 'web'];

/** A mailbox, as the front knows it: by the address it is found under. */
export interface Wanted {
  readonly address: Address;
  /** A user of the host, whose address is in the default domain; else an account of that domain. */
  readonly system: boolean;
}

export function writeWanted(to: FrameWriter, { address, system }: Wanted): void {
  writeAddress(to, address);
  to.flag(system);
}

export function readWanted(from: Payload): Wanted {
  return { address: readAddress(from), system: from.flag() };
}

export function writeAddress(to: FrameWriter, { user, domain }: Address): void {
  to.text(user).text(domain);
}

export function readAddress(from: Payload): Address {
  return { user: readUser(from), domain: readDomain(from) };
}

export function readDomain(from: Payload): DomainName {
  const written = from.text(253);
  const name = parseDomainName(written);
  if (name === undefined || name !== written) throw new Malformed('no domain name');
  return name;
}

function readUser(from: Payload): UserName {
  const written = from.text(64);
  const name = parseUserName(written);
  if (name === undefined || name !== written) throw new Malformed('no user name');
  return name;
}

export function writeAccount(to: FrameWriter, { mailbox, services: open, language, rules }: Account): void {
  to.text(mailbox.user).optionalText(mailbox.domain);
  let bits = 0;
  for (const [bit, service] of services.entries()) if (open.has(service)) bits |= 1 << bit;
  to.u8(bits).optionalText(language);
  to.optionalText(rules && JSON.stringify(rules));
}

export function readAccount(from: Payload): Account {
  const user = readUser(from);
  const domain = from.flag() ? readDomain(from) : undefined;
  const bits = from.u8();
  const language = from.optionalText(64);
  const rules = from.flag() ? readAccountRules(from.text()) : undefined;
  const name = domain === undefined ? user : formatAddress({ user, domain });
  return {
    mailbox: { name, user, domain, home: undefined, owner: undefined },
    services: new Set(services.filter((_, bit) => (bits & (1 << bit)) !== 0)),
    language,
    ...(rules && { rules }),
  };
}
