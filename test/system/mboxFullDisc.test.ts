/** A file system of one megabyte with less and less room in it: mail is refused or kept, and the mailbox is never damaged. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Fault } from '../../src/model/fault.ts';
import { envelope, text } from '../support/mail.ts';
import { whole } from '../support/mailOctets.ts';
import { type Bench, benchIn, placeIn } from './support/mboxActs.ts';

const PAGE = 4096;
const MESSAGES = 60;
const numbers = Array.from({ length: MESSAGES }, (_, n) => `message ${n}`);

function smallDisc(t: TestContext): string | undefined {
  const folder = fs.mkdtempSync(join(tmpdir(), 'postkasse-full-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m,mode=700', 'postkasse-test', folder], { stdio: 'pipe' });
  } catch (error) {
    fs.rmdirSync(folder);
    t.skip(`needs to mount a tmpfs: ${error instanceof Error ? error.message.split('\n')[0] : error}`);
    return undefined;
  }
  t.after(() => {
    execFileSync('umount', [folder]);
    fs.rmdirSync(folder);
  });
  return folder;
}

/** Leaves room for so many pages, and whatever the file system rounds. */
function leave(folder: string, pages: number): void {
  const filler = join(folder, 'filler');
  fs.rmSync(filler, { force: true });
  const { bavail, bsize } = fs.statfsSync(folder);
  const size = bavail * bsize - pages * PAGE;
  if (size > 0) fs.writeFileSync(filler, Buffer.alloc(size));
}

async function attempt(act: () => Promise<void>): Promise<'done' | 'temporary'> {
  try {
    await act();
    return 'done';
  } catch (thrown) {
    assert.ok(thrown instanceof Fault && thrown.kind === 'temporary', String(thrown));
    return 'temporary';
  }
}

async function subjectsIn({ folder, backend }: Bench): Promise<string[]> {
  await using maildrop = await backend.open(placeIn(folder), {});
  const subjects: string[] = [];
  for (const message of maildrop.messages) {
    const octets = (await whole(maildrop.retrieve(message))).toString('latin1');
    assert.match(octets, /^Subject: [a-z]+ \d+\n(Status: R?O\n)?\n(x{70}\n){40}$/);
    subjects.push(/^Subject: (.*)\n/.exec(octets)?.[1] ?? '');
  }
  return subjects;
}

const letter = (subject: string): Buffer => text(subject, `${'x'.repeat(70)}\r\n`.repeat(40));

for (const linked of [false, true]) {
  test(`every second message goes from a ${linked ? 'linked ' : ''}mailbox on a disc that is nearly full`, async (t) => {
    const folder = smallDisc(t);
    if (folder === undefined) return;
    const seen = new Set<string>();
    for (const pages of [0, 1, 2, 3, 4, 6, 10, 20, 21, 22, 23, 24, 25, 26, 27, 28, 30, 45, 60]) {
      for (const name of fs.readdirSync(folder)) fs.rmSync(join(folder, name), { recursive: true });
      const bench = benchIn(folder);
      for (const subject of numbers) await bench.backend.deliver(placeIn(folder), [letter(subject)], envelope);
      if (linked) fs.linkSync(placeIn(folder).path, join(folder, 'second-name'));
      const before: Buffer = fs.readFileSync(placeIn(folder).path);
      leave(folder, pages);
      const said = await attempt(async () => {
        await using maildrop = await bench.backend.open(placeIn(folder), {});
        await maildrop.update(new Set(maildrop.messages.filter((_, n) => n % 2 === 1)), new Set());
      });
      seen.add(said);
      if (said === 'temporary') assert.ok(fs.readFileSync(placeIn(folder).path).equals(before), `${pages} pages: changed`);
      assert.deepEqual(fs.readdirSync(join(folder, 'spool')), ['abc']);
      const expected = said === 'done' ? numbers.filter((_, n) => n % 2 === 0) : numbers;
      assert.deepEqual(await subjectsIn(benchIn(folder)), expected, `${pages} pages, ${said}`);
      // The old file is kept open for late writers, and takes its room until then.
      await bench.backend.close();
    }
    assert.deepEqual([...seen].sort(), ['done', 'temporary'], 'both have been met');
  });
}

test('deliveries until the disc is full, and after room is made', async (t) => {
  const folder = smallDisc(t);
  if (folder === undefined) return;
  const bench = benchIn(folder);
  leave(folder, 40);
  const kept: string[] = [];
  let refused = 0;
  for (let n = 0; refused < 5; n++) {
    const subject = `letter ${n}`;
    if ((await attempt(() => bench.backend.deliver(placeIn(folder), [letter(subject)], envelope))) === 'done') kept.push(subject);
    else refused += 1;
  }
  assert.ok(kept.length > 10);
  assert.deepEqual(await subjectsIn(bench), kept);
  assert.deepEqual(await subjectsIn(benchIn(folder)), kept);
  // Who deletes the last messages makes room without needing any.
  await using maildrop = await bench.backend.open(placeIn(folder), {});
  await maildrop.update(new Set(maildrop.messages.slice(-3)), new Set());
  await bench.backend.deliver(placeIn(folder), [letter('letter 1000')], envelope);
  assert.deepEqual(await subjectsIn(benchIn(folder)), [...kept.slice(0, -3), 'letter 1000']);
});
