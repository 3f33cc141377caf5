/** What a front asks, as it stands in frames. */
import type { Address, DomainName } from '../model/address.ts';
import type { Arrival, Claim, Proof, ScramHash, Service } from '../model/directory.ts';
import type { Envelope } from '../model/envelope.ts';
import type { OnceTopic } from '../model/onceMemory.ts';
import { MOST_HEADER, type WaitingReceipt } from '../model/receipts.ts';
import { readDomain, readWanted, services, type Wanted, writeAddress, writeWanted } from './accounts.ts';
import { type FrameWriter, frames, type Payload, plainFrame } from './codec.ts';
import { ask, Malformed } from './frames.ts';

export interface AuthenticateRequest {
  readonly claim: Claim;
  readonly proof: Proof;
  readonly service: Service;
  /** Open the maildrop in the same breath. */
  readonly opens: boolean;
  /** Leave `Status:` alone, whatever the login name says. */
  readonly noStatus: boolean;
}

const hashes: readonly ScramHash[] = ['sha1', 'sha256'];
const proofKinds = ['password', 'apop', 'cram-md5', 'scram'] as const satisfies readonly Proof['kind'][];

export function writeAuthenticate({ claim, proof, service, opens, noStatus }: AuthenticateRequest): Buffer {
  return frames((to) => {
    to.begin(ask.authenticate).flag(opens).flag(noStatus).u8(services.indexOf(service));
    writeClaim(to, claim);
    writeProof(to, proof);
    to.finish();
  });
}

export function readAuthenticate(from: Payload): AuthenticateRequest {
  const opens = from.flag();
  const noStatus = from.flag();
  const service = from.oneOf(services);
  const claim = readClaim(from);
  const proof = readProof(from);
  from.end();
  return { claim, proof, service, opens, noStatus };
}

/** The local address stays with the front: the domain it stands for crosses as a server name. */
export function writeClaim(to: FrameWriter, { login, arrival }: Claim): void {
  to.text(login).optionalText(arrival.serverName).optionalText(arrival.remoteAddress);
}

export function readClaim(from: Payload): Claim {
  const login = from.text();
  const arrival: Arrival = { localAddress: undefined, serverName: from.optionalText(1000), remoteAddress: from.optionalText(100) };
  return { login, arrival };
}

function writeProof(to: FrameWriter, proof: Proof): void {
  to.u8(proofKinds.indexOf(proof.kind));
  if (proof.kind === 'password') to.octets(proof.password);
  else if (proof.kind === 'apop') to.text(proof.timestamp).text(proof.digest);
  else if (proof.kind === 'cram-md5') to.text(proof.challenge).text(proof.digest);
  else to.u8(hashes.indexOf(proof.hash)).octets(proof.authMessage).octets(proof.clientProof);
}

function readProof(from: Payload): Proof {
  const kind = from.oneOf(proofKinds);
  if (kind === 'password') return { kind, password: from.octets() };
  if (kind === 'apop') return { kind, timestamp: from.text(), digest: from.text() };
  if (kind === 'cram-md5') return { kind, challenge: from.text(), digest: from.text() };
  return { kind, hash: from.oneOf(hashes), authMessage: from.octets(), clientProof: from.octets() };
}

export function writeScramParameters(claim: Claim, hash: ScramHash): Buffer {
  return frames((to) => {
    to.begin(ask.scramParameters).u8(hashes.indexOf(hash));
    writeClaim(to, claim);
    to.finish();
  });
}

export function readScramParameters(from: Payload): { claim: Claim; hash: ScramHash } {
  const hash = from.oneOf(hashes);
  const claim = readClaim(from);
  from.end();
  return { claim, hash };
}

export function writeExplain(claim: Claim): Buffer {
  return frames((to) => {
    writeClaim(to.begin(ask.explain), claim);
    to.finish();
  });
}

export function writeOpen(noStatus: boolean): Buffer {
  return plainFrame(ask.open, noStatus ? 1 : 0);
}

/** @param row message-number less one; @param skip octets that were handed out already */
export function writeRetrieve(row: number, skip: number): Buffer {
  return frames((to) => to.begin(ask.retrieve).u32(row).f64(skip).finish());
}

export function readRetrieve(from: Payload): { row: number; skip: number } {
  const row = from.u32();
  const skip = from.f64();
  from.end();
  if (!Number.isSafeInteger(skip) || skip < 0) throw new Malformed('no number of octets');
  return { row, skip };
}

export function writeAccountRequest(wanted: Wanted): Buffer {
  return frames((to) => {
    writeWanted(to.begin(ask.account), wanted);
    to.finish();
  });
}

export function writeLocate(wanted: Wanted): Buffer {
  return frames((to) => {
    writeWanted(to.begin(ask.locate), wanted);
    to.finish();
  });
}

/** Whose usage is asked for: a mailbox, or all mailboxes of a domain, which may be some seconds old unless it is asked for `anew`. */
export type UsageRequest = Wanted | { readonly domain: DomainName; readonly anew: boolean };

export function writeUsageRequest(request: UsageRequest): Buffer {
  return frames((to) => {
    to.begin(ask.usage).flag('domain' in request);
    if ('domain' in request) to.text(request.domain).flag(request.anew);
    else writeWanted(to, request);
    to.finish();
  });
}

