/** What a worker answers, as it stands in frames. */
import type { Account, Admission, Alias, HostedDomain, ProofKind, Step, UnknownUsers } from '../model/directory.ts';
import type { Fault } from '../model/fault.ts';
import { withoutUndefined } from '../model/leftOut.ts';
import type { Location, Usage } from '../model/maildrop.ts';
import { readAccount, readAddress, readDomain, writeAccount, writeAddress } from './accounts.ts';
import { type FrameWriter, frames, type Payload, plainFrame } from './codec.ts';
import { readFault, writeFault } from './faults.ts';
import { Malformed, tell } from './frames.ts';

/** How large the listing frames are that follow. */
export interface ListingSize {
  readonly messages: number;
  readonly octets: number;
}

/** The maildrop of who was admitted: its listing follows; or why it could not be opened; or it was not to be. */
export type Opening =
  | { readonly kind: 'none' }
  | { readonly kind: 'open'; readonly listing: ListingSize }
  | { readonly kind: 'fault'; readonly fault: Fault };

export interface AdmittedReply {
  readonly account: Account;
  readonly noStatus: boolean;
  readonly serverSignature: Buffer | undefined;
  readonly opening: Opening;
}

const openings = ['none', 'open', 'fault'] as const satisfies readonly Opening['kind'][];

export function writeFaultFrame(fault: Fault): Buffer {
  return frames((to) => {
    writeFault(to.begin(tell.fault), fault);
    to.finish();
  });
}

export function writeAdmitted({ account, noStatus, serverSignature }: Admission, opening: Opening): Buffer {
  return frames((to) => {
    writeAccount(to.begin(tell.admitted), account);
    to.flag(noStatus)
      .octets(serverSignature ?? nothing)
      .u8(openings.indexOf(opening.kind));
    if (opening.kind === 'open') writeListingSize(to, opening.listing);
    if (opening.kind === 'fault') writeFault(to, opening.fault);
    to.finish();
  });
}

export function readAdmitted(from: Payload): AdmittedReply {
  const account = readAccount(from);
  const noStatus = from.flag();
  const signature = from.octets(64);
  const opening = readOpening(from);
  from.end();
  return { account, noStatus, serverSignature: signature.length === 0 ? undefined : signature, opening };
}

function readOpening(from: Payload): Opening {
  const kind = from.oneOf(openings);
  if (kind === 'none') return { kind };
  return kind === 'open' ? { kind, listing: readListingSize(from) } : { kind, fault: readFault(from) };
}

export function writeOpened(listing: ListingSize): Buffer {
  return frames((to) => {
    writeListingSize(to.begin(tell.opened), listing);
    to.finish();
  });
}

export function readOpened(from: Payload): ListingSize {
  const size = readListingSize(from);
  from.end();
  return size;
}

function writeListingSize(to: FrameWriter, { messages, octets }: ListingSize): void {
  to.u32(messages).u32(octets);
}

function readListingSize(from: Payload): ListingSize {
  return { messages: from.u32(), octets: from.u32() };
}

export function writeAccountReply(account: Account | undefined): Buffer {
  return frames((to) => {
    to.begin(tell.account).flag(account !== undefined);
    if (account !== undefined) writeAccount(to, account);
    to.finish();
  });
}

export function readAccountReply(from: Payload): Account | undefined {
  const account = from.flag() ? readAccount(from) : undefined;
  from.end();
  return account;
}

export interface DomainReply {
  readonly domain: HostedDomain | undefined;
  /** What every account of it can honour. */
  readonly kinds: ReadonlySet<ProofKind>;
}

const proofKinds: readonly ProofKind[] = ['password', 'apop', 'cram-md5', 'scram-sha-1', 'scram-sha-256'];
const unknownUsersKinds = ['bounce', 'postmaster', 'address'] as const satisfies readonly UnknownUsers['kind'][];

export function writeDomainReply({ domain, kinds }: DomainReply): Buffer {
  return frames((to) => {
    let bits = 0;
    for (const [bit, kind] of proofKinds.entries()) if (kinds.has(kind)) bits |= 1 << bit;
    to.begin(tell.domain)
      .u8(bits)
      .flag(domain !== undefined);
    if (domain !== undefined) {
      const { name, unknownUsers, aliasOf, foldsSubdomains, quotaOctets, rewritesSenders, popBeforeSmtp } = domain;
      to.text(name).u8(unknownUsersKinds.indexOf(unknownUsers.kind));
      if (unknownUsers.kind === 'address') writeAddress(to, unknownUsers.address);
      to.optionalText(aliasOf)
        .u8(answers.indexOf(foldsSubdomains))
        .f64(quotaOctets ?? -1);
      to.u8(answers.indexOf(rewritesSenders)).u8(answers.indexOf(popBeforeSmtp));
    }
    to.finish();
  });
}

export function readDomainReply(from: Payload): DomainReply {
  const bits = from.u8();
  const kinds = new Set(proofKinds.filter((_, bit) => (bits & (1 << bit)) !== 0));
  const domain = from.flag() ? readHostedDomain(from) : undefined;
  from.end();
  return { domain, kinds };
}

