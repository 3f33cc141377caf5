import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { becomeUser } from './becomeUser.ts';
import { folder, nodeChild } from './children.test.ts';

const asRoot = process.getuid?.() === 0;
const ids = [65534, 65534, 65534, 65534];

/** Becomes that user in a process of its own, and tells what it is afterwards. */
async function become(t: TestContext, identity: object, then = ''): Promise<unknown> {
  const child = nodeChild(
    t,
    `import { becomeUser } from './becomeUser.ts';
     import fs from 'node:fs';
     try {
       becomeUser(JSON.parse(process.argv[1] ?? ''));
       let regained = true;
       try { process.setuid?.(0); } catch { regained = false; }
       const status = fs.readFileSync('/proc/self/status', 'latin1');
       const numbers = (field: string) => status.match(new RegExp('^' + field + ':(.*)$', 'm'))?.[1]?.trim().split(/\\s+/);
       ${then}
       console.log(JSON.stringify({ uids: numbers('Uid'), gids: numbers('Gid'), groups: numbers('Groups'), caps: numbers('CapEff'), regained }));
     } catch (error) {
       console.log(JSON.stringify(error instanceof Error ? String(error.cause) : error));
     }`,
    JSON.stringify(identity),
  );
  return JSON.parse(await child.line());
}

test('root becomes a user by name, for good', { skip: asRoot ? false : 'needs root' }, async (t) => {
  assert.deepEqual(await become(t, { uid: 65534, gid: 65534, name: 'nobody' }), {
    uids: ids.map(String),
    gids: ids.map(String),
    groups: ['65534'],
    caps: ['0000000000000000'],
    regained: false,
  });
});

test('root becomes a user that has no name, without a group of root’s', { skip: asRoot ? false : 'needs root' }, async (t) => {
  assert.deepEqual(await become(t, { uid: 4000601, gid: 4000602 }), {
    uids: Array(4).fill('4000601'),
    gids: Array(4).fill('4000602'),
    groups: ['4000602'],
    caps: ['0000000000000000'],
    regained: false,
  });
});

test('a group for locks is kept aside: the saved gid of every thread, and nothing else', {
  skip: asRoot ? false : 'needs root',
}, async (t) => {
  const said = await become(
    t,
    { uid: 4000601, gid: 4000602, lockGid: 8 },
    `const tasks = fs.readdirSync('/proc/self/task').map((task) => fs.readFileSync('/proc/self/task/' + task + '/status', 'latin1'));
     const ids = new Set(tasks.map((task) => task.match(/^[UG]id:.*$/gm)?.join(' ').replaceAll('\\t', ' ')));
     if (tasks.length < 2 || [...ids].join() !== 'Uid: ${Array(4).fill('4000601').join(' ')} Gid: 4000602 4000602 8 4000602')
       throw new Error('', { cause: [...ids].join() });`,
  );
  assert.deepEqual(said, {
    uids: Array(4).fill('4000601'),
    gids: ['4000602', '4000602', '8', '4000602'],
    groups: ['4000602'],
    caps: ['0000000000000000'],
    regained: false,
  });
});

test('a program started afterwards does without the group for locks', { skip: asRoot ? false : 'needs root' }, async (t) => {
  const child = nodeChild(
    t,
    `import { becomeUser } from './becomeUser.ts';
     import { execFileSync } from 'node:child_process';
     becomeUser({ uid: 4000601, gid: 4000602, lockGid: 8 });
     console.log(JSON.stringify(execFileSync('grep', ['-E', '^(Gid|Groups)', '/proc/self/status'], { encoding: 'latin1' }).split(/\\s+/)));`,
  );
  const four = Array(4).fill('4000602');
  assert.deepEqual(JSON.parse(await child.line()), ['Gid:', ...four, 'Groups:', '4000602', '']);
});

test('uid 0 and gid 0 are never used for mail', () => {
  for (const identity of [
    { uid: 0, gid: 0 },
    { uid: 0, gid: 8 },
    { uid: 8, gid: 0 },
    { uid: 8, gid: 8, lockGid: 0 },
  ]) {
    assert.throws(() => becomeUser(identity), { kind: 'permanent' });
  }
});

test('who is no longer root can become nobody else', { skip: asRoot ? false : 'needs root' }, async (t) => {
  const said = await become(
    t,
    { uid: 65534, gid: 65534, name: 'nobody' },
    `becomeUser({ uid: 65534, gid: 65534, name: 'nobody' }); becomeUser({ uid: 8, gid: 8 });`,
  );
  assert.equal(said, 'Error: must run as uid 8, gid 8, or be started as root; runs as uid 65534, gid 65534');
});

test('a process that is this user already stays as it is', { skip: asRoot ? 'runs as root' : false }, () => {
  const [uid, gid] = [process.getuid?.() ?? -1, process.getgid?.() ?? -1];
  becomeUser({ uid, gid });
  assert.throws(() => becomeUser({ uid: uid + 1, gid }), { kind: 'permanent' });
});

test('lock files still say whose they are after root is given up', { skip: asRoot ? false : 'needs root' }, async (t) => {
  const path = folder(t);
  const child = nodeChild(
    t,
    `import fs from 'node:fs';
     import { becomeUser } from './becomeUser.ts';
     import { disk } from './disk.ts';
     import { tryDotlock } from './dotlock.ts';
     fs.chownSync(process.argv[1] ?? '', 65534, 65534);
     becomeUser({ uid: 65534, gid: 65534, name: 'nobody' });
     tryDotlock(process.argv[1] + '/abc', { disk, staleMs: 1, now: () => 0, mayBreak: () => false });
     console.log(JSON.stringify(fs.readFileSync(process.argv[1] + '/abc.lock', 'latin1').split('\\n')));`,
    path,
  );
  const lines = JSON.parse(await child.line());
  assert.equal(lines[0], String(child.pid));
  assert.match(lines[1], /^postkasse [0-9a-f-]{36} pid:\[\d+\]$/);
});
