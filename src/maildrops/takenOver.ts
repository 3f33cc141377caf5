/**
 * Unique-ids that a mailbox has from another one, or from itself in another format: what clients have been shown for a message stays what
 * they are shown. One file for each such mailbox, `taken-over/<domain>/<user>` in the state folder; most have none, and that costs one stat.
 *
 * Its lines: `<id in the mailbox> <id shown>`, in the order that messages are to have; `- <id shown>` for one that is used up; and while
 * the mailbox is being converted, what is being done in a line before all others and, after a line `then`, what holds once it is done.
 */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { dirname } from 'node:path';
import type { Mailbox } from '../model/mailbox.ts';
import type { Maildrop, MaildropMessage } from '../model/maildrop.ts';
import { replaceFile } from '../os/atomicFile.ts';
import type { Disk } from '../os/disk.ts';
import { makeFolders } from './folders.ts';
import type { Format } from './locate.ts';

/** A conversion that has been begun and not been brought to its end. */
export interface Unfinished {
  readonly from: Format;
  readonly to: Format;
  /** Of the mailbox; links are resolved. */
  readonly path: string;
  /** What the old mailbox is called afterwards. */
  readonly kept: string;
  /** Of the old mailbox when everything in it had been copied; octets; 0 for a Maildir. */
  readonly size: number;
}

type Pair = readonly [own: string, shown: string];

export interface TakenOver {
  readonly pairs: readonly Pair[];
  readonly unfinished: Unfinished | undefined;
  /** What holds once the conversion is done. */
  readonly afterwards: readonly Pair[];
  /** By id in the mailbox. */
  readonly shown: ReadonlyMap<string, string>;
  /** Ids that are given, or were. */
  readonly used: ReadonlySet<string>;
}

const USED_UP = '-';
const PAIR = /^([\x21-\x7e]{1,70}) ([\x21-\x7e]{1,70})$/;
const CONVERTING = 'converting ';
const THEN = 'then';
/** Pairs that are remembered between sessions, over all mailboxes. */
const REMEMBERED = 100_000;

export class TakenOverIds {
  readonly #disk: Disk;
  readonly #folder: string;
  readonly #known = new Map<string, { readonly stamp: string; readonly ids: TakenOver }>();
  #weight = 0;

  /** @param folder made when it is first needed */
  constructor(disk: Disk, folder: string) {
    this.#disk = disk;
    this.#folder = folder;
  }

