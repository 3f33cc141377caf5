/** Mail that breaks what isn't careful, as octets on the wire and as it lies in mailbox files. */
import assert from 'node:assert/strict';
import { appendFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface NastyMessage {
  readonly name: string;
  /** What a client must get: lines end in CRLF, before byte-stuffing. */
  readonly wire: Buffer;
}

const header = (subject: string) =>
  `Return-Path: <ada@example.org>\r\nFrom: Ada <ada@example.org>\r\nTo: <abc@kvt.dk>\r\nSubject: ${subject}\r\n` +
  `Message-ID: <${subject.replaceAll(' ', '.')}@example.org>\r\nDate: Mon, 22 Nov 2010 16:47:00 +0100\r\n`;

function nasty(name: string, ...body: (string | Uint8Array)[]): NastyMessage {
  return { name, wire: octets(header(name), '\r\n', ...body) };
}

function octets(...pieces: (string | Uint8Array)[]): Buffer {
  return Buffer.concat(pieces.map((piece) => (typeof piece === 'string' ? Buffer.from(piece, 'latin1') : piece)));
}

/** Each octet but NUL, LF and CR, which the mail programs of the world keep. */
const everyOctet = Buffer.from(Array.from({ length: 256 }, (_, octet) => octet).filter((octet) => ![0, 10, 13].includes(octet)));

/** What every mail program must bring home as it is. */
export const ordinary: readonly NastyMessage[] = [
  nasty('dots', '.\r\n..\r\n.hidden\r\n. \r\n\r\n.\r\n'),
  nasty('From lines', 'From here\r\n\r\nFrom there\r\n>From elsewhere\r\n\r\n>>From nowhere  Mon Nov 22 16:47:00 2010\r\n'),
  nasty('8 bit', Buffer.from('Grød æøå, 日本\r\n'), everyOctet, '\r\n'),
  nasty('long lines', 'x'.repeat(998), '\r\n.', 'y'.repeat(5_000), '\r\nz\r\n'),
  nasty('blank lines at the end', 'x\r\n\r\n\r\n'),
  nasty('no body'),
  // A dot before, at and after each place where a reader's buffer may end.
  nasty('many dots', Array.from({ length: 3_000 }, (_, n) => `${'.'.repeat(n % 80)}\r\n`).join('')),
];

/** What not every program brings home as it is, whatever the server does. */
export const extreme: readonly NastyMessage[] = [
  nasty('NUL octets', 'a\0b\r\n\0\r\n', Buffer.alloc(100), '\r\n.\0\r\n'),
  nasty('bare CR', 'a\rb\r\n\rc\r\n'),
  nasty('very long line', 'x'.repeat(300_000), '\r\n'),
  nasty('large', Buffer.from(`${'.'.repeat(30)}${'æ'.repeat(20)}\r\n`.repeat(20_000))),
  { name: 'header without end', wire: octets(header('header without end')) },
];

/** In order of message-numbers. */
export function wireOf(messages: readonly NastyMessage[]): Buffer[] {
  return messages.map(({ wire }) => wire);
}

/** What a mail program has put into a Maildir of its own, in the order it did. */
export function deliveredTo(maildir: string): Buffer[] {
  return readdirSync(join(maildir, 'new'))
    .sort((one, other) => timeOf(one) - timeOf(other))
    .map((file) => readFileSync(join(maildir, 'new', file)));
}

/** In microseconds: names are `<second>.M<microsecond>P<process>…`. */
function timeOf(name: string): number {
  const [, second, microsecond] = /^(\d+)\.M(\d+)P/.exec(name) ?? [];
  return Number(second) * 1e6 + Number(microsecond);
}

/** Exactly these messages, in this order, octet by octet; what differs is named, not printed. */
export function assertWhole(fetched: readonly Buffer[], messages: readonly NastyMessage[], form: (wire: Buffer) => Buffer): void {
  const outcome = messages.map(({ name, wire }, index) => `${name}: ${comparison(fetched[index], form(wire))}`);
  assert.deepEqual(
    outcome,
    messages.map(({ name }) => `${name}: whole`),
  );
  assert.equal(fetched.length, messages.length);
}

function comparison(got: Buffer | undefined, wanted: Buffer): string {
  if (got === undefined) return 'missing';
  if (got.equals(wanted)) return 'whole';
  const at = wanted.findIndex((octet, index) => got[index] !== octet);
  return `differs at ${at < 0 ? wanted.length : at}: ${JSON.stringify(got.toString('latin1', Math.max(0, at - 20), at + 20))}`;
}

/** The header, the blank line and so many lines of the body. RFC 1939 section 7. */
export function topOf(wire: Buffer, lines: number): string {
  const all = wire.toString('latin1').split('\r\n');
  return `${all.slice(0, Math.min(all.indexOf('') + 1 + lines, all.length - 1)).join('\r\n')}\r\n`;
}

/** With the field that tells mail programs which mail is old (O) and read (R), as it is in an mbox that was rewritten. RFC 2076 section 3.4. */
export function withStatus(wire: Buffer, status: 'O' | 'RO'): Buffer {
  const end = wire.indexOf('\r\n\r\n') + 2;
  return octets(wire.subarray(0, end), `Status: ${status}\r\n`, wire.subarray(end));
}

/** As it lies in a file: lines end in LF. */
export function atRest(wire: Buffer): Buffer {
  return Buffer.from(wire.toString('latin1').replaceAll('\r\n', '\n'), 'latin1');
}

/** An mbox in mboxrd form. `torn`: the last message has lost its final line end, as after a crash while it was appended. */
export function writeMbox(path: string, messages: readonly NastyMessage[], torn = false): void {
  const whole = octets(...messages.map(({ wire }) => mboxMessage(wire)));
  writeFileSync(path, torn ? whole.subarray(0, -2) : whole, { mode: 0o600 });
}

function mboxMessage(wire: Buffer): string {
  const quoted = atRest(wire)
    .toString('latin1')
    .replace(/^(>*From )/gm, '>$1');
  return `From ada@example.org  Mon Nov 22 16:47:00 2010\n${quoted}\n`;
}

/** What a delivery agent adds to an mbox, which is made where it is missing. */
export function appendToMbox(path: string, wire: Buffer): void {
  appendFileSync(path, mboxMessage(wire), { encoding: 'latin1', mode: 0o600 });
}

let delivered = 0;

/** One more file in new/, under a name that was never used before. Makes the Maildir where it is missing. */
export function putIntoMaildir(path: string, rest: Buffer): void {
  for (const folder of ['tmp', 'new', 'cur']) mkdirSync(join(path, folder), { recursive: true, mode: 0o700 });
  delivered += 1;
  writeFileSync(join(path, 'new', `${1_290_450_000 + delivered}.P${process.pid}.host`), rest, { mode: 0o600 });
}

/** Files as several programs leave them: in new/ and cur/, with and without sizes and flags, LF and CRLF, the last line with and without end. */
export function writeMaildir(path: string, messages: readonly NastyMessage[]): void {
  for (const folder of ['', 'tmp', 'new', 'cur']) mkdirSync(join(path, folder), { mode: 0o700 });
  for (const [index, { wire }] of messages.entries()) {
    const second = 1_290_440_820 + index;
    const rest = atRest(wire);
    const forms: [name: string, content: Buffer][] = [
      [`new/${second}.M1P1.host,S=${rest.length},W=${wire.length}`, rest],
      [`cur/${second}.Vfe00I1M2.host:2,S`, rest],
      [`cur/${second}.M3P3.host,S=${wire.length}:2,`, wire],
      [`new/${second}.4_1.host`, rest.subarray(0, -1)],
    ];
    const [name, content] = forms[index % forms.length] ?? ['', rest];
    writeFileSync(join(path, name), content, { mode: 0o600 });
  }
}
