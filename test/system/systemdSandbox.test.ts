/** The server under what the units in contrib/systemd leave it, as far as that can be tried without systemd: capabilities and system calls. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { Client } from '../support/socketDialogue.ts';
import { program } from './support/cli.ts';
import { makeDomain, makeFile, makeOwnersTree, needsRoot, rightsOf, type UnixUser } from './support/owners.ts';
import { endedAfter, fieldsOf } from './support/processes.ts';
import { missing } from './support/programs.ts';
import { makeTree, owner, serve, writeSettings } from './support/server.ts';

const units = join(import.meta.dirname, '..', '..', 'contrib', 'systemd');
const unit = readFileSync(join(units, 'postkasse.service'), 'utf8');
const oneOwner = readFileSync(join(units, 'one-owner.conf'), 'utf8');
const noSetpriv = needsRoot || missing('setpriv', 'util-linux');
const noStrace = needsRoot || missing('strace', 'strace') || missing('systemd-analyze', 'systemd');

const MBOX = 'From x\nSubject: hello\n\nIt works.\n\n';

/** A program that starts the server in another one's hands. */
type Start = (folder: string) => string;

function startedBy(folder: string, command: string): string {
  const file = join(folder, 'start');
  writeFileSync(file, `#!/bin/sh\nexec ${command} '${program}' "$@"\n`, { mode: 0o755 });
  return file;
}

async function said(where: { readonly host: string; readonly port: number }, ...lines: readonly string[]): Promise<string> {
  const client = new Client(where);
  client.write(lines.map((line) => `${line}\r\n`).join(''));
  let heard = '';
  for (let line = await client.line(); line !== undefined; line = await client.line()) heard += `${line}\n`;
  return heard;
}

async function deliver(where: { readonly host: string; readonly port: number }, recipient: string): Promise<void> {
  const message = ['DATA', 'Subject: more', '', 'Text', '.'];
  assert.match(
    await said(where, 'LHLO a.example', 'MAIL FROM:<>', `RCPT TO:<${recipient}>`, ...message, 'QUIT'),
    /^250 2\.0\.0 delivered/m,
  );
}

let runs = 0;

/** What a host with owners asks for: low ports, two owners whose homes are closed to others, mail in and out, a reload, a deaf front. */
async function manyOwners(t: TestContext, start: Start, isWatched: boolean): Promise<void> {
  const tree = makeOwnersTree(t);
  const users = [60_121, 60_122].map(
    (uid): UnixUser => ({ name: String(uid), uid, gid: uid, home: join(tree.folder, 'home', String(uid)) }),
  );
  for (const user of users) {
    makeDomain(tree, user, `d${user.uid}.dk`, ['abc:{PLAIN}secret:UID:GID::.:']);
    makeFile(user, join(tree.folder, 'spool', `d${user.uid}.dk`, 'abc'), MBOX);
  }
  const { settingsFile } = await writeSettings({ tree, protocols: [], settings: { owners: ['mode = "many"'] } });
  // An address that is this run's own, as the ports can't be.
  const host = `127.${1 + (process.pid % 250)}.${(process.pid >> 8) % 250}.${1 + runs++}`;
  const [pop3, lmtp] = [
    { host, port: 110 },
    { host, port: 24 },
  ];
  const listeners = [`[[listen]]\nprotocol = "pop3"\naddress = "${host}:110"\n`, `[[listen]]\nprotocol = "lmtp"\naddress = "${host}:24"\n`];
  writeFileSync(settingsFile, `${readFileSync(settingsFile, 'utf8')}\n${listeners.join('')}`);
  const env = isWatched ? { NOTIFY_SOCKET: '/nonexistent', WATCHDOG_USEC: '2000000' } : {};
  const ports = { pop3: 110, pop3s: 0, lmtp: 24, smtp: 0 };
  const server = endedAfter(t, await serve(settingsFile, ports, { program: start(tree.folder), env }));

  const stat = async (uid: number) =>
    assert.match(await said(pop3, `USER abc@d${uid}.dk`, 'PASS secret', 'STAT', 'QUIT'), /^\+OK 1 29$/m, `mail of uid ${uid}`);
  for (const { uid } of users) await stat(uid);
  await deliver(lmtp, 'abc@d60121.dk');
  for (const pid of server.fronts()) assert.notEqual(rightsOf(pid).uids, '0 0 0 0');
  process.kill(server.pid, 'SIGHUP');
  const [front = 0] = JSON.parse(fieldsOf(await server.logged(/ supervisor\.reloaded /)).get('fronts') ?? '[]');
  await stat(60_122);
  if (isWatched) {
    // Another user's process by now.
    process.kill(front, 'SIGSTOP');
    await Promise.race([
      server.logged(/ front\.died .* signal=SIGKILL/),
      server.logged(/ front\.deaf /, 2).then(() => assert.fail('a deaf front could not be killed')),
    ]);
  }
  assert.equal(await server.stop(), 0);
  await server.gone();
}

/** Those of the unit, as setpriv has them. */
const capabilities = Array.from(unit.matchAll(/^CapabilityBoundingSet=(.+)$/gm), ([, names = '']) => names.split(' '))
  .flat()
  .map((name) => name.toLowerCase().replace('cap_', ''));

/** With these capabilities and no others, and without new privileges. */
function setpriv(names: readonly string[]): string {
  return `setpriv --bounding-set '${['-all', ...names.map((name) => `+${name}`)].join(',')}' --inh-caps '-all' --no-new-privs`;
}

function confinedTo(names: readonly string[]): Start {
  return (folder) => startedBy(folder, setpriv(names));
}

