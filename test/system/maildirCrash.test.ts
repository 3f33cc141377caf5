/** After any single step of an update, a delivery or their repair the process is gone or the disc is full; each message is there once. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Fault } from '../../src/model/fault.ts';
import { contents } from '../contracts/maildropStore.ts';
import { type Fate, faultyDisk } from '../faultyDisk.ts';
import { envelope, text } from '../support/mail.ts';
import { type Act, acts, mailbox, storeIn } from './support/maildirActs.ts';

const script = join(import.meta.dirname, 'support/maildirActs.ts');
/** Most of the time goes into starting processes. */
const twoAtATime = { concurrency: 2 };
const subjects = ['one', 'two', 'three', 'four', 'five'];

function folderFor(t: TestContext): string {
  const folder = fs.mkdtempSync(join(tmpdir(), 'postkasse-crash-'));
  t.after(() => fs.rmSync(folder, { recursive: true }));
  return folder;
}

/** A copy of it each time costs less than delivering anew. */
async function withFive(folder: string): Promise<void> {
  const store = storeIn(folder);
  for (const subject of subjects) await store.deliver(mailbox, [text(subject)], envelope);
  store.close();
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

/** The mutating calls the act makes when nothing fails. */
async function callsOf(folder: string, act: Act): Promise<readonly string[]> {
  const counting = faultyDisk(0, 'kill');
  const store = storeIn(folder, counting.disk);
  await acts[act](store);
  store.close();
  return counting.calls;
}

/** What is there for a process that begins now, and no file that isn't one of these messages. */
async function found(folder: string): Promise<string[]> {
  const store = storeIn(folder);
  const all = await contents(store, mailbox);
  assert.deepEqual(await contents(store, mailbox), all);
  store.close();
  const maildir = join(folder, 'root/kvt.dk/abc');
  const files = ['new', 'cur'].flatMap((name) => (fs.existsSync(join(maildir, name)) ? fs.readdirSync(join(maildir, name)) : []));
  assert.equal(files.filter((name) => !name.endsWith('.new')).length, all.length, files.join(' '));
  return all.map((message) => /^Subject: (.*)\r\n/.exec(message)?.[1] ?? message);
}

const removed: Partial<Record<Act, readonly string[]>> = {
  removeTwo: ['one', 'three', 'five'],
  removeOne: ['one', 'three', 'four', 'five'],
  removeAll: [],
};

for (const [act, left = []] of Object.entries(removed) as [Act, readonly string[]][]) {
  test(`${act}: killed at each step, all are there or exactly the marked ones are gone`, twoAtATime, async (t) => {
    const model = folderFor(t);
    await withFive(model);
    const folder = folderFor(t);
    fs.cpSync(model, folder, { recursive: true });
    const calls = await callsOf(folder, act);
    assert.deepEqual(await found(folder), left);
    assert.ok(calls.includes('unlink') && calls.includes('syncDirectory'), calls.join(' '));
    await eachStep(t, calls, ['kill', 'tear'], async (at, fate) => {
      const copy = folderFor(t);
      fs.cpSync(model, copy, { recursive: true });
      const said = await run(copy, act, at, fate);
      const after = await found(copy);
      const all = at > calls.length ? [] : [subjects];
      assert.equal(said, at > calls.length ? 'done' : '');
      assert.ok(
        [...all, left].some((one) => isSame(one, after)),
        after.join(' '),
      );
    });
  });

  test(`${act}: disc full at each step, all are there after a refusal or exactly the marked ones are gone`, twoAtATime, async (t) => {
    const model = folderFor(t);
    await withFive(model);
    const trial = folderFor(t);
    fs.cpSync(model, trial, { recursive: true });
    const calls = await callsOf(trial, act);
    await eachStep(t, calls, ['full', 'once'], async (at, fate) => {
      const folder = folderFor(t);
      fs.cpSync(model, folder, { recursive: true });
      const said = await inThisProcess(folder, act, at, fate);
      const after = await found(folder);
      if (said === 'done') assert.deepEqual(after, left);
      else assert.ok(isSame(after, subjects) || isSame(after, left), after.join(' '));
      // Before the first file went, a refusal means that nothing is going to go.
      if (at < calls.indexOf('unlink')) assert.deepEqual([said, after], ['temporary', subjects]);
      assert.deepEqual(
        fs.readdirSync(join(folder, 'root/kvt.dk/abc/cur')).filter((name) => name.startsWith('.')),
        [],
      );
    });
  });
}

test('a removal that was cut short is finished at the next open, killed at each step of that', twoAtATime, async (t) => {
  const model = folderFor(t);
  await withFive(model);
  const trial = folderFor(t);
  fs.cpSync(model, trial, { recursive: true });
  const between = (await callsOf(trial, 'removeTwo')).indexOf('unlink') + 2;
  await run(model, 'removeTwo', between, 'kill');
  const folder = folderFor(t);
  fs.cpSync(model, folder, { recursive: true });
  const calls = await callsOf(folder, 'open');
  assert.deepEqual(await found(folder), ['one', 'three', 'five']);
  assert.ok(calls.includes('unlink'), calls.join(' '));
  await eachStep(t, calls, ['kill'], async (at) => {
    const copy = folderFor(t);
    fs.cpSync(model, copy, { recursive: true });
    await run(copy, 'open', at, 'kill');
    assert.deepEqual(await found(copy), ['one', 'three', 'five']);
  });
});

for (const [what, prepare] of [
  ['into a Maildir', withFive],
  ['of the first message', async () => undefined],
] as const) {
  test(`a delivery ${what}: killed at each step, it is there whole or not at all`, twoAtATime, async (t) => {
    const model = folderFor(t);
    await prepare(model);
    const before = await found(model);
    const trial = folderFor(t);
    fs.cpSync(model, trial, { recursive: true });
    const calls = await callsOf(trial, 'deliver');
    assert.deepEqual((await found(trial)).sort(), [...before, 'delivered'].sort());
    await eachStep(t, calls, ['kill', 'tear'], async (at, fate) => {
      const folder = folderFor(t);
      fs.cpSync(model, folder, { recursive: true });
      const said = await run(folder, 'deliver', at, fate);
      const after = (await found(folder)).sort();
      const both = [[...before, 'delivered'].sort(), ...(said === 'done' ? [] : [[...before].sort()])];
      assert.ok(
        both.some((one) => isSame(one, after)),
        after.join(' '),
      );
      // The sender tries again after a crash.
      const store = storeIn(folder);
      await acts.deliver(store);
      store.close();
      assert.equal((await found(folder)).length, after.length + 1);
    });
  });

  test(`a delivery ${what}: disc full at each step, it is refused and leaves no file`, twoAtATime, async (t) => {
    const model = folderFor(t);
    await prepare(model);
    const before = await found(model);
    const trial = folderFor(t);
    fs.cpSync(model, trial, { recursive: true });
    const calls = await callsOf(trial, 'deliver');
    await eachStep(t, calls, ['full', 'once'], async (at, fate) => {
      const folder = folderFor(t);
      fs.cpSync(model, folder, { recursive: true });
      const said = await inThisProcess(folder, 'deliver', at, fate);
      assert.equal(said, at > calls.length ? 'done' : 'temporary');
      assert.deepEqual((await found(folder)).sort(), (at > calls.length ? [...before, 'delivered'] : [...before]).sort());
      const tmp = join(folder, 'root/kvt.dk/abc/tmp');
      assert.deepEqual(fs.existsSync(tmp) ? fs.readdirSync(tmp) : [], []);
    });
  });
}

async function inThisProcess(folder: string, act: Act, at: number, fate: Fate): Promise<string> {
  const store = storeIn(folder, faultyDisk(at, fate).disk);
  try {
    await acts[act](store);
    return 'done';
  } catch (thrown) {
    return thrown instanceof Fault ? thrown.kind : String(thrown);
  } finally {
    store.close();
  }
}

/** Each call and the moment after the last; tearing only what can be torn. */
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
      if (fate !== 'tear' || call.startsWith('write')) steps.push(t.test(`${fate} at ${at}, ${call}`, () => check(at, fate)));
    }
  }
  await Promise.all(steps);
}

function isSame(one: readonly string[], other: readonly string[]): boolean {
  return one.join('\n') === other.join('\n');
}
