/**
 * A mailbox in another format, in its place. The new one is made beside it, read back and compared; then the two exchange their names in
 * one step, and the old one is kept under a name of its own. What is under way is written down beside the ids taken over, so that whoever
 * opens the mailbox after a crash brings it to its end or takes it back: at every moment one of the two is in place, and whole.
 *
 * An mbox is locked from the first octet read until the new mailbox is in place. Nothing locks a Maildir: what is delivered to it while it
 * is being copied is looked for afterwards, and carried over.
 */
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Fault } from '../model/fault.ts';
import type { Log } from '../model/log.ts';
import type { Mailbox } from '../model/mailbox.ts';
import { codeOf, type Disk } from '../os/disk.ts';
import type { Carried, Print } from './carried.ts';
import { printOf } from './carried.ts';
import { unwritable } from './faults.ts';
import type { Format, Found } from './locate.ts';
import { carriedFromMaildir, isBeingDelivered, removeMaildir, writeMaildir } from './maildir/carry.ts';
import type { MaildirBackend } from './maildir/index.ts';
import { MaildirMessage } from './maildir/message.ts';
import type { MboxBackend } from './mbox/index.ts';
import { inOrder, merged, shownFor, type TakenOver, type TakenOverIds, type Unfinished } from './takenOver.ts';

export interface ConverterOptions {
  readonly disk: Disk;
  readonly log: Log;
  readonly now: () => number;
  readonly mbox: MboxBackend;
  readonly maildir: MaildirBackend;
  readonly takenOver: TakenOverIds;
}

export interface Conversion {
  readonly messages: number;
  /** Where the old mailbox is. */
  readonly kept: string;
}

export interface Converter {
  /** The caller holds the session lock. @throws Fault exists, temporary, permanent: then the mailbox is as it was, or will be so when it is next opened */
  convert(found: Found, mailbox: Mailbox, to: Format): Promise<Conversion>;
  /** Brings to its end, or takes back, what was interrupted. The caller holds the session lock. @throws Fault temporary */
  finish(mailbox: Mailbox, ids: TakenOver): Promise<void>;
}

/** When to look for what was delivered to the old mailbox; who is writing a message is waited for, but not for ever. */
const LOOKS_MS = [0, 50, 200];
const LOOK_AGAIN_MS = 250;
const PATIENCE_MS = 30_000;
/** A file in tmp/ that nobody has written to for so long is a leftover. */
const IDLE_MS = 60_000;

