/** After any single step of an update, a delivery or their repair the process is gone or the disc is full; each message is there once. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Fault } from '../../src/model/fault.ts';
import { fetched } from '../contracts/maildropStore.ts';
import { type Fate, faultyDisk } from '../faultyDisk.ts';
import { envelope, text } from '../support/mail.ts';
import { type Act, acts, benchIn, lateMail, placeIn } from './support/mboxActs.ts';

const script = join(import.meta.dirname, 'support/mboxActs.ts');
/** Most of the time goes into starting processes. */
const twoAtATime = { concurrency: 2 };
const subjects = ['one', 'two', 'three', 'four', 'five'];

/** How the mailbox lies in the folder before. */
const layouts = {
  none: async () => undefined,
  file: fill,
  /** In a place of its own, and reached by a link: it can only be changed in place. */
  async link(folder: string) {
    await fill(folder);
    fs.mkdirSync(join(folder, 'home'));
    fs.renameSync(join(folder, 'spool/abc'), join(folder, 'home/mailbox'));
    fs.symlinkSync('../home/mailbox', join(folder, 'spool/abc'));
  },
  /** A crash has taken the end of the last message. */
  async torn(folder: string) {
    await fill(folder);
    fs.truncateSync(placeIn(folder).path, fs.statSync(placeIn(folder).path).size - 4);
  },
};
type Layout = keyof typeof layouts;

async function fill(folder: string): Promise<void> {
  const { backend } = benchIn(folder);
  for (const subject of subjects) await backend.deliver(placeIn(folder), [text(subject)], envelope);
}

/** A copy of it each time costs less than delivering anew. */
class Model {
  readonly #t: TestContext;
  readonly #folder: string;

  private constructor(t: TestContext, folder: string) {
    this.#t = t;
    this.#folder = folder;
  }

  static async make(t: TestContext, layout: Layout): Promise<Model> {
    const model = new Model(t, folderFor(t));
    await layouts[layout](model.#folder);
    return model;
  }

  copy(): string {
    const folder = folderFor(this.#t);
    fs.cpSync(this.#folder, folder, { recursive: true, verbatimSymlinks: true });
    return folder;
  }
}

function folderFor(t: TestContext): string {
  const folder = fs.mkdtempSync(join(tmpdir(), 'postkasse-crash-'));
  t.after(() => fs.rmSync(folder, { recursive: true }));
  return folder;
}

/** In a process of its own; what it had to say at the end, and nothing when it was killed. */
function run(folder: string, act: Act, at: number, fate: Fate): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [script, folder, act, String(at), fate], (error, stdout, stderr) => {
      if (error && error.signal !== 'SIGKILL') reject(new Error(stderr));
      else resolve(stdout.trim());
    });
  });
}

async function inThisProcess(folder: string, act: Act, at: number, fate: Fate): Promise<string> {
  const bench = benchIn(folder, faultyDisk(at, fate).disk);
  try {
    await acts[act](bench);
    return 'done';
  } catch (thrown) {
    return thrown instanceof Fault ? thrown.kind : String(thrown);
  } finally {
    await bench.backend.close();
  }
}

/** The mutating calls the act makes when nothing fails. */
async function callsOf(folder: string, act: Act): Promise<readonly string[]> {
  const counting = faultyDisk(0, 'kill');
  const bench = benchIn(folder, counting.disk);
  await acts[act](bench);
  await bench.backend.close();
  return counting.calls;
}

/** What is there for a process that begins now: the subjects, and of each message all of it is as it was sent. */
async function found(folder: string): Promise<string[]> {
  const { backend } = benchIn(folder);
  await using maildrop = await backend.open(placeIn(folder), {});
  const all: string[] = [];
  for (const message of maildrop.messages) {
    const octets = await fetched(maildrop, message);
    assert.equal(octets.length, message.octets);
    const subject = /^Subject: (.*)\r\n/.exec(octets.toString('latin1'))?.[1] ?? octets.toString('latin1');
    const bare = octets.toString('latin1').replace(/^Status: R?O\r\n/m, '');
    if (subject !== 'large') assert.equal(bare, text(subject).toString('latin1'));
    else assert.equal(bare.length, text('large', '').length + 3 * 610_000);
    all.push(subject);
  }
  assert.equal(new Set(maildrop.messages.map(({ uniqueId }) => uniqueId)).size, all.length);
  return all;
}

