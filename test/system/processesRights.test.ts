/** Started by root: who the processes are, what they may read, and what others may read of what they make. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { connect, type TLSSocket } from 'node:tls';
import { generate } from 'selfsigned';
import { hashPassword } from '../../src/directory/schemes/index.ts';
import { clientOf, loggedIn, serving, smallTree } from './support/processes.ts';
import { makeTree, owner, type Server } from './support/server.ts';

const skip = process.getuid?.() === 0 ? false : 'needs root';

/** Fields of /proc/<pid>/status. */
function status(pid: number, ...fields: string[]): string[] {
  const text = readFileSync(`/proc/${pid}/status`, 'latin1');
  return fields.map(
    (field) =>
      text
        .match(new RegExp(`^${field}:(.*)$`, 'm'))?.[1]
        ?.trim()
        .split(/\s+/)
        .join(' ') ?? 'none',
  );
}

test('the supervisor alone is root; the fronts are the user for good, with the groups of that user', { skip }, async (t) => {
  // games: a user that every Debian has, and whose group is another than that of the settings.
  const place = smallTree(t);
  const server = await serving(t, { tree: place, protocols: ['pop3'], settings: { '': ['user = "mail"', 'group = "games"'] } });
  const games = Number(/^games:[^:]*:(\d+):/m.exec(readFileSync('/etc/group', 'latin1'))?.[1]);
  const mail = Number(/^mail:[^:]*:(\d+):/m.exec(readFileSync('/etc/passwd', 'latin1'))?.[1]);
  assert.deepEqual(status(server.pid, 'Uid'), ['0 0 0 0']);
  assert.equal(server.fronts().length, 2);
  for (const pid of server.fronts()) {
    const four = (id: number) => Array(4).fill(id).join(' ');
    assert.deepEqual(status(pid, 'Uid', 'Gid', 'Groups', 'CapEff', 'CapPrm'), [
      four(mail),
      four(games),
      String(games),
      '0'.repeat(16),
      '0'.repeat(16),
    ]);
  }
});

test('what is made for mail is closed to others', { skip }, async (t) => {
  const place = smallTree(t);
  const server = await serving(t, { tree: place, protocols: ['lmtp', 'pop3'] });
  const client = clientOf(t, { port: server.ports.lmtp });
  await client.line();
  client.write('LHLO a.example\r\nMAIL FROM:<>\r\nRCPT TO:<abc@kvt.dk>\r\nDATA\r\n');
  for (let line = await client.line(); !line?.startsWith('354'); line = await client.line()) assert.ok(line);
  client.write('Subject: hello\r\n\r\nIt works.\r\n.\r\n');
  assert.match((await client.line()) ?? '', /^250 /);
  const { uid, gid, mode } = statSync(join(place.folder, 'spool', 'kvt.dk', 'abc'));
  assert.deepEqual([uid, gid, mode & 0o7777], [owner.uid, owner.gid, 0o600]);
  const open = readdirSync(join(place.folder, 'state'), { recursive: true, encoding: 'utf8' }).filter(
    (name) => (statSync(join(place.folder, 'state', name)).mode & 0o077) !== 0,
  );
  assert.deepEqual(open, []);
});

test('a key that only root can read: at the start, after it changes, and after SIGHUP', { skip }, async (t) => {
  const place = smallTree(t);
  const folder = join(place.folder, 'tls');
  mkdirSync(folder);
  const files = { certificate: join(folder, 'cert.pem'), key: join(folder, 'key.pem') };
  await renew(files, 'first.example');
  chownSync(folder, 0, 0);
  chmodSync(folder, 0o700);
  const tls = [`certificate = "${files.certificate}"`, `key = "${files.key}"`];
  const server = await serving(t, { tree: place, protocols: ['pop3s'], settings: { tls } });
  assert.equal(await shown(server), 'CN=first.example');

  // Between the two files nothing fits together; that may be seen and said, and changes nothing.
  await renew(files, 'second.example');
  await server.logged(/ supervisor\.reloaded cause=certificates /);
  assert.equal(await shown(server), 'CN=second.example');

  await renew(files, 'third.example');
  process.kill(server.pid, 'SIGHUP');
  await server.logged(/ supervisor\.reloaded cause=SIGHUP /);
  assert.equal(await shown(server), 'CN=third.example');
});

test('the program lies where only root may enter: it still serves, what is loaded late included', { skip }, async (t) => {
  const closed = mkdtempSync(join(tmpdir(), 'postkasse-closed-'));
  t.after(() => rmSync(closed, { recursive: true }));
  const checkout = join(import.meta.dirname, '..', '..');
  for (const name of ['bin', 'src', 'package.json', 'CHANGELOG.md']) cpSync(join(checkout, name), join(closed, name), { recursive: true });
  symlinkSync(join(checkout, 'node_modules'), join(closed, 'node_modules'));
  const password = await hashPassword('ARGON2ID', Buffer.from('secret'));
  const place = makeTree({ passwd: new Map([['kvt.dk', [`abc:${password}:UID:GID::.:`]]]) });
  t.after(() => place.remove());
  const server = await serving(t, { tree: place, protocols: ['pop3'], program: join(closed, 'bin', 'postkasse') });
  assert.equal(statSync(closed).mode & 0o777, 0o700);
  const user = await loggedIn(t, server);
  await user.play('C: STAT\nS: +OK 0 0');
  // A password that SCRAM would hash in another form, which the directory only knows how to make with SASLprep.
  const other = clientOf(t, { port: server.ports.pop3 });
  await other.line();
  other.write(`AUTH SCRAM-SHA-256 ${Buffer.from('n,,n=\u00aabc@kvt.dk,r=nonce').toString('base64')}\r\n`);
  assert.match((await other.line()) ?? 'closed', /^\+ /);
});

/** As renewal programs do: whole files, renamed into place, one after the other. */
async function renew(files: { certificate: string; key: string }, name: string): Promise<void> {
  const pem = await generate([{ name: 'commonName', value: name }], { keyType: 'ec', algorithm: 'sha256' });
  for (const [path, text] of [
    [files.certificate, pem.cert],
    [files.key, pem.private],
  ] as const) {
    writeFileSync(`${path}.new`, text, { mode: 0o600 });
    renameSync(`${path}.new`, path);
  }
}

async function shown(server: Server): Promise<string | undefined> {
  const socket: TLSSocket = connect({ port: server.ports.pop3s, host: '127.0.0.1', rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  const subject = socket.getPeerX509Certificate()?.subject;
  socket.destroy();
  return subject;
}
