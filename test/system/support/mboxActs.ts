/** What the crash tests do to an mbox, in this process or, as `node mboxActs.ts FOLDER ACT CALL FATE`, in one that doesn't live to the end. */
import fs from 'node:fs';
import { join } from 'node:path';
import { createMboxBackend, type MboxBackend } from '../../../src/maildrops/mbox/index.ts';
import { Fault } from '../../../src/model/fault.ts';
import { silent } from '../../../src/model/log.ts';
import { type Disk, disk as hostDisk } from '../../../src/os/disk.ts';
import { type Fate, faultyDisk } from '../../faultyDisk.ts';
import { envelope, mailboxNamed, text } from '../../support/mail.ts';

/** `spool/abc` is the mailbox, below a folder that a first delivery makes. */
export function placeIn(folder: string): { path: string; mailbox: ReturnType<typeof mailboxNamed> } {
  return { path: join(folder, 'spool', 'abc'), mailbox: mailboxNamed('abc@kvt.dk') };
}

export interface Bench {
  readonly folder: string;
  readonly backend: MboxBackend;
}

export function benchIn(folder: string, disk: Disk = hostDisk): Bench {
  const stateDir = join(folder, 'state');
  fs.mkdirSync(stateDir, { recursive: true });
  const backend = createMboxBackend({ disk, log: silent, now: clockFor(folder), stateDir, statusHeader: 'rewrite', lockTimeoutMs: 2000 });
  return { folder, backend };
}

/** Killed between making its lock file and signing it, a process leaves one that counts for two more seconds. */
function clockFor(folder: string): () => number {
  const lock = `${placeIn(folder).path}.lock`;
  const signed = !fs.existsSync(lock) || (fs.statSync(lock).mode & 0o777) === 0o444;
  return signed ? Date.now : () => Date.now() + 3000;
}

/** Message-numbers that go, after `meanwhile`; message 1 was read if it stays. */
async function remove({ folder, backend }: Bench, numbers: readonly number[], meanwhile = (_path: string): void => {}): Promise<void> {
  const place = placeIn(folder);
  await using maildrop = await backend.open(place, {});
  const chosen = maildrop.messages.filter((_, index) => numbers.includes(index + 1));
  if (chosen.length !== numbers.length) throw new Error('too few messages');
  meanwhile(place.path);
  await maildrop.update(new Set(chosen), new Set(maildrop.messages.slice(0, 1)));
}

export const lateMail = 'From late@example.org Thu Nov 24 18:22:48 1986\nSubject: late\n\nHello.\n\n';
const append = (path: string): void => fs.appendFileSync(path, lateMail);

export const acts = {
  removeLast: (bench) => remove(bench, [5]),
  removeTwo: (bench) => remove(bench, [2, 4]),
  removeAll: (bench) => remove(bench, [1, 2, 3, 4, 5]),
  removeAllWithAppend: (bench) => remove(bench, [1, 2, 3, 4, 5], append),
  async open({ folder, backend }) {
    await (await backend.open(placeIn(folder), {}))[Symbol.asyncDispose]();
  },
  deliver: ({ folder, backend }) => backend.deliver(placeIn(folder), [text('delivered')], envelope),
  /** Larger than what is written in one call. */
  deliverLarge: ({ folder, backend }) => backend.deliver(placeIn(folder), large(), envelope),
  /** They share locks and fsync. Rejected when one of them is. */
  async deliverThree({ folder, backend }) {
    const all = ['a', 'b', 'c'].map((subject) => backend.deliver(placeIn(folder), [text(subject)], envelope));
    const failed = (await Promise.allSettled(all)).find((one) => one.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  },
} as const satisfies Record<string, (bench: Bench) => Promise<void>>;

export type Act = keyof typeof acts;

function* large(): Generator<Buffer> {
  yield text('large', '');
  for (let n = 0; n < 3; n++) yield Buffer.alloc(600_000, `${n}${'x'.repeat(58)}\n`);
}

if (import.meta.main) {
  const [folder = '', act = 'open', at = '0', fate = 'kill'] = process.argv.slice(2);
  const bench = benchIn(folder, faultyDisk(Number(at), fate as Fate).disk);
  try {
    await acts[act as Act](bench);
    console.log('done');
  } catch (thrown) {
    console.log(thrown instanceof Fault ? thrown.kind : String(thrown));
  }
}