/** A next update and delivery go as if nothing had happened, and nothing is left lying about. */
async function isInOrder(folder: string): Promise<void> {
  const before = await found(folder);
  const { backend } = benchIn(folder);
  await backend.deliver(placeIn(folder), [text('next')], envelope);
  assert.deepEqual(await found(folder), [...before, 'next']);
  await using maildrop = await backend.open(placeIn(folder), {});
  await maildrop.update(new Set(maildrop.messages.slice(0, 1)), new Set());
  assert.deepEqual(await found(folder), [...before, 'next'].slice(1));
  assert.deepEqual(fs.readdirSync(join(folder, 'spool')), ['abc']);
  const journals = fs.readdirSync(join(folder, 'state/mbox')).filter((name) => name.includes('.journal'));
  assert.deepEqual(journals, []);
}

const removals: readonly { act: Act; layout: Layout; left: readonly string[]; else: readonly string[] }[] = [
  { act: 'removeLast', layout: 'file', left: subjects.slice(0, 4), else: subjects },
  { act: 'removeTwo', layout: 'file', left: ['one', 'three', 'five'], else: subjects },
  { act: 'removeAll', layout: 'file', left: [], else: subjects },
  { act: 'removeAllWithAppend', layout: 'file', left: ['late'], else: [...subjects, 'late'] },
  { act: 'removeTwo', layout: 'link', left: ['one', 'three', 'five'], else: subjects },
  { act: 'removeAllWithAppend', layout: 'link', left: ['late'], else: [...subjects, 'late'] },
];

for (const { act, layout, left, else: all } of removals) {
  test(`${act} (${layout}): killed at each step, all are there or exactly the marked ones are gone`, twoAtATime, async (t) => {
    const model = await Model.make(t, layout);
    const trial = model.copy();
    const calls = await callsOf(trial, act);
    assert.deepEqual(await found(trial), left);
    assert.ok(calls.includes('sync'), calls.join(' '));
    await eachStep(t, calls, ['kill', 'tear'], async (at, fate) => {
      const folder = model.copy();
      const said = await run(folder, act, at, fate);
      const after = await found(folder);
      // Killed before what it does meanwhile: the append is not there.
      const outcomes = said === 'done' ? [left] : [left, all, subjects];
      assert.ok(
        outcomes.some((one) => isSame(one, after)),
        after.join(' '),
      );
      assert.equal(said, at > calls.length ? 'done' : '');
      await isInOrder(folder);
    });
  });

  test(`${act} (${layout}): disc full at each step, all are there after a refusal`, twoAtATime, async (t) => {
    const model = await Model.make(t, layout);
    const calls = await callsOf(model.copy(), act);
    await eachStep(t, calls, ['full', 'once'], async (at, fate) => {
      const folder = model.copy();
      const before = fs.readFileSync(placeIn(folder).path, 'latin1') + (act.endsWith('WithAppend') ? lateMail : '');
      const said = await inThisProcess(folder, act, at, fate);
      const octets = fs.readFileSync(placeIn(folder).path, 'latin1');
      const after = await found(folder);
      if (said === 'done') assert.deepEqual(after, left);
      else {
        assert.equal(said, 'temporary');
        if (layout === 'file') assert.ok(octets === before || octets === before.slice(0, -lateMail.length), 'the mailbox has changed');
        assert.ok(
          [left, all, subjects].some((one) => isSame(one, after)),
          after.join(' '),
        );
      }
      assert.deepEqual(fs.readdirSync(join(folder, 'spool')), ['abc']);
      await isInOrder(folder);
    });
  });
}

