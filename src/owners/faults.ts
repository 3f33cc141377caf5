/** Faults on the wire: the sentence as its place in the catalogue has it, so that nobody can have others said in our name. */
import { Fault, type FaultKind } from '../model/fault.ts';
import { catalogue, type Text } from '../texts/index.ts';
import type { FrameWriter, Payload } from './codec.ts';
import { Malformed } from './frames.ts';

const everyKind: Record<FaultKind, true> = {
  syntax: true,
  'wrong-state': true,
  'not-found': true,
  exists: true,
  auth: true,
  'login-delay': true,
  'in-use': true,
  'over-quota': true,
  temporary: true,
  permanent: true,
};
const kinds = Object.keys(everyKind) as FaultKind[];

/** By what they say in English; the names in braces, in the order in which their values cross. */
const texts: ReadonlyMap<string, { readonly text: Text; readonly names: readonly string[] }> = new Map(
  Object.keys(catalogue).map((text) => [text, { text: text as Text, names: namesIn(text) }]),
);

const MOST_CAUSE = 2000;
const MOST_VALUE = 1000;

export function writeFault(to: FrameWriter, fault: Fault): void {
  to.u8(kinds.indexOf(fault.kind)).text(fault.text).text(causeOf(fault).slice(0, MOST_CAUSE));
  for (const name of namesIn(fault.text)) {
    const value = Object.hasOwn(fault.values, name) ? fault.values[name] : undefined;
    if (typeof value === 'number') to.u8(1).f64(value);
    else to.u8(0).text((value ?? '').slice(0, MOST_VALUE));
  }
}

/** The cause is what the worker says it is, as a string, and for the log alone. */
export function readFault(from: Payload): Fault {
  const kind = from.oneOf(kinds);
  const known = texts.get(from.text(1000));
  if (known === undefined) throw new Malformed('a text that is not in the catalogue');
  const cause = from.text(4 * MOST_CAUSE);
  const values = Object.fromEntries(known.names.map((name) => [name, from.flag() ? from.f64() : from.text(4 * MOST_VALUE)]));
  return new Fault(kind, known.text, cause === '' ? { values } : { values, cause });
}

/** As a log would tell it. */
function causeOf({ cause }: Fault): string {
  if (typeof cause === 'string') return cause;
  const messages: string[] = [];
  for (let one = cause; one instanceof Error && messages.length < 5; one = one.cause) messages.push(one.message);
  return messages.join(': ');
}

function namesIn(text: string): string[] {
  return Array.from(text.matchAll(/\{(\w+)\}/g), ([, name = '']) => name);
}
