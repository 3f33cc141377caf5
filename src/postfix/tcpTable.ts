/** tcp_table(5): `get <key>` on a line, answered by a line with a number and a text; %XX stands for what is no visible character. */

import type { MapName } from '../model/lookupMaps.ts';
import type { Speaker } from '../texts/speaker.ts';
import type { Lookups } from './lookups.ts';
import type { Cut, QuestionDialogue } from './questions.ts';

/** With its line end, as tcp_table(5) has it for replies. */
const LONGEST_LINE = 4096;

export function cutLine(octets: Buffer, lookedAt: number): Cut {
  const end = octets.indexOf('\n', lookedAt);
  if (end >= LONGEST_LINE || (end < 0 && octets.length >= LONGEST_LINE)) return { kind: 'malformed', reason: 'a line that is too long' };
  return end < 0 ? { kind: 'part' } : { kind: 'whole', request: octets.subarray(0, end), end: end + 1 };
}

/** Without the line end. 500 is taken for "there is no such key" and can bounce mail, so what can't be understood is 400, "try again". */
export async function answerTcpTable(request: Buffer, map: MapName, lookups: Lookups, speaker: Speaker): Promise<string> {
  const [, encoded] = /^get ([\x21-\x7e]*)$/.exec(request.toString('latin1')) ?? [];
  const key = encoded === undefined ? undefined : decoded(encoded);
  if (key === undefined) return reply(400, speaker.say('"get", a space and an encoded key are wanted', {}, 'en'));
  const found = await lookups.find(map, key);
  switch (found.kind) {
    case 'found': {
      const line = reply(200, found.value);
      return line.length < LONGEST_LINE ? line : reply(400, speaker.say('the answer is too long', {}, 'en'));
    }
    case 'none':
      return reply(500, speaker.say('there is no such key', {}, 'en'));
    case 'later':
      return reply(400, speaker.say(found.fault.text, found.fault.values, 'en'));
  }
}

/** `undefined` where a % isn't followed by two hexadecimal digits. */
function decoded(text: string): string | undefined {
  if (!/^(?:[^%]|%[0-9a-f]{2})*$/i.test(text)) return undefined;
  const octets = text.replace(/%(..)/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)));
  return Buffer.from(octets, 'latin1').toString();
}

function reply(code: number, text: string): string {
  const octets = Buffer.from(text).toString('latin1');
  return `${code} ${octets.replace(/[^\x21-\x7e]|%/g, (octet) => `%${octet.charCodeAt(0).toString(16).padStart(2, '0')}`)}`;
}

export function tcpTableDialogue(map: MapName, lookups: Lookups, speaker: Speaker): QuestionDialogue {
  const late = Buffer.from(`${reply(400, speaker.say('no answer in time', {}, 'en'))}\n`);
  return {
    cut: cutLine,
    answer: async (request) => Buffer.from(`${await answerTcpTable(request, map, lookups, speaker)}\n`),
    late: () => late,
  };
}