for (const added of ['', lateMail]) {
  const what = added === '' ? '' : ', and something was added meanwhile';
  test(`a change in place that was cut short${what}: finished at the next open, killed at each step of that`, twoAtATime, async (t) => {
    const model = await Model.make(t, 'link');
    const write = (await callsOf(model.copy(), 'removeTwo')).lastIndexOf('writeLater') + 1;
    const left = ['one', 'three', 'five', ...(added === '' ? [] : ['late'])];
    const cutShort = async (): Promise<string> => {
      const folder = model.copy();
      // Half of the octets are written, and no room is found for the others; to the file that is as if the process were killed.
      assert.equal(await inThisProcess(folder, 'removeTwo', write, 'full'), 'temporary');
      fs.appendFileSync(placeIn(folder).path, added);
      return folder;
    };
    const trial = await cutShort();
    const calls = await callsOf(trial, 'open');
    assert.ok(calls.includes('truncate'), calls.join(' '));
    assert.deepEqual(await found(trial), left);
    await eachStep(t, calls, ['kill', 'tear'], async (at, fate) => {
      const folder = await cutShort();
      await run(folder, 'open', at, fate);
      assert.deepEqual(await found(folder), left);
      await isInOrder(folder);
    });
  });
}

test('what the next step relies on is on disc before it', async (t) => {
  const orders: readonly { act: Act; layout: Layout; calls: readonly string[] }[] = [
    { act: 'removeLast', layout: 'file', calls: ['truncate', 'sync'] },
    { act: 'removeTwo', layout: 'file', calls: ['open', 'writeLater', 'sync', 'rename', 'syncDirectory'] },
    {
      act: 'removeTwo',
      layout: 'link',
      calls: [
        'writeLater',
        'write',
        'sync',
        'rename',
        'syncDirectory',
        'writeLater',
        'sync',
        'truncate',
        'sync',
        'unlink',
        'syncDirectory',
      ],
    },
    { act: 'deliver', layout: 'file', calls: ['write', 'sync', 'unlink'] },
    {
      act: 'deliver',
      layout: 'none',
      calls: ['mkdir', 'syncDirectory', 'open', 'syncDirectory', 'open', 'write', 'fchmod', 'write', 'sync', 'unlink'],
    },
  ];
  for (const { act, layout, calls } of orders) {
    const model = await Model.make(t, layout);
    const made = (await callsOf(model.copy(), act)).join(' ');
    assert.ok(made.includes(calls.join(' ')), made);
  }
});

const deliveries: readonly { act: Act; layout: Layout; before: readonly string[]; added: readonly string[] }[] = [
  { act: 'deliver', layout: 'file', before: subjects, added: ['delivered'] },
  { act: 'deliver', layout: 'none', before: [], added: ['delivered'] },
  { act: 'deliverLarge', layout: 'file', before: subjects, added: ['large'] },
  { act: 'deliverThree', layout: 'file', before: subjects, added: ['a', 'b', 'c'] },
];