  /** `undefined`: none. @throws Error with `code` */
  of(mailbox: Mailbox): TakenOver | undefined {
    const path = this.#fileOf(mailbox);
    const stats = this.#disk.stat(path);
    if (stats === undefined) return undefined;
    const stamp = `${stats.ino}:${stats.size}:${stats.mtimeNs}:${stats.ctimeNs}`;
    const known = this.#known.get(path);
    if (known?.stamp === stamp) return known.ids;
    const ids = parse(this.#read(path));
    this.#remember(path, stamp, ids);
    return ids;
  }

  /** Resolves when it would survive a power cut. @throws Error with `code` */
  async put(mailbox: Mailbox, { pairs, unfinished, afterwards }: Pick<TakenOver, 'pairs' | 'unfinished' | 'afterwards'>): Promise<void> {
    const path = this.#fileOf(mailbox);
    await makeFolders(this.#disk, dirname(path), undefined);
    const lines = pairs.map(([own, shown]) => `${own} ${shown}\n`);
    if (unfinished !== undefined) lines.unshift(`${CONVERTING}${JSON.stringify(unfinished)}\n`);
    if (afterwards.length > 0) lines.push(`${THEN}\n`, ...afterwards.map(([own, shown]) => `${own} ${shown}\n`));
    await replaceFile(this.#disk, path, Buffer.from(lines.join('')), 0o600);
  }

  /** `@` begins no domain, so system users have a folder of their own. */
  #fileOf({ domain, user }: Mailbox): string {
    return `${this.#folder}/${domain ?? '@'}/${user}`;
  }

  #read(path: string): string {
    const fd = this.#disk.open(path, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW);
    try {
      const octets = Buffer.allocUnsafe(this.#disk.fstat(fd).size);
      return octets.toString('utf8', 0, this.#disk.read(fd, octets, 0, octets.length, 0));
    } finally {
      this.#disk.close(fd);
    }
  }

  #remember(path: string, stamp: string, ids: TakenOver): void {
    this.#weight += ids.used.size - (this.#known.get(path)?.ids.used.size ?? 0);
    this.#known.delete(path);
    this.#known.set(path, { stamp, ids });
    for (const [oldest, { ids: dropped }] of this.#known) {
      if (this.#weight <= REMEMBERED) return;
      this.#known.delete(oldest);
      this.#weight -= dropped.used.size;
    }
  }
}

/** Lines that are none are passed over. */
function parse(text: string): TakenOver {
  const pairs: Pair[] = [];
  const afterwards: Pair[] = [];
  let into = pairs;
  let unfinished: Unfinished | undefined;
  for (const line of text.split('\n')) {
    if (line === THEN) into = afterwards;
    else if (line.startsWith(CONVERTING)) unfinished = JSON.parse(line.slice(CONVERTING.length)) as Unfinished;
    else {
      const [, own, shown] = PAIR.exec(line) ?? [];
      if (own !== undefined && shown !== undefined) into.push([own, shown]);
    }
  }
  return {
    pairs,
    unfinished,
    afterwards,
    shown: new Map(pairs.filter(([own]) => own !== USED_UP)),
    used: new Set(pairs.map(([, shown]) => shown)),
  };
}

/** What a conversion leaves: the ids of messages that are there now, and that all others are used up. */
export function merged(before: readonly Pair[], now: readonly Pair[]): Pair[] {
  const still = new Set(now.map(([, shown]) => shown));
  const gone = before.filter(([, shown]) => !still.has(shown)).map(([, shown]): Pair => [USED_UP, shown]);
  return [...gone, ...now];
}

/** What is shown for a message that has this id in its mailbox. */
export function shownFor(ids: TakenOver | undefined, own: string): string {
  const taken = ids?.shown.get(own);
  if (taken !== undefined) return taken;
  // Another message has been shown under it.
  return ids?.used.has(own) ? createHash('sha256').update(`${own} again`).digest('base64url') : own;
}

/** Messages whose ids were taken over first, in the order they had; the others after them, as they are. */
export function inOrder<T extends { readonly uniqueId: string }>(ids: TakenOver | undefined, messages: readonly T[]): readonly T[] {
  if (ids === undefined) return messages;
  const place = new Map(ids.pairs.map(([own], at) => [own, at]));
  const placeOf = ({ uniqueId }: T): number => place.get(uniqueId) ?? ids.pairs.length;
  return [...messages].sort((one, other) => placeOf(one) - placeOf(other));
}

/** The maildrop as clients know it. */
export function withTakenOver(maildrop: Maildrop, ids: TakenOver): Maildrop {
  const inside = new Map<MaildropMessage, MaildropMessage>();
  const messages = inOrder(ids, maildrop.messages).map((original): MaildropMessage => {
    const { octets, receivedAtMs, wasRead = false } = original;
    const message = { uniqueId: shownFor(ids, original.uniqueId), octets, receivedAtMs, wasRead };
    inside.set(message, original);
    return message;
  });
  const originalOf = (message: MaildropMessage): MaildropMessage => inside.get(message) ?? message;
  const allOf = (some: ReadonlySet<MaildropMessage>): Set<MaildropMessage> => new Set(Array.from(some, originalOf));
  return {
    messages,
    retrieve: (message) => maildrop.retrieve(originalOf(message)),
    update: (deleted, retrieved) => maildrop.update(allOf(deleted), allOf(retrieved)),
    [Symbol.asyncDispose]: () => maildrop[Symbol.asyncDispose](),
  };
}
