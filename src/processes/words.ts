/** What children say to the supervisor, as it crosses the channel: JSON. Whoever has taken over a child may say anything, so nothing of it is believed unread. */
import { parseDomainName, parseUserName } from '../model/address.ts';
import { catalogue, type Text, type Values } from '../texts/index.ts';
import type { FromFront, FromWorker } from './protocol.ts';

/** Longer than the path of any socket. */
const LONGEST_PATH = 200;
/** Octets that a front publishes at a time. */
const MOST_SHARED = 1_048_576;

export function writeWords(message: FromFront | FromWorker): Buffer {
  const plain = message.kind === 'shared' ? { ...message, octets: Buffer.from(message.octets).toString('base64') } : message;
  return Buffer.from(JSON.stringify(plain));
}

/** `undefined`: nothing that a front says. */
export function readFromFront(octets: Buffer): FromFront | undefined {
  const words = fieldsOf(octets);
  switch (words?.get('kind')) {
    case 'here':
      return { kind: 'here' };
    case 'everybody':
      return { kind: 'everybody' };
    case 'where':
      return whereOf(words);
    case 'explained': {
      const id = words.get('id');
      return isCount(id) ? { kind: 'explained', id, explanation: words.get('explanation') } : undefined;
    }
    case 'shared':
      return sharedOf(words);
    default:
      return words && ofAnyChild(words);
  }
}

/** `undefined`: nothing that a worker says. */
export function readFromWorker(octets: Buffer): FromWorker | undefined {
  const words = fieldsOf(octets);
  switch (words?.get('kind')) {
    case 'here':
      return { kind: 'here' };
    case 'shadow':
      return { kind: 'shadow' };
    case 'leaving':
      return { kind: 'leaving' };
    default:
      return words && ofAnyChild(words);
  }
}

type Words = ReadonlyMap<string, unknown>;

function fieldsOf(octets: Buffer): Words | undefined {
  try {
    const value: unknown = JSON.parse(octets.toString());
    return typeof value === 'object' && value !== null ? new Map(Object.entries(value)) : undefined;
  } catch {
    return undefined;
  }
}

function ofAnyChild(words: Words): Extract<FromFront & FromWorker, { kind: 'ready' | 'told' | 'failed' }> | undefined {
  switch (words.get('kind')) {
    case 'ready':
      return { kind: 'ready' };
    case 'told': {
      const id = words.get('id');
      // The report is read by whoever wants it.
      return isCount(id) ? { kind: 'told', id, report: words.get('report') } : undefined;
    }
    case 'failed': {
      const [text, values, exitCode] = [words.get('text'), words.get('values'), words.get('exitCode')];
      return isText(text) && isValues(values) && isCount(exitCode) && exitCode < 256
        ? { kind: 'failed', text, values, exitCode }
        : undefined;
    }
    default:
      return undefined;
  }
}

function whereOf(words: Words): Extract<FromFront, { kind: 'where' }> | undefined {
  const [id, unreachable, domain, user] = [words.get('id'), words.get('unreachable'), words.get('domain'), words.get('user')];
  if (!isCount(id) || (unreachable !== undefined && !isLine(unreachable, LONGEST_PATH))) return undefined;
  const asked = { kind: 'where', id, unreachable } as const;
  if (typeof domain === 'string' && user === undefined) return parseDomainName(domain) === domain ? { ...asked, domain } : undefined;
  if (typeof user === 'string' && domain === undefined) return parseUserName(user) === user ? { ...asked, user } : undefined;
  return undefined;
}

function sharedOf(words: Words): Extract<FromFront, { kind: 'shared' }> | undefined {
  const octets = words.get('octets');
  if (typeof octets !== 'string' || octets.length > 2 * MOST_SHARED) return undefined;
  return { kind: 'shared', octets: Buffer.from(octets, 'base64').subarray(0, MOST_SHARED) };
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function isLine(value: unknown, longest: number): value is string {
  return typeof value === 'string' && value.length <= longest && !/\p{Cc}/u.test(value);
}

function isText(value: unknown): value is Text {
  return typeof value === 'string' && Object.hasOwn(catalogue, value);
}

function isValues(value: unknown): value is Values {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    Object.values(value).every((one) => typeof one === 'string' || typeof one === 'number')
  );
}