for (const { act, layout, before, added } of deliveries) {
  test(`${act} (${layout}): killed at each step, what was there is there, and the new is whole or not there`, twoAtATime, async (t) => {
    const model = await Model.make(t, layout);
    const trial = model.copy();
    const calls = await callsOf(trial, act);
    assert.deepEqual(await found(trial), [...before, ...added]);
    await eachStep(t, calls, ['kill', 'tear'], async (at, fate) => {
      const folder = model.copy();
      const said = await run(folder, act, at, fate);
      if (at > calls.length) assert.equal(said, 'done');
      const after = await tornLastForgiven(folder);
      const outcomes = added.map((_, n) => [...before, ...added.slice(0, n + 1)]);
      assert.ok(
        (said === 'done' ? outcomes.slice(-1) : [[...before], ...outcomes]).some((one) => isSame(one, after)),
        after.join(' '),
      );
    });
  });

  test(`${act} (${layout}): disc full at each step, it is refused and leaves no trace`, twoAtATime, async (t) => {
    const model = await Model.make(t, layout);
    const calls = await callsOf(model.copy(), act);
    await eachStep(t, calls, ['full', 'once'], async (at, fate) => {
      const folder = model.copy();
      const said = await inThisProcess(folder, act, at, fate);
      const after = await found(folder);
      if (said === 'done') assert.deepEqual(after, [...before, ...added]);
      else {
        assert.equal(said, 'temporary');
        // Of three that came together the others may have had room.
        assert.deepEqual(
          after.filter((subject) => !added.includes(subject) || act !== 'deliverThree'),
          before,
        );
      }
      if (fs.existsSync(join(folder, 'spool'))) assert.ok(fs.readdirSync(join(folder, 'spool')).every((name) => name === 'abc'));
      await isInOrder(folder);
    });
  });
}

test('a torn last message is followed by a whole one, killed at each step of its delivery', twoAtATime, async (t) => {
  const model = await Model.make(t, 'torn');
  const calls = await callsOf(model.copy(), 'deliver');
  const torn = text('five').toString('latin1').slice(0, -'o.\r\n'.length);
  await eachStep(t, calls, ['kill', 'tear'], async (at, fate) => {
    const folder = model.copy();
    const said = await run(folder, 'deliver', at, fate);
    await benchIn(folder).backend.deliver(placeIn(folder), [text('again')], envelope);
    await using maildrop = await benchIn(folder).backend.open(placeIn(folder), {});
    const all: string[] = [];
    for (const message of maildrop.messages) all.push((await fetched(maildrop, message)).toString('latin1'));
    assert.deepEqual(
      all.slice(0, 5),
      [...subjects.slice(0, 4).map((subject) => text(subject).toString()), `${torn}\r\n`].map((one) => one.replace(/(?<!\r)\n/g, '\r\n')),
    );
    assert.equal(all.at(-1), text('again').toString());
    if (said === 'done') assert.equal(all[5], text('delivered').toString());
  });
});

/** A delivery that was killed while it wrote may leave the beginning of a message that nobody was told is there. */
async function tornLastForgiven(folder: string): Promise<string[]> {
  const { backend } = benchIn(folder);
  // The sender tries again.
  await backend.deliver(placeIn(folder), [text('again')], envelope);
  await using maildrop = await backend.open(placeIn(folder), {});
  const all: string[] = [];
  for (const message of maildrop.messages) {
    const octets = (await fetched(maildrop, message)).toString('latin1');
    const subject = /^Subject: (.*)\r\n/.exec(octets)?.[1] ?? '';
    if (octets === text(subject).toString('latin1') || octets.length === text('large', '').length + 3 * 610_000) all.push(subject);
    else assert.equal(maildrop.messages.at(-2), message, `something half in the middle: ${octets.slice(0, 100)}`);
  }
  assert.equal(all.pop(), 'again');
  return all;
}

/** Each call and the moment after the last; tearing only what can be torn, and no lack of room where a name is removed. */
async function eachStep(
  t: TestContext,
  calls: readonly string[],
  fates: readonly Fate[],
  check: (at: number, fate: Fate) => Promise<void>,
): Promise<void> {
  const steps: Promise<void>[] = [];
  for (const fate of fates) {
    for (let at = 1; at <= calls.length + 1; at++) {
      const call = calls[at - 1] ?? 'nothing';
      const possible = fate === 'kill' || (fate === 'tear' ? call.startsWith('write') : call !== 'unlink');
      if (possible) steps.push(t.test(`${fate} at ${at}, ${call}`, () => check(at, fate)));
    }
  }
  await Promise.all(steps);
}

function isSame(one: readonly string[], other: readonly string[]): boolean {
  return one.join('\n') === other.join('\n');
}
