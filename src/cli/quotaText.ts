/** What a mailbox or a domain holds, and may hold, for people. */
import type { Standing } from '../model/quota.ts';
import { formatSize } from '../model/sizeText.ts';
import type { Text, Values } from '../texts/index.ts';

type Say = (text: Text, values?: Values) => string;

/** Lines, without line ends. */
export function quotaText(name: string, { usage: { octets, messages }, limit }: Standing, say: Say): string[] {
  const used =
    messages === undefined
      ? say('{name} holds {octets} octets ({size})', { name, octets, size: formatSize(octets) })
      : say('{name} holds {octets} octets ({size}) in {messages} messages', { name, octets, size: formatSize(octets), messages });
  if (limit === undefined) return [used, say('limit: none')];
  const percent = limit === 0 ? 100 : Math.floor((octets / limit) * 100);
  return [used, say('limit: {octets} octets ({size}), {percent} % of it used', { octets: limit, size: formatSize(limit), percent })];
}