export function readUsageRequest(from: Payload): UsageRequest {
  const request = from.flag() ? { domain: readDomain(from), anew: from.flag() } : readWanted(from);
  from.end();
  return request;
}

export function writeDomainRequest(name: DomainName): Buffer {
  return frames((to) => to.begin(ask.domain).text(name).finish());
}

export function writeAliasRequest(type: typeof ask.alias | typeof ask.pattern, address: Address): Buffer {
  return frames((to) => {
    writeAddress(to.begin(type), address);
    to.finish();
  });
}

/** A delivery: to whom, and the envelope. The message follows in frames of its own. */
export interface DeliverRequest {
  readonly to: Wanted;
  readonly envelope: Envelope;
}

export function writeDeliver(request: DeliverRequest): Buffer {
  const { sender, recipient, originalRecipient, receivedAt } = request.envelope;
  return frames((to) => {
    writeWanted(to.begin(ask.deliver), request.to);
    to.text(sender).text(recipient).text(originalRecipient).f64(receivedAt.getTime()).finish();
  });
}

export function readDeliver(from: Payload): DeliverRequest {
  const to = readWanted(from);
  const sender = from.text();
  const recipient = from.text();
  const originalRecipient = from.text();
  const receivedAt = new Date(from.f64());
  from.end();
  if (Number.isNaN(receivedAt.getTime())) throw new Malformed('no time');
  return { to, envelope: { sender, recipient, originalRecipient, receivedAt } };
}

/** Whether something is done for the first time for a mailbox. */
export interface FirstRequest {
  readonly of: Wanted;
  readonly topic: OnceTopic;
  readonly key: string;
  readonly lastsS: number;
}

const topics: readonly OnceTopic[] = ['vacation', 'receipt', 'quota-warning'];
/** Octets of a key. */
export const MOST_KEY = 4096;

export function writeFirst({ of, topic, key, lastsS }: FirstRequest): Buffer {
  return frames((to) => {
    writeWanted(to.begin(ask.first), of);
    to.u8(topics.indexOf(topic)).text(key).f64(lastsS).finish();
  });
}

export function readFirst(from: Payload): FirstRequest {
  const of = readWanted(from);
  const topic = from.oneOf(topics);
  const key = from.text(MOST_KEY);
  const lastsS = from.f64();
  from.end();
  if (!(lastsS >= 0)) throw new Malformed('no time');
  return { of, topic, key, lastsS };
}

/** A return receipt that is to wait for the user of a mailbox. */
export interface ReceiptRequest {
  readonly of: Wanted;
  readonly receipt: WaitingReceipt;
  readonly unlessKnown: boolean;
}

/** Octets of the address it would go to: RFC 5321 section 4.5.3.1.3, and some for what that doesn't count. */
const MOST_ADDRESS = 1000;

/** @throws RangeError for a header that is too long */
export function writeReceipt({ of, receipt: { uniqueId, to, header }, unlessKnown }: ReceiptRequest): Buffer {
  return frames((frame) => {
    writeWanted(frame.begin(ask.receipt), of);
    frame.text(uniqueId).text(to).octets(header).flag(unlessKnown).finish();
  });
}

export function readReceipt(from: Payload): ReceiptRequest {
  const of = readWanted(from);
  const receipt = { uniqueId: from.text(70), to: from.text(MOST_ADDRESS), header: from.octets(MOST_HEADER) };
  const unlessKnown = from.flag();
  from.end();
  // Written down one a line.
  if (/[\r\n]/.test(receipt.to)) throw new Malformed('no address');
  return { of, receipt, unlessKnown };
}

export type MarkedFor = 'deleted' | 'retrieved';
const markedFor: readonly MarkedFor[] = ['deleted', 'retrieved'];
/** Runs in one frame. */
const MOST_RUNS = 8000;

/** @param rows in rising order, each once. Cross as runs of neighbours: all of a maildrop is one. */
export function writeMarks(to: FrameWriter, what: MarkedFor, rows: Iterable<number>): void {
  let runs = 0;
  let first = 0;
  let count = 0;
  const flushRun = (): void => {
    if (count === 0) return;
    if (runs === 0) to.begin(ask.mark).u8(markedFor.indexOf(what));
    to.u32(first).u32(count);
    runs += 1;
    if (runs < MOST_RUNS) return;
    to.finish();
    runs = 0;
  };
  for (const row of rows) {
    if (count > 0 && row === first + count) {
      count += 1;
      continue;
    }
    flushRun();
    first = row;
    count = 1;
  }
  flushRun();
  if (runs > 0) to.finish();
}

/** Calls `mark` for each row. @param messages how many rows there are */
export function readMarks(from: Payload, messages: number, mark: (what: MarkedFor, row: number) => void): void {
  const what = from.oneOf(markedFor);
  let next = 0;
  while (from.left > 0) {
    const first = from.u32();
    const count = from.u32();
    if (first < next || count > messages - first) throw new Malformed('no such messages');
    next = first + count;
    for (let row = first; row < next; row += 1) mark(what, row);
  }
}
