/** Finds what became of messages. Files are read line by line, from the first day that is asked for on. */
import { constants, createReadStream, fstatSync, openSync, readdirSync } from 'node:fs';
import { codeOf } from '../../os/disk.ts';
import { dayIn, dayOf, fileOf } from './days.ts';
import { LONGEST_LINE, readRecord, type TraceRecord } from './record.ts';

export interface TraceQuery {
  /** Queue id, Message-ID with or without its brackets, or an id of ours. */
  readonly id?: string | undefined;
  /** Envelope recipient, what it was before aliases, or a mailbox that it led to. */
  readonly recipient?: string | undefined;
  /** ms since 1970. */
  readonly sinceMs?: number | undefined;
  /** So many at most, the newest. */
  readonly most: number;
}

export interface TraceFindings {
  /** By time. */
  readonly records: readonly TraceRecord[];
  /** How many more there are, older ones. */
  readonly left: number;
}

/** @param folders those that aren't there are passed over. @throws Error with `code` */
export async function searchTrace(folders: readonly string[], query: TraceQuery): Promise<TraceFindings> {
  const since = query.sinceMs === undefined ? '' : dayOf(query.sinceMs);
  const days = new Set(folders.flatMap((folder) => daysIn(folder)).filter((day) => day >= since));
  let records: TraceRecord[] = [];
  let left = 0;
  for (const day of [...days].sort()) {
    for (const folder of folders) {
      for await (const line of linesOf(fileOf(folder, day))) {
        const record = mayMatch(line, query) ? readRecord(line) : undefined;
        if (record !== undefined && matches(record, query)) records.push(record);
      }
    }
    // Fronts write side by side, so lines are nearly in order.
    records.sort((one, other) => (one.time < other.time ? -1 : one.time > other.time ? 1 : 0));
    const tooMany = Math.max(0, records.length - query.most);
    left += tooMany;
    records = records.slice(tooMany);
  }
  return { records, left };
}

function daysIn(folder: string): string[] {
  try {
    return readdirSync(folder).flatMap((name) => dayIn(name) ?? []);
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return [];
    throw error;
  }
}

/** One that isn't there, or is no file, has none: who searches may be root, and the folder is somebody else's. */
async function* linesOf(path: string): AsyncGenerator<string> {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ELOOP' || codeOf(error) === 'ENXIO') return;
    throw error;
  }
  const isFile = fstatSync(fd).isFile();
  const stream = createReadStream('', { fd, encoding: 'latin1', highWaterMark: 262_144 });
  if (!isFile) {
    stream.destroy();
    return;
  }
  let rest = '';
  for await (const chunk of stream) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    // No line of ours is so long.
    if (rest.length > 2 * LONGEST_LINE) rest = '';
    yield* lines;
  }
}

/** Spares taking apart most of the others: what is asked for stands there as JSON writes it. */
function mayMatch(line: string, { id, recipient }: TraceQuery): boolean {
  return [bare(id), recipient].every((wanted) => {
    const isPlain = wanted !== undefined && /^[\w.@+$=-]+$/.test(wanted);
    return !isPlain || line.toLowerCase().includes(wanted.toLowerCase());
  });
}

function matches(record: TraceRecord, { id, recipient, sinceMs }: TraceQuery): boolean {
  if (sinceMs !== undefined && Date.parse(record.time) < sinceMs) return false;
  if (id !== undefined && ![record.queueId, record.id, sessionOf(record.id), bare(record.messageId)].includes(bare(id))) return false;
  return recipient === undefined || [record.recipient, record.original, ...record.to].some((name) => isSame(name, recipient));
}

/** Of a transaction `<session>.<n>`. */
function sessionOf(id: string): string {
  return id.replace(/\.\d+$/, '');
}

function bare(id: string | undefined): string | undefined {
  return id?.trim().replace(/^<(.*)>$/, '$1');
}

function isSame(name: string | undefined, wanted: string): boolean {
  return name !== undefined && name.normalize('NFC').toLowerCase() === wanted.normalize('NFC').toLowerCase();
}
