/**
 * File names of a Maildir: `<time>.M<microseconds>P<process>_<counter>.<host>,S=<octets>,W=<octets on the wire>:2,<flags>`, as Dovecot
 * writes them; any other name that holds no `/` and doesn't start with a dot is read as well as can be.
 */
import { createHash } from 'node:crypto';

export interface NameFacts {
  /** The base name (before `:`) without its sizes: the same in new/ and cur/, whatever flags or sizes another program adds. */
  readonly uniqueId: string;
  /** `,S=`: octets in the file. */
  readonly size: number | undefined;
  /** `,W=`: octets with CRLF line ends. */
  readonly octets: number | undefined;
  /** Microseconds since 1970, from the time of delivery that a name begins with. */
  readonly receivedAtUs: number | undefined;
}

/** Where Dovecot and we write them. */
const SIZES_AT_END = /,S=(\d{1,15}),W=(\d{1,15})$/;
const SIZE = /,S=(\d{1,15})(?=,|$)/;
const WIRE_SIZE = /,W=(\d{1,15})(?=,|$)/;
/** Dovecot and we write `M…P…`, Postfix `V…I…M…`, qmail a process id. */
const TIME = /^(\d{9,10})\.(?:[^.]*?M(\d{1,6})(?!\d))?/;
const ZERO = 0x30;
const UNIQUE_ID = /^[\x21-\x7e]{1,70}$/;

export function readName(name: string): NameFacts {
  const base = baseOf(name);
  const sizes = readSizes(base);
  const time = TIME.exec(base);
  return {
    uniqueId: UNIQUE_ID.test(sizes.rest) ? sizes.rest : hashed(sizes.rest),
    size: sizes.size,
    octets: sizes.octets,
    receivedAtUs: time === null ? undefined : Number(time[1]) * 1_000_000 + Number(time[2] ?? 0),
  };
}

/** Without what comes after `:`, the same in new/ and cur/. */
export function baseOf(name: string): string {
  const colon = name.indexOf(':');
  return colon === -1 ? name : name.slice(0, colon);
}

/** `,S=` alone, for who has many names and no other use for them. */
export function sizeIn(name: string): number | undefined {
  const start = name.indexOf(',S=');
  if (start === -1) return undefined;
  const from = start + 3;
  let size = 0;
  let at = from;
  for (; at < name.length; at++) {
    const digit = name.charCodeAt(at) - ZERO;
    if (digit < 0 || digit > 9) break;
    size = size * 10 + digit;
  }
  const isWhole = at === name.length || name[at] === ',' || name[at] === ':';
  return isWhole && at > from && at - from <= 15 ? size : undefined;
}

/** `rest`: the name without them. */
function readSizes(base: string): { size: number | undefined; octets: number | undefined; rest: string } {
  const atEnd = SIZES_AT_END.exec(base);
  // A slice shares the memory of the name.
  if (atEnd !== null) return { size: Number(atEnd[1]), octets: Number(atEnd[2]), rest: base.slice(0, atEnd.index) };
  const size = SIZE.exec(base);
  const octets = WIRE_SIZE.exec(base);
  let rest = base;
  for (const field of [size, octets]) if (field !== null) rest = rest.replace(field[0], '');
  return { size: size === null ? undefined : Number(size[1]), octets: octets === null ? undefined : Number(octets[1]), rest };
}

/** Stands for a name that is no valid unique-id (RFC 1939 section 7), or not a unique one. */
export function hashed(name: string): string {
  return createHash('sha256').update(name).digest('base64url');
}

/** The name with the flag S (seen) among its others, which stay in ASCII order; `undefined` where the name says something else after `:`. */
export function withSeen(name: string): string | undefined {
  const colon = name.indexOf(':');
  if (colon === -1) return `${name}:2,S`;
  const info = name.slice(colon + 1);
  if (!info.startsWith('2,')) return undefined;
  const flags = new Set(info.slice(2)).add('S');
  return `${name.slice(0, colon)}:2,${[...flags].sort().join('')}`;
}

/** The name has the flag S (seen). */
export function isSeen(name: string): boolean {
  const colon = name.lastIndexOf(':2,');
  return colon !== -1 && name.includes('S', colon);
}

let counter: number | undefined;
let lastMs = 0;
let inThatMs = 0;

/**
 * A name for a new message, before its sizes are known; never the same twice: not by another process of the host, nor by a later one
 * with the same process id. Of one process, names of the same millisecond sort as they were given.
 */
export function newName(receivedAtMs: number, host: string, now: () => number): string {
  // Time and process id alone don't do: in a container the id is always the same, and a converted mailbox brings old times along.
  counter = (counter ?? 1_000_000 + (Math.floor(now() / 1000) % 8_000_000)) + 1;
  const ms = Math.floor(receivedAtMs);
  inThatMs = ms === lastMs ? Math.min(inThatMs + 1, 999) : 0;
  lastMs = ms;
  const seconds = Math.floor(ms / 1000);
  return `${seconds}.M${(ms - seconds * 1000) * 1000 + inThatMs}P${process.pid}_${counter}.${safeInName(host)}`;
}

function safeInName(host: string): string {
  return host.replaceAll('/', '\\057').replaceAll(':', '\\072').replaceAll(',', '\\054');
}