test('many owners, with the capabilities of the unit and no others: everything works', { skip: noSetpriv }, async (t) => {
  assert.ok(capabilities.length > 3);
  await manyOwners(t, confinedTo(capabilities), true);
});

for (const name of capabilities) {
  test(`many owners, without ${name}: something doesn't`, { skip: noSetpriv }, async (t) => {
    const others = capabilities.filter((each) => each !== name);
    await assert.rejects(manyOwners(t, confinedTo(others), true));
  });
}

/** ProtectSystem=strict, ProcSubset=pid and ProtectProc=invisible, with one folder that may be written to. */
function mounts(folder: string): string {
  const acts = [
    `mount -t proc -o subset=pid,hidepid=invisible proc /proc`,
    `mount --bind '${folder}' '${folder}'`,
    `mount -o remount,bind,ro /`,
    `! touch /postkasse 2>/dev/null`,
  ];
  return `unshare --mount --propagation private sh -c '${acts.join(' && ').replaceAll("'", '"')} && exec "$@"' sh`;
}

test('many owners, in a file system that is read-only otherwise and with a /proc that shows little: everything works', {
  skip: noSetpriv || missing('unshare', 'util-linux'),
}, async (t) => {
  const { folder } = makeOwnersTree(t);
  if (spawnSync('sh', ['-c', `${mounts(folder)} true`]).status !== 0) {
    t.skip('this host does not let root mount');
    return;
  }
  await manyOwners(t, (place) => startedBy(place, `${mounts(place)} ${setpriv(capabilities)}`), true);
});

/** Names of system calls that a filter of the units lets pass, the sets in it taken apart by systemd itself. */
function allowedCalls(...texts: readonly string[]): Set<string> {
  const { stdout } = spawnSync('systemd-analyze', ['--no-pager', 'syscall-filter'], { encoding: 'utf8' });
  const sets = new Map<string, string[]>();
  let set: string[] = [];
  for (const line of stdout.split('\n').map((each) => each.replace(/#.*/, '').trimEnd())) {
    if (line.startsWith('@')) {
      set = [];
      sets.set(line, set);
    } else if (line.startsWith('    ')) set.push(line.trim());
  }
  const callsIn = (name: string): string[] => (name.startsWith('@') ? (sets.get(name) ?? []).flatMap(callsIn) : [name]);
  const allowed = new Set<string>();
  for (const [, not, names = ''] of texts.join('\n').matchAll(/^SystemCallFilter=(~?)(.*)$/gm)) {
    for (const call of names.split(' ').flatMap(callsIn)) {
      if (not === '~') allowed.delete(call);
      else allowed.add(call);
    }
  }
  return allowed;
}

/** Every system call of the program and all it starts is counted in the file. The server is the process that is started, not strace. */
function traced(file: string): string {
  return `strace -DDD -f -qq -c -U name -o '${file}'`;
}

/** Calls in strace's table, once it has written it. */
async function callsIn(file: string): Promise<string[]> {
  for (;;) {
    const lines = readFileSync(file, 'latin1').split('\n');
    if (lines.includes('total')) return lines.filter((line) => /^\w+$/.test(line) && !['syscall', 'total'].includes(line));
    await setTimeout(20);
  }
}

/** The program that sets the stage is no part of the service. */
const ofTheStage = ['capget', 'capset', 'prctl', 'setresuid', 'setresgid', 'setgroups', 'execve'];

test('many owners: no system call that the service forbids', { skip: noStrace }, async (t) => {
  let file = '';
  await manyOwners(
    t,
    (folder) => {
      file = join(folder, 'calls');
      return startedBy(folder, traced(file));
    },
    false,
  );
  const calls = await callsIn(file);
  assert.ok(calls.length > 50);
  const allowed = allowedCalls(unit);
  assert.deepEqual(
    calls.filter((call) => !allowed.has(call)),
    [],
  );
});

test('one owner: no system call that the service forbids', { skip: noStrace }, async (t) => {
  const tree = makeTree({ passwd: new Map([['kvt.dk', ['abc:{PLAIN}secret:UID:GID::.:']]]) });
  t.after(() => tree.remove());
  makeFile(owner, join(tree.folder, 'spool', 'kvt.dk', 'abc'), MBOX.repeat(2));
  const file = join(tree.folder, 'calls');
  const start = startedBy(tree.folder, `${traced(file)} setpriv --reuid ${owner.uid} --regid ${owner.gid} --clear-groups`);
  const { settingsFile, ports } = await writeSettings({ tree, protocols: ['pop3', 'lmtp'] });
  const server = endedAfter(t, await serve(settingsFile, ports, { program: start }));
  const [pop3, lmtp] = [ports.pop3, ports.lmtp].map((port) => ({ host: '127.0.0.1', port }));
  assert.ok(pop3 && lmtp);
  const dialogue = await said(pop3, 'USER abc@kvt.dk', 'PASS secret', 'RETR 1', 'DELE 1', 'QUIT');
  assert.match(dialogue, /\nIt works\.\n\.\n\+OK .*\n\+OK .*\n$/);
  await deliver(lmtp, 'abc@kvt.dk');
  process.kill(server.pid, 'SIGHUP');
  await server.logged(/ supervisor\.reloaded /);
  assert.equal(await server.stop(), 0);
  await server.gone();
  const allowed = allowedCalls(unit, oneOwner);
  const calls = await callsIn(file);
  assert.ok(calls.length > 50);
  assert.deepEqual(
    calls.filter((call) => !allowed.has(call) && !ofTheStage.includes(call)),
    [],
  );
});
