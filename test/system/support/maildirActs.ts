/** What the crash tests do to a Maildir, in this process or, as `node maildirActs.ts FOLDER ACT CALL FATE`, in one that doesn't live to the end. */
import fs from 'node:fs';
import { join } from 'node:path';
import { createFileStore, type FileStore } from '../../../src/maildrops/index.ts';
import { Fault } from '../../../src/model/fault.ts';
import { silent } from '../../../src/model/log.ts';
import { type Disk, disk as hostDisk } from '../../../src/os/disk.ts';
import { type Fate, faultyDisk } from '../../faultyDisk.ts';
import { envelope, mailboxNamed, text } from '../../support/mail.ts';

export const mailbox = mailboxNamed('abc@kvt.dk');

export function storeIn(folder: string, disk: Disk = hostDisk): FileStore {
  for (const name of ['state', 'run']) fs.mkdirSync(join(folder, name), { recursive: true });
  return createFileStore({
    root: join(folder, 'root'),
    home: 'Mail/mailbox',
    systemSpool: join(folder, 'spool'),
    format: 'maildir',
    statusHeader: 'always',
    stateDir: join(folder, 'state'),
    runDir: join(folder, 'run'),
    disk,
    log: silent,
    now: Date.now,
  });
}

export const acts = {
  /** Of five messages, the second and fourth go and the first was read. */
  async removeTwo(store: FileStore): Promise<void> {
    await using maildrop = await store.open(mailbox);
    const [one, two, , four] = maildrop.messages;
    if (!one || !two || !four) throw new Error('too few messages');
    await maildrop.update(new Set([two, four]), new Set([one]));
  },
  async removeOne(store: FileStore): Promise<void> {
    await using maildrop = await store.open(mailbox);
    await maildrop.update(new Set(maildrop.messages.slice(1, 2)), new Set());
  },
  async removeAll(store: FileStore): Promise<void> {
    await using maildrop = await store.open(mailbox);
    await maildrop.update(new Set(maildrop.messages), new Set());
  },
  async open(store: FileStore): Promise<void> {
    await (await store.open(mailbox))[Symbol.asyncDispose]();
  },
  async deliver(store: FileStore): Promise<void> {
    await store.deliver(mailbox, [text('delivered')], envelope);
  },
} as const;

export type Act = keyof typeof acts;

if (import.meta.main) {
  const [folder = '', act = 'open', at = '0', fate = 'kill'] = process.argv.slice(2);
  const store = storeIn(folder, faultyDisk(Number(at), fate as Fate).disk);
  try {
    await acts[act as Act](store);
    console.log('done');
  } catch (thrown) {
    console.log(thrown instanceof Fault ? thrown.kind : String(thrown));
  }
}