export function createConverter({ disk, log, now, mbox, maildir, takenOver }: ConverterOptions): Converter {
  const isRoot = process.getuid?.() === 0;
  const draftOf = (path: string): string => `${path}.converting`;

  async function convert({ path: named, format: from }: Found, mailbox: Mailbox, to: Format): Promise<Conversion> {
    if (from === to) throw new Fault('exists', '{path} is {format} already', { values: { path: named, format: to } });
    const path = disk.realpath(named);
    if (disk.lstat(draftOf(path)) !== undefined) throw new Fault('exists', '{path} is in the way', { values: { path: draftOf(path) } });
    const plan = { from, to, path, kept: freeName(`${path}.old-${from}`), size: 0 };
    const messages = await (to === 'maildir' ? mboxToMaildir(named, mailbox, plan) : maildirToMbox(named, mailbox, plan));
    const { kept } = takenOver.of(mailbox)?.unfinished ?? plan;
    await carryLate(mailbox);
    log.info('mailbox.converted', { mailbox: mailbox.name, to, messages, kept });
    return { messages, kept };
  }

  function mboxToMaildir(named: string, mailbox: Mailbox, plan: Unfinished): Promise<number> {
    return mbox.holding(named, async (leaving) => {
      if (leaving === undefined) throw changed(`${named}: is gone`);
      const { size, preamble } = leaving;
      const messages = inOrder(takenOver.of(mailbox), leaving.messages);
      // Whatever it is, it isn't an mbox: its octets would be out of sight.
      if (preamble > 0)
        throw new Fault('permanent', 'the mailbox can not be used', { cause: new Error(`${named}: ${preamble} octets are no message`) });
      await exchange(mailbox, { ...plan, size }, messages, async (draft) => {
        const arrived = await writeMaildir({ disk, owner: ownerOf(mailbox), now }, draft, messages);
        await using drop = await maildir.open({ path: draft, mailbox }, { noStatus: true });
        const found = new Map(drop.messages.map((message) => [message.uniqueId, message]));
        if (found.size !== arrived.length) throw unlike(draft, `${found.size} of ${arrived.length} messages`);
        for (const { uniqueId, print } of arrived) {
          const message = found.get(uniqueId);
          compare(draft, uniqueId, print, message && (await printOf(drop.retrieve(message))));
          if (message?.octets !== print.octets) throw unlike(draft, uniqueId);
        }
        return arrived.map(({ uniqueId }) => uniqueId);
      });
      return messages.length;
    });
  }

  async function maildirToMbox(named: string, mailbox: Mailbox, plan: Unfinished): Promise<number> {
    await using drop = await maildir.open({ path: named, mailbox }, { noStatus: true });
    const messages = inOrder(takenOver.of(mailbox), carriedFromMaildir(drop));
    await exchange(mailbox, plan, messages, async (draft) => {
      const prints = await mbox.writeNew(draft, ownerOf(mailbox), messages);
      const found = await mbox.readBack(draft, named);
      if (found.length !== prints.length) throw unlike(draft, `${found.length} of ${prints.length} messages`);
      for (const [at, { uniqueId, print }] of found.entries()) compare(draft, uniqueId, print, prints[at]);
      return found.map(({ uniqueId }) => uniqueId);
    });
    return messages.length;
  }

  /** @param write makes the new mailbox and returns the unique-ids in it, in the order of `messages` */
  async function exchange(
    mailbox: Mailbox,
    unfinished: Unfinished,
    messages: readonly Carried[],
    write: (draft: string) => Promise<readonly string[]>,
  ): Promise<void> {
    const before = takenOver.of(mailbox);
    const pairs = before?.pairs ?? [];
    const draft = draftOf(unfinished.path);
    await takenOver.put(mailbox, { pairs, unfinished, afterwards: [] });
    try {
      const made = await write(draft);
      const shown = messages.map(({ uniqueId }) => shownFor(before, uniqueId));
      const pairsOf = (owns: readonly string[]) => shown.map((id, at) => [owns[at] ?? '', id] as const);
      // Under its old ids too: who puts the old mailbox back finds that nothing has changed.
      const afterwards = [...pairsOf(made), ...pairsOf(messages.map(({ uniqueId }) => uniqueId))];
      await takenOver.put(mailbox, { pairs, unfinished, afterwards });
      await disk.syncDirectory(dirname(unfinished.path));
      disk.exchange(draft, unfinished.path);
    } catch (error) {
      await takeBack(mailbox, unfinished, pairs);
      throw noExchange(unfinished.path, error) ?? unwritable(error);
    }
    await keepOld(mailbox, unfinished);
  }

  /** The old mailbox gets its name. */
  async function keepOld(mailbox: Mailbox, unfinished: Unfinished): Promise<void> {
    await disk.syncDirectory(dirname(unfinished.path));
    for (;;) {
      try {
        disk.renameNew(draftOf(unfinished.path), unfinished.kept);
        return await disk.syncDirectory(dirname(unfinished.path));
      } catch (error) {
        if (codeOf(error) !== 'EEXIST') throw unwritable(error);
        const ids = takenOver.of(mailbox);
        unfinished = { ...unfinished, kept: freeName(`${unfinished.path}.old-${unfinished.from}`) };
        await takenOver.put(mailbox, { pairs: ids?.pairs ?? [], unfinished, afterwards: ids?.afterwards ?? [] });
      }
    }
  }

  /** Before the exchange: as if nothing had been tried. */
  async function takeBack(mailbox: Mailbox, { path, to }: Unfinished, pairs: TakenOver['pairs']): Promise<void> {
    try {
      const draft = draftOf(path);
      const stats = disk.lstat(draft);
      if (stats !== undefined && stats.isDirectory() === (to === 'maildir')) {
        if (to === 'maildir') removeMaildir(disk, draft);
        else disk.unlink(draft);
      }
      await takenOver.put(mailbox, { pairs, unfinished: undefined, afterwards: [] });
    } catch (error) {
      // Tried again when the mailbox is next opened.
      log.warn('mailbox.conversion-left', { mailbox: mailbox.name, path, error });
    }
  }

  /** After the exchange: looks for what came to the old mailbox meanwhile, and that is the end of it. */
  async function carryLate(mailbox: Mailbox): Promise<void> {
    const startedAtMs = now();
    for (const [at, delayMs] of LOOKS_MS.entries()) {
      await sleep(delayMs);
      const ids = takenOver.of(mailbox);
      if (ids?.unfinished === undefined) return;
      await carryOnce(mailbox, ids, ids.unfinished);
      if (at < LOOKS_MS.length - 1) continue;
      const { kept, from } = ids.unfinished;
      while (from === 'maildir' && isBeingDelivered(disk, kept, startedAtMs - IDLE_MS) && now() - startedAtMs < PATIENCE_MS) {
        await sleep(LOOK_AGAIN_MS);
        await carryOnce(mailbox, ids, ids.unfinished);
      }
      await takenOver.put(mailbox, { pairs: merged(ids.pairs, ids.afterwards), unfinished: undefined, afterwards: [] });
    }
  }

  async function carryOnce(mailbox: Mailbox, { afterwards }: TakenOver, { from, path, kept, size }: Unfinished): Promise<void> {
    let carried = 0;
    if (from === 'mbox') {
      carried = await mbox.takeAdded(kept, size, (message) => deliver(mailbox, path, 'maildir', message));
    } else {
      const converted = new Set(afterwards.map(([own]) => own));
      await using drop = await maildir.open({ path: kept, mailbox }, { noStatus: true });
      const messages = carriedFromMaildir(drop);
      for (const [at, message] of messages.entries()) {
        const file = drop.messages[at];
        if (converted.has(message.uniqueId) || !(file instanceof MaildirMessage)) continue;
        await deliver(mailbox, path, 'mbox', message);
        disk.unlink(`${kept}/${file.file}`);
        carried += 1;
      }
    }
    if (carried > 0) log.info('mailbox.late', { mailbox: mailbox.name, carried, from: kept });
  }

  function deliver(mailbox: Mailbox, path: string, to: Format, message: Carried): Promise<void> {
    const envelope = { sender: '', recipient: '', originalRecipient: '', receivedAt: new Date(message.receivedAtMs) };
    return (to === 'mbox' ? mbox : maildir).deliver({ path, mailbox }, message.content(), envelope);
  }

  async function finish(mailbox: Mailbox, ids: TakenOver): Promise<void> {
    const { unfinished, pairs } = ids;
    if (unfinished === undefined) return;
    const { path, from, to, kept } = unfinished;
    try {
      const inPlace = formatAt(path);
      log.warn('mailbox.conversion-found', { mailbox: mailbox.name, path, from, to, done: inPlace === to });
      if (inPlace === from) return await takeBack(mailbox, unfinished, pairs);
      if (inPlace !== to)
        throw new Error(`${path}: neither the old mailbox nor the new one is there; look for ${draftOf(path)} and ${kept}`);
      if (disk.lstat(draftOf(path)) !== undefined) await keepOld(mailbox, unfinished);
      const now = takenOver.of(mailbox) ?? ids;
      if (disk.lstat(now.unfinished?.kept ?? kept) !== undefined) await carryOnce(mailbox, now, now.unfinished ?? unfinished);
      await takenOver.put(mailbox, { pairs: merged(now.pairs, now.afterwards), unfinished: undefined, afterwards: [] });
    } catch (error) {
      throw unwritable(error);
    }
  }

  function formatAt(path: string): Format | undefined {
    const stats = disk.stat(path);
    return stats?.isDirectory() ? 'maildir' : stats?.isFile() ? 'mbox' : undefined;
  }

  function freeName(wanted: string): string {
    for (let n = 1; ; n++) {
      const name = n === 1 ? wanted : `${wanted}-${n}`;
      if (disk.lstat(name) === undefined) return name;
    }
  }

  function ownerOf({ owner }: Mailbox) {
    return isRoot ? owner : undefined;
  }

  return { convert, finish };
}

function compare(draft: string, uniqueId: string, wanted: Print, found: Print | undefined): void {
  if (found?.octets !== wanted.octets || found.digest !== wanted.digest) throw unlike(draft, uniqueId);
}

function unlike(draft: string, what: string): Error {
  return new Error(`${draft}: not what was written there (${what})`);
}

function changed(why: string): Fault {
  return new Fault('temporary', 'the mailbox was changed by another program', { cause: new Error(why) });
}

function noExchange(path: string, error: unknown): Fault | undefined {
  const code = codeOf(error);
  if (code !== 'EINVAL' && code !== 'ENOSYS') return undefined;
  const cause = new Error(`${path}: two names can't be exchanged in one step on this file system`, { cause: error });
  return new Fault('permanent', 'the mailbox can not be used', { cause });
}
