/** socketmap_table(5): netstrings with the name of a table and a key, answered by netstrings. */

import { isMapName } from '../model/lookupMaps.ts';
import type { Speaker } from '../texts/speaker.ts';
import type { Lookups } from './lookups.ts';
import type { Cut, QuestionDialogue } from './questions.ts';

/** Of a request or a reply, without the netstring around it; socketmap_table(5) has it for replies. */
export const LONGEST_NETSTRING = 100_000;

const COLON = 0x3a;
const COMMA = 0x2c;
const ZERO = 0x30;
const NINE = 0x39;

/** The first netstring: its length in digits, a colon, so many octets, a comma. */
export function cutNetstring(octets: Buffer): Cut {
  let length = 0;
  for (let at = 0; at < octets.length; at++) {
    const octet = octets[at] ?? 0;
    if (octet === COLON && at > 0) return cutContent(octets, at + 1, length);
    if (octet < ZERO || octet > NINE) return { kind: 'malformed', reason: 'a netstring that begins with no length' };
    if (at > 0 && length === 0) return { kind: 'malformed', reason: 'a netstring whose length begins with 0' };
    length = length * 10 + octet - ZERO;
    if (length > LONGEST_NETSTRING) return { kind: 'malformed', reason: 'a netstring that is too long' };
  }
  return { kind: 'part' };
}

function cutContent(octets: Buffer, start: number, length: number): Cut {
  const end = start + length;
  if (octets.length <= end) return { kind: 'part' };
  if (octets[end] !== COMMA) return { kind: 'malformed', reason: 'a netstring without a comma at its end' };
  return { kind: 'whole', request: octets.subarray(start, end), end: end + 1 };
}

/** `OK <value>`, `NOTFOUND `, `TEMP <reason>` or `PERM <reason>`. */
export async function answerSocketmap(request: Buffer, lookups: Lookups, speaker: Speaker): Promise<string> {
  const space = request.indexOf(' ');
  if (space < 0) return `PERM ${speaker.say('a name of a table, a space and a key are wanted', {}, 'en')}`;
  const name = request.toString('latin1', 0, space);
  if (!isMapName(name)) return `PERM ${speaker.say('there is no table of that name', {}, 'en')}`;
  const found = await lookups.find(name, request.toString('utf8', space + 1));
  switch (found.kind) {
    case 'found':
      return Buffer.byteLength(found.value) + 3 <= LONGEST_NETSTRING ? `OK ${found.value}` : tooLong(speaker);
    case 'none':
      return 'NOTFOUND ';
    case 'later':
      return `TEMP ${speaker.say(found.fault.text, found.fault.values, 'en')}`;
  }
}

/** Mail waits until somebody has made the list shorter. */
function tooLong(speaker: Speaker): string {
  return `TEMP ${speaker.say('the answer is too long', {}, 'en')}`;
}

export function netstring(content: string): Buffer {
  const octets = Buffer.from(content);
  return Buffer.concat([Buffer.from(`${octets.length}:`), octets, Buffer.from(',')]);
}

export function socketmapDialogue(lookups: Lookups, speaker: Speaker): QuestionDialogue {
  const late = netstring(`TIMEOUT ${speaker.say('no answer in time', {}, 'en')}`);
  return {
    cut: cutNetstring,
    answer: async (request) => netstring(await answerSocketmap(request, lookups, speaker)),
    late: () => late,
  };
}
