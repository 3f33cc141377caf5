/** The pipe agent under a real Postfix while processes are killed and the disc is full: each message arrives, whole, and none goes back. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, readdirSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type JthHost, startJthHost, takeAll } from './support/jthHost.ts';
import { makeFolder } from './support/owners.ts';
import { noPostfix } from './support/postfix.ts';
import { seededRandom } from './support/seededRandom.ts';

const options = { skip: noPostfix, timeout: 150_000 };
/** What is deferred is tried again at once, and a killed service comes back at once. */
const impatient = [
  'service_throttle_time = 1s',
  'queue_run_delay = 1s',
  'minimal_backoff_time = 1s',
  'maximal_backoff_time = 1s',
  'local_destination_concurrency_limit = 4',
];
/** More than a pipe holds: who writes it and who reads it are both there for a while. */
const body = `${'x'.repeat(76)}\n`.repeat(2000);
const messages = 20;
/** A message that is killed each time would never arrive. */
const mostKills = 60;

test('agents, their shells, the fronts and local(8) are killed at any moment', options, async (t) => {
  const host = await startJthHost(t, { user: ['pk_pipe_f', 64306], main: impatient });
  host.forward('', '"|COMMAND"');
  // A Maildir: of a delivery that is killed nothing is left in it to be seen.
  makeFolder(host.kvt, join(host.tree.folder, 'spool', 'kvt.dk', 'abc'));
  const random = seededRandom(t);
  const subjects = Array.from({ length: messages }, (_, n) => `message ${n}`);
  const settled = host.postfix.logged(/\/qmgr\[\d+\]: \w+: removed$/, messages);
  let isSettled = false;
  let killed = 0;
  const killing = (async () => {
    while (!isSettled && killed < mostKills) {
      const agents = agentsOf(host);
      const victims = agents.length > 0 && random.chance(0.8) ? agents : host.server.fronts();
      const victim = victims[random.integer(victims.length)];
      if (victim !== undefined && killIfThere(victim, random.pick(['SIGKILL', 'SIGTERM']))) killed++;
      await sleep(random.integer(60));
    }
  })();
  for (const subject of subjects) await host.send('abc@kvt.dk', `Subject: ${subject}\n\n${body}`);
  await flushedUntil(host, settled);
  isSettled = true;
  await killing;
  assert.ok(killed > 5, `${killed} killed`);

  assert.doesNotMatch(host.postfix.log(), /status=bounced/);
  const got = await takeAll(host.server, 'abc@kvt.dk');
  const shape = (content: string) => `${content.split('\n')[0]}, ${content.length} octets`;
  assert.deepEqual(
    new Set(got.map(({ content }) => shape(content))),
    new Set(subjects.map((subject) => shape(`Subject: ${subject}\n\n${body}`))),
  );
});

test('a full disc: mail waits, with the server and without it', options, async (t) => {
  let mounted: string | undefined;
  // Registered before what removes the folder. Lazily: somebody may still be at work in there.
  t.after(() => mounted && execFileSync('umount', ['-l', mounted]));
  const host = await startJthHost(t, { user: ['pk_pipe_g', 64307], main: impatient });
  host.forward('', '"|COMMAND"');
  const folder = join(host.tree.folder, 'spool', 'kvt.dk');
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'postkasse-test', folder], { stdio: 'pipe' });
  } catch (error) {
    t.skip(`needs to mount a tmpfs: ${error instanceof Error ? error.message.split('\n')[0] : error}`);
    return;
  }
  mounted = folder;
  chownSync(folder, host.kvt.uid, host.kvt.gid);
  chmodSync(folder, 0o700);
  for (const isServed of [true, false]) {
    if (!isServed) await host.server.stop();
    const filler = join(folder, 'filler');
    const { bavail, bsize } = statfsSync(folder);
    writeFileSync(filler, Buffer.alloc(bavail * bsize - 8192));
    const sent = host.postfix.logged(/ orig_to=<abc@kvt\.dk>.* status=sent /, isServed ? 1 : 2);
    const { status, dsn } = await host.delivery('abc@kvt.dk', `Subject: served ${isServed}\n\n${body}`);
    assert.deepEqual([status, dsn.slice(0, 2)], ['deferred', '4.']);
    rmSync(filler);
    await flushedUntil(host, sent);
  }
  host.server = await host.server.restart();
  const got = await takeAll(host.server, 'abc@kvt.dk');
  assert.deepEqual(
    got.map(({ content }) => content),
    [true, false].map((isServed) => `Subject: served ${isServed}\n\n${body}`),
  );
  assert.doesNotMatch(host.postfix.log(), /status=bounced/);
});

/** Postfix leaves what it found busy at a scan of its queue for the next one, which may be minutes away. */
async function flushedUntil({ postfix }: JthHost, done: Promise<unknown>): Promise<void> {
  let isDone = false;
  const noted = done.then(() => {
    isDone = true;
  });
  while (!isDone) {
    await postfix.flush();
    await Promise.race([noted, sleep(1000)]);
  }
}

/** Shells and programs of this host's agents, and Postfix's processes that start them. */
function agentsOf({ socket, postfix }: JthHost): readonly number[] {
  const master = postfix.master();
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const words = readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0');
        const parent = Number(/\) \S (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, 'latin1'))?.[1]);
        return words.includes(socket) || (words[0] === 'local' && parent === master);
      } catch {
        return false; // gone meanwhile
      }
    });
}

function killIfThere(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}
