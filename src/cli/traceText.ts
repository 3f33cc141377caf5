/** What became of a message, for people. */
import type { TraceRecord } from '../delivery/trace/record.ts';
import type { Text, Values } from '../texts/index.ts';

type Say = (text: Text, values?: Values) => string;

const heads = {
  delivered: '{time} delivered: from {sender} to {recipient}',
  deferred: '{time} to be tried again: from {sender} to {recipient}',
  refused: '{time} refused: from {sender} to {recipient}',
} as const satisfies Record<TraceRecord['result'], Text>;

/** Lines, without line ends. */
export function traceText(record: TraceRecord, say: Say): string[] {
  const { time, result, id, queueId, messageId, sender, recipient, original, client, steps, to, why, octets } = record;
  const facts: string[] = [];
  if (why !== undefined) facts.push(say('why: {reason}', { reason: why }));
  if (original !== undefined && original !== recipient) facts.push(say('before aliases: {address}', { address: original }));
  for (const [rule, outcome] of steps) facts.push(say('rule: {rule}: {outcome}', { rule, outcome }));
  if (to.length > 0) facts.push(say('goes to: {names}', { names: to.join(', ') }));
  if (octets !== undefined) facts.push(say('message: {octets} octets, {id}', { octets, id: messageId ?? '-' }));
  facts.push(
    queueId === undefined
      ? say('from host {client}, here {id}', { client, id })
      : say('from host {client}, queue id {queueId}, here {id}', { client, queueId, id }),
  );
  const head = say(heads[result], { time: time.replace('T', ' ').replace(/\.\d+Z$/, 'Z'), sender: sender || '<>', recipient });
  return [head, ...facts.map((fact) => `  ${fact}`)].map(printable);
}

/** What a sender chose must not speak to the terminal. */
function printable(line: string): string {
  return line.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (c) => `\\u{${c.codePointAt(0)?.toString(16) ?? ''}}`);
}
