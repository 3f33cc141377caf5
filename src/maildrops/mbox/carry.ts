/** A whole mbox at once, for a mailbox that changes its format: its messages as they leave, and a new file made of those that come. */
import fs from 'node:fs';
import { editFields } from '../../message/fields.ts';
import { fieldValues, isWhiteSpace } from '../../message/header.ts';
import type { Octets } from '../../model/octets.ts';
import type { Disk } from '../../os/disk.ts';
import { type Carried, type Flags, headerOf, type Print, printOf } from '../carried.ts';
import type { Owner } from '../folders.ts';
import type { Context } from './context.ts';
import { markOf } from './fileMark.ts';
import { type Held, withMailbox } from './mailboxFile.ts';
import { unquoter } from './quoting.ts';
import { readingOf, refresh } from './refresh.ts';
import { OLD, QUOTED, READ } from './rows.ts';
import { type Scan, scanFile } from './scan.ts';
import { storedForm } from './storedForm.ts';
import { Retired } from './uniqueIds.ts';

const PIECE = 262_144;
const { O_RDONLY, O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = fs.constants;

export interface Leaving {
  readonly messages: readonly Carried[];
  /** Of the file, in octets. */
  readonly size: number;
  /** Of those, how many at its start are no message. */
  readonly preamble: number;
}

/** Hands all messages of the mailbox to `work`, and holds both locks meanwhile. `undefined`: there is no mailbox. */
export function holding<T>(context: Context, path: string, work: (leaving: Leaving | undefined) => Promise<T>): Promise<T> {
  return withMailbox(context, path, { access: 'write', create: false }, async (held) => {
    if (held === undefined) return work(undefined);
    const scan = await refresh(context, held);
    return work({ messages: carried(context.disk, held.fd, scan), size: scan.file.size, preamble: scan.preamble });
  });
}

/**
 * Takes what somebody has added behind the first `size` octets of an mbox that is no longer in use, and hands it to `keep`; the file is
 * then as it was. Both locks are held meanwhile.
 */
export async function takeAdded(context: Context, path: string, size: number, keep: (message: Carried) => Promise<void>): Promise<number> {
  if ((context.disk.stat(path)?.size ?? 0) <= size) return 0;
  return withMailbox(context, path, { access: 'write', create: false }, async (held: Held | undefined) => {
    if (held === undefined) return 0;
    const { disk } = context;
    const scan = await scanFile(readingOf(context, held.fd), markOf(held.look()), undefined, new Retired());
    const added = carried(disk, held.fd, scan).filter((_, row) => scan.rows.start(row) >= size);
    for (const message of added) await keep(message);
    if (added.length === 0) return 0;
    disk.truncate(held.fd, size);
    await disk.sync(held.fd);
    return added.length;
  });
}

function carried(disk: Disk, fd: number, { rows, count }: Scan): Carried[] {
  return Array.from({ length: count }, (_, row) => {
    const content = (): Octets => contentOf(disk, fd, rows.content(row), rows.end(row), rows.has(row, QUOTED));
    return {
      uniqueId: rows.uniqueId(row),
      receivedAtMs: rows.receivedAtMs(row),
      flags: () => flagsOf(content(), rows.has(row, READ), rows.has(row, OLD)),
      content,
    };
  });
}

async function* contentOf(disk: Disk, fd: number, from: number, to: number, quoted: boolean): AsyncGenerator<Uint8Array, void> {
  const unquote = quoted ? unquoter() : undefined;
  for (let at = from; at < to; ) {
    const piece = Buffer.allocUnsafeSlow(Math.min(PIECE, to - at));
    const got = await disk.readLater(fd, piece, 0, piece.length, at);
    if (got === 0) throw new Error('the file became shorter while it was read');
    at += got;
    if (unquote === undefined) yield piece.subarray(0, got);
    else yield* unquote.push(piece.subarray(0, got));
  }
  if (unquote !== undefined) yield* unquote.end();
}

/** X-Status: as mutt, pine and Dovecot write it: A answered, F flagged, T draft, D deleted. */
async function flagsOf(content: Octets, seen: boolean, old: boolean): Promise<Flags> {
  const letters = fieldValues(await headerOf(content), 'X-Status').join('');
  const has = (letter: string) => letters.includes(letter);
  return { isNew: !seen && !old, seen, answered: has('A'), flagged: has('F'), draft: has('T'), deleted: has('D') };
}

/**
 * Makes an mbox of these messages at `path`, where nothing is; it would survive a power cut when this resolves, its name excepted.
 * What the old mailbox knew about flags stands in `Status:` and `X-Status:`, and what stood there before does not.
 * @returns for each message what it must be when it is read back. @throws Error with `code`, and what reading them throws
 */
export async function writeMbox(disk: Disk, path: string, owner: Owner | undefined, messages: Iterable<Carried>): Promise<Print[]> {
  const fd = disk.open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  const prints: Print[] = [];
  try {
    if (owner !== undefined) disk.fchown(fd, owner.uid, owner.gid);
    for (const message of messages) {
      const header = await headerOf(message.content());
      const content = withFlags(message.content(), header, await message.flags());
      prints.push(await printOf(content));
      const { first, rest } = await storedForm(content, {
        sender: senderOf(header),
        recipient: '',
        originalRecipient: '',
        receivedAt: new Date(message.receivedAtMs),
      });
      await disk.writeLater(fd, first);
      if (rest !== undefined)
        for (let next = await rest.next(); !next.done; next = await rest.next()) await disk.writeLater(fd, next.value);
    }
    await disk.sync(fd);
  } finally {
    disk.close(fd);
  }
  return prints;
}

function withFlags(content: Octets, header: Buffer, { isNew, seen, answered, flagged, draft, deleted }: Flags): Octets {
  // Nothing can be put before that without changing what it is.
  if (isWhiteSpace(header[0])) return content;
  const letters = [answered && 'A', flagged && 'F', draft && 'T', deleted && 'D'].filter(Boolean).join('');
  const prepend = [];
  if (seen || !isNew || letters !== '') prepend.push({ name: 'Status', value: seen ? 'RO' : 'O' });
  if (letters !== '') prepend.push({ name: 'X-Status', value: letters });
  return editFields(content, { strip: ['Status', 'X-Status'], prepend });
}

function senderOf(header: Buffer): string {
  const [path = ''] = fieldValues(header, 'Return-Path');
  return path.replace(/^<|>$/g, '').replace(/\s+/g, '');
}

/** What sessions will find in the file at `draft` once it is the mailbox at `path`. */
export async function readBack(context: Context, draft: string, path: string): Promise<{ uniqueId: string; print: Print }[]> {
  const { disk } = context;
  const fd = disk.open(draft, O_RDONLY | O_NOFOLLOW);
  try {
    const previous = context.cache.get(path) ?? context.indexes.read(path);
    const scan = await scanFile(readingOf(context, fd), markOf(disk.fstat(fd)), previous, previous?.retired ?? new Retired());
    const found: { uniqueId: string; print: Print }[] = [];
    for (const { uniqueId, content } of carried(disk, fd, scan)) found.push({ uniqueId, print: await printOf(content()) });
    return found;
  } finally {
    disk.close(fd);
  }
}
