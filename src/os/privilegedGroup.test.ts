import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { folder, nodeChild } from './children.test.ts';

const skip = process.getuid?.() === 0 ? false : 'needs root';
const [uid, gid, lockGid] = [60001, 60101, 60008];

/** Runs code as that user, the folder in `process.argv[1]`; what it calls `say` with. */
async function asUser(t: TestContext, code: string, path: string, identity: object = { uid, gid, lockGid }): Promise<unknown> {
  const child = nodeChild(
    t,
    `import fs from 'node:fs';
     import { becomeUser } from './becomeUser.ts';
     import { fileSystemGroup } from './credentials.ts';
     import { disk } from './disk.ts';
     import { tryDotlock } from './dotlock.ts';
     import { withFileSystemGroup } from './privilegedGroup.ts';
     const folder = process.argv[1] ?? '';
     const attempt = (act: () => unknown) => { try { return act(); } catch (error) { return (error as NodeJS.ErrnoException).code ?? String(error); } };
     const say = (what: unknown) => console.log(JSON.stringify(what));
     becomeUser(${JSON.stringify(identity)});
     ${code}`,
    path,
  );
  return JSON.parse(await child.line());
}

/** As /var/mail: root's, and only the group may make names in it. Two mailboxes in it, one of the user's. */
function spoolIn(t: TestContext, mode: number): string {
  const top = folder(t);
  fs.chmodSync(top, 0o755);
  const spool = join(top, 'mail');
  fs.mkdirSync(spool);
  for (const [name, owner] of [
    ['', 0],
    ['kvt', uid],
    ['other', 60002],
  ] as const) {
    if (name !== '') fs.writeFileSync(join(spool, name), '', { mode: 0o660 });
    fs.chownSync(join(spool, name), owner, lockGid);
  }
  fs.chmodSync(spool, mode);
  return spool;
}

test('the group is there for one call, whatever comes of it', { skip }, async (t) => {
  const spool = spoolIn(t, 0o2775);
  const said = await asUser(
    t,
    `const make = (name: string) => attempt(() => fs.closeSync(fs.openSync(folder + '/' + name, 'wx', 0o600)) ?? 'made');
     say([
       make('before'),
       withFileSystemGroup(${lockGid}, () => [make('during'), fileSystemGroup()]),
       fileSystemGroup(),
       attempt(() => withFileSystemGroup(${lockGid}, () => { throw Object.assign(new Error(), { code: 'EINNER' }); })),
       fileSystemGroup(),
       make('after'),
       process.getgroups?.(),
     ]);`,
    spool,
  );
  assert.deepEqual(said, ['EACCES', ['made', lockGid], gid, 'EINNER', gid, 'EACCES', [gid]]);
});

test('a group that was not kept aside is not to be had, and nothing is tried without it', { skip }, async (t) => {
  const spool = spoolIn(t, 0o2775);
  const code = `let called = false;
     say([attempt(() => withFileSystemGroup(60009, () => { called = true; })), called, fileSystemGroup()]);`;
  assert.deepEqual(await asUser(t, code, spool), ['EPERM', false, gid]);
  assert.deepEqual(await asUser(t, code.replace('60009', String(lockGid)), spool, { uid, gid }), ['EPERM', false, gid]);
});

for (const mode of [0o2775, 0o775]) {
  test(`a mailbox in a folder of mode ${mode.toString(8)} is dot-locked with it, and not without`, { skip }, async (t) => {
    const spool = spoolIn(t, mode);
    const said = await asUser(
      t,
      `const options = { disk, staleMs: 500_000, now: Date.now, mayBreak: () => true };
       const group = { gid: ${lockGid}, folder };
       const without = tryDotlock(folder + '/kvt', options).outcome;
       const lock = tryDotlock(folder + '/kvt', { ...options, group });
       const { uid, mode } = fs.statSync(folder + '/kvt.lock');
       const again = tryDotlock(folder + '/kvt', { ...options, group }).outcome;
       if (lock.outcome === 'held') lock.lock.release();
       say([without, lock.outcome, uid, (mode & 0o777).toString(8), again, fs.readdirSync(folder).sort(), fileSystemGroup()]);`,
      spool,
    );
    assert.deepEqual(said, ['not-permitted', 'held', uid, '444', 'busy', ['kvt', 'other'], gid]);
  });
}

test('a stale lock file of another program is removed with it', { skip }, async (t) => {
  const spool = spoolIn(t, 0o2775);
  fs.writeFileSync(join(spool, 'kvt.lock'), '');
  const said = await asUser(
    t,
    `const options = { disk, staleMs: 1000, now: () => Date.now() + 60_000, mayBreak: () => true };
     say([tryDotlock(folder + '/kvt', options).outcome, tryDotlock(folder + '/kvt', { ...options, group: { gid: ${lockGid}, folder } }).outcome]);`,
    spool,
  );
  assert.deepEqual(said, ['not-permitted', 'held']);
  assert.equal(fs.statSync(join(spool, 'kvt.lock')).uid, uid);
});

test('in no other folder is it used', { skip }, async (t) => {
  const spool = spoolIn(t, 0o2775);
  fs.mkdirSync(join(spool, 'below'));
  fs.chownSync(join(spool, 'below'), 0, lockGid);
  fs.chmodSync(join(spool, 'below'), 0o2775);
  const said = await asUser(
    t,
    `const options = { disk, staleMs: 500_000, now: Date.now, mayBreak: () => true };
     say([
       tryDotlock(folder + '/below/kvt', { ...options, group: { gid: ${lockGid}, folder } }).outcome,
       tryDotlock(folder + '/below/../kvt', { ...options, group: { gid: ${lockGid}, folder } }).outcome,
       tryDotlock(folder + '/kvt', { ...options, group: { gid: ${lockGid}, folder: folder + '/below' } }).outcome,
     ]);`,
    spool,
  );
  assert.deepEqual(said, ['not-permitted', 'not-permitted', 'not-permitted']);
});
