/** What every process of a running server has given up: core dumps, debuggers, files that others can read. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { inetd } from './support/inetd.ts';
import { makeDomain, makeOwnersTree, rightsOf, needsRoot as skip, type UnixUser } from './support/owners.ts';
import { Pop3Client } from './support/pop3Client.ts';
import { clientOf, serving } from './support/processes.ts';

/** Of each descendant too. */
function family(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').split(' ').filter(Boolean).map(Number);
  return [pid, ...children.flatMap(family)];
}

function field(pid: number, file: 'status' | 'limits', name: string): string {
  const line = readFileSync(`/proc/${pid}/${file}`, 'latin1')
    .split('\n')
    .find((each) => each.startsWith(name));
  return (line ?? '').slice(name.length).trim().split(/\s+/).slice(0, 2).join(' ');
}

test('supervisor, fronts, workers and --stdio: no core dumps, closed to a debugger of the same user, SIGUSR1 opens none', {
  skip,
}, async (t) => {
  const tree = makeOwnersTree(t);
  const owner: UnixUser = { name: '60111', uid: 60_111, gid: 60_111, home: join(tree.folder, 'home', '60111') };
  makeDomain(tree, owner, 'kvt.dk', ['abc:{PLAIN}secret:UID:GID::.:', 'def:{PLAIN}secret:UID:GID::.:']);
  const server = await serving(t, { tree, protocols: ['pop3'], settings: { owners: ['mode = "many"'] } });
  const session = await Pop3Client.login(server.ports.pop3, 'abc@kvt.dk', 'secret');
  assert.ok(session);
  t.after(() => session.drop());
  const parent = await inetd(t, ['serve', '--stdio', 'pop3', '--config', server.settingsFile], { standardError: 'connection' });
  const client = clientOf(t, { port: parent.port });
  await client.line();
  client.write('USER def@kvt.dk\r\nPASS secret\r\n');
  for (const reply of [await client.line(), await client.line()]) assert.match(reply ?? 'closed', /^\+OK /);

  const all = [...family(server.pid), ...family(await parent.started(1))];
  // Supervisor, two fronts and a worker; the same with one front for the connection that inetd accepted.
  assert.equal(all.length, 7);
  for (const pid of all) {
    const [, uid = 0] = rightsOf(pid).uids.split(' ').map(Number);
    assert.equal(field(pid, 'limits', 'Max core file size'), '0 0');
    assert.equal(field(pid, 'status', 'Umask:'), '0077');
    if (uid !== 0) assert.equal(spawnSync('cat', [`/proc/${pid}/environ`], { uid, gid: uid }).status, 1, `uid ${uid} can look into ${pid}`);
    process.kill(pid, 'SIGUSR1');
  }
  assert.equal(await session.ok('STAT'), '+OK 0 0');
  await client.play('C: STAT\nS: +OK 0 0');
  assert.doesNotMatch(server.log(), /debugger/i);
});