function readHostedDomain(from: Payload): HostedDomain {
  const name = readDomain(from);
  const unknownUsers = readUnknownUsers(from);
  const aliasOf = from.flag() ? readDomain(from) : undefined;
  const foldsSubdomains = readAnswer(from);
  const quota = from.f64();
  if (quota !== -1 && (!Number.isSafeInteger(quota) || quota < 0)) throw new Malformed('no number of octets');
  const rewritesSenders = readAnswer(from);
  const popBeforeSmtp = readAnswer(from);
  const quotaOctets = quota === -1 ? undefined : quota;
  return withoutUndefined({ name, unknownUsers, aliasOf, foldsSubdomains, quotaOctets, rewritesSenders, popBeforeSmtp });
}

/** Yes, no, or as the host says. */
const answers = [undefined, false, true] as const;

function readAnswer(from: Payload): boolean | undefined {
  const index = from.u8();
  if (index >= answers.length) throw new Malformed('an unknown value');
  return answers[index];
}

function readUnknownUsers(from: Payload): UnknownUsers {
  const kind = from.oneOf(unknownUsersKinds);
  return kind === 'address' ? { kind, address: readAddress(from) } : { kind };
}

export function writeAliasReply(alias: Alias | undefined): Buffer {
  return frames((to) => {
    to.begin(tell.alias).flag(alias !== undefined);
    if (alias !== undefined) {
      to.text(alias.name).u32(alias.targets.length);
      for (const target of alias.targets) to.text(target);
    }
    to.finish();
  });
}

export function readAliasReply(from: Payload): Alias | undefined {
  if (!from.flag()) {
    from.end();
    return undefined;
  }
  const name = from.text(LONGEST_NAME);
  const targets: string[] = [];
  for (let left = from.u32(); left > 0; left -= 1) targets.push(from.text(LONGEST_TARGET));
  from.end();
  if (targets.length === 0) throw new Malformed('an alias of nobody');
  return { name, targets };
}

/** Octets. */
const LONGEST_NAME = 300;
const LONGEST_TARGET = 1300;

export function writeScramReply({ salt, iterations }: { salt: Buffer; iterations: number }): Buffer {
  return frames((to) => to.begin(tell.scramParameters).octets(salt).u32(iterations).finish());
}

export function readScramReply(from: Payload): { salt: Buffer; iterations: number } {
  const salt = from.octets(1024);
  const iterations = from.u32();
  from.end();
  if (salt.length === 0 || iterations === 0) throw new Malformed('no SCRAM parameters');
  return { salt, iterations };
}

export interface Explanation {
  readonly steps: readonly Step[];
  readonly account: Account | undefined;
}

export function writeExplained({ steps, account }: Explanation): Buffer {
  return frames((to) => {
    to.begin(tell.explained).u32(steps.length);
    for (const { rule, outcome } of steps) to.text(rule).text(outcome);
    to.flag(account !== undefined);
    if (account !== undefined) writeAccount(to, account);
    to.finish();
  });
}

export function readExplained(from: Payload): Explanation {
  const steps: Step[] = [];
  for (let left = from.u32(); left > 0; left -= 1) steps.push({ rule: from.text(), outcome: from.text() });
  const account = from.flag() ? readAccount(from) : undefined;
  from.end();
  return { steps, account };
}

export function writeLocated({ path, format, exists, tried }: Location): Buffer {
  return frames((to) => {
    to.begin(tell.located).text(path).text(format).flag(exists).u32(tried.length);
    for (const { place, found } of tried) to.text(place).text(found);
    to.finish();
  });
}

export function readLocated(from: Payload): Location {
  const path = from.text();
  const format = from.text();
  const exists = from.flag();
  const tried: { place: string; found: string }[] = [];
  for (let left = from.u32(); left > 0; left -= 1) tried.push({ place: from.text(), found: from.text() });
  from.end();
  return { path, format, exists, tried };
}

export function writeFirstReply(first: boolean): Buffer {
  return plainFrame(tell.first, first ? 1 : 0);
}

export function readFirstReply(from: Payload): boolean {
  const first = from.flag();
  from.end();
  return first;
}

export type ReceiptOutcome = 'waits' | 'known' | 'full';
const receiptOutcomes: readonly ReceiptOutcome[] = ['waits', 'known', 'full'];

export function writeReceiptReply(outcome: ReceiptOutcome): Buffer {
  return plainFrame(tell.receipt, receiptOutcomes.indexOf(outcome));
}

export function readReceiptReply(from: Payload): ReceiptOutcome {
  const outcome = from.oneOf(receiptOutcomes);
  from.end();
  return outcome;
}

export function writeUsage({ octets, messages }: Usage): Buffer {
  return frames((to) => {
    to.begin(tell.usage)
      .f64(octets)
      .flag(messages !== undefined);
    if (messages !== undefined) to.f64(messages);
    to.finish();
  });
}

export function readUsage(from: Payload): Usage {
  const octets = readCount(from);
  const messages = from.flag() ? readCount(from) : undefined;
  from.end();
  return messages === undefined ? { octets } : { octets, messages };
}

function readCount(from: Payload): number {
  const count = from.f64();
  if (!Number.isSafeInteger(count) || count < 0) throw new Malformed('no number of octets or messages');
  return count;
}

const nothing = Buffer.alloc(0);
