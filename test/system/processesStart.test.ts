/** How `serve` starts, and everything that can keep it from starting: one clear line each, and a status that says which. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmodSync, chownSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { postkasse } from './support/cli.ts';
import { clientOf, serving, smallTree } from './support/processes.ts';
import { owner, type ServerOptions, writeSettings } from './support/server.ts';

const asRoot = process.getuid?.() === 0;
const needsRoot = asRoot ? false : 'needs root';

async function refused(options: ServerOptions) {
  const { settingsFile } = await writeSettings(options);
  return postkasse(['serve', '--config', settingsFile]);
}

test('"ready" is all that standard output gets, and then every listener answers', async (t) => {
  const server = await serving(t, { tree: smallTree(t), settings: { '': ['fronts = 3'] } });
  for (const [port, greeting] of [
    [server.ports.pop3, /^\+OK /],
    [server.ports.lmtp, /^220 mail\.example\.org LMTP/],
    [server.ports.smtp, /^220 mail\.example\.org ESMTP/],
  ] as const) {
    const client = clientOf(t, { port });
    assert.match((await client.line()) ?? 'closed', greeting);
    await client.end();
  }
  const tls = connect(server.ports.pop3s, '127.0.0.1');
  await once(tls, 'connect');
  tls.destroy();
  assert.equal(server.fronts().length, 3);
  assert.equal(await server.stop(), 0);
  assert.equal(server.out(), 'ready\n');
});

test('every mistake in the settings, with its line and what is allowed; status 78', async (t) => {
  const place = smallTree(t);
  const file = join(place.folder, 'postkasse.toml');
  writeFileSync(
    file,
    `fronts = 0
[login]
max_failures = "three"
max_falures = 3
[tls]
certificate = "missing.pem"
key = "missing.pem"
[[listen]]
protocol = "pop3"
address = "unix:run/pop3"
`,
  );
  assert.deepEqual(await postkasse(['serve', '--config', file]), {
    status: 78,
    out: '',
    err: [
      `${file}:1: fronts cannot be 0; allowed: "auto" or a whole number from 1 to 256`,
      `${file}:3: login.max_failures cannot be "three"; allowed: a whole number from 1 to 100`,
      `${file}:4: there is no setting login.max_falures; did you mean max_failures?`,
      `${file}:6: ${join(place.folder, 'missing.pem')} cannot be read: ENOENT`,
      `${file}:7: ${join(place.folder, 'missing.pem')} cannot be read: ENOENT`,
      `${file}:10: pop3 is not for Unix sockets`,
      '',
    ].join('\n'),
  });
});

test('a language without texts is a mistake in the settings', async (t) => {
  const place = smallTree(t);
  const options = { tree: place, settings: { '': ['language = "sv"'] } };
  const { settingsFile } = await writeSettings(options);
  const line = readFileSync(settingsFile, 'utf8').split('\n').indexOf('language = "sv"') + 1;
  assert.deepEqual(await postkasse(['serve', '--config', settingsFile]), {
    status: 78,
    out: '',
    err: `${settingsFile}:${line}: language cannot be "sv"; allowed: one of "en", "da", "de"\n`,
  });
});

test('a port in use is named; status 69', async (t) => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  t.after(() => other.close());
  const address = other.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const options: ServerOptions = { tree: smallTree(t), protocols: ['pop3', 'lmtp'] };
  const { settingsFile } = await writeSettings(options, { pop3: 0, pop3s: 0, smtp: 0, lmtp: port });
  assert.deepEqual(await postkasse(['serve', '--config', settingsFile]), {
    status: 69,
    out: '',
    err: `postkasse: lmtp 127.0.0.1:${port}: another program listens there already\n`,
  });
});

test('a port below 1024 without the right to it', { skip: asRoot ? 'root may' : false }, async (t) => {
  const { settingsFile } = await writeSettings({ tree: smallTree(t), protocols: ['pop3'] }, { pop3: 1, pop3s: 0, smtp: 0, lmtp: 0 });
  assert.deepEqual(await postkasse(['serve', '--config', settingsFile]), {
    status: 77,
    out: '',
    err: 'postkasse: pop3 127.0.0.1:1: ports below 1024 need root\n',
  });
});

test('a second one with the same run_dir is told who the first one is', async (t) => {
  const place = smallTree(t);
  const server = await serving(t, { tree: place, protocols: ['pop3'] });
  assert.deepEqual(await refused({ tree: place, protocols: ['pop3'] }), {
    status: 69,
    out: '',
    err: `postkasse: ${join(place.folder, 'run', 'postkasse.pid')}: already running, process ${server.pid}\n`,
  });
});

test('a Unix socket for LMTP: its mode, a stale one in its place, and a living one', async (t) => {
  const place = smallTree(t);
  const path = join(place.folder, 'lmtp');
  const options: ServerOptions = { tree: place, protocols: [], lmtpSocket: path };
  const first = await serving(t, options);
  assert.equal(statSync(path).mode & 0o7777, 0o666);
  const client = clientOf(t, { path });
  assert.match((await client.line()) ?? 'closed', /^220 mail\.example\.org LMTP/);
  await client.end();

  const other = smallTree(t);
  assert.deepEqual(await refused({ ...options, tree: other }), {
    status: 69,
    out: '',
    err: `postkasse: lmtp unix:${path}: another program listens there already\n`,
  });

  await first.stop('SIGKILL');
  await first.gone();
  const { settingsFile } = await writeSettings(options);
  writeFileSync(
    settingsFile,
    readFileSync(settingsFile, 'utf8').replace(`address = "unix:${path}"`, `address = "unix:${path}"\nmode = "0600"`),
  );
  const second = await first.restart();
  t.after(() => second.stop('SIGKILL'));
  assert.equal(statSync(path).mode & 0o7777, 0o600);
  if (asRoot) return;
  const again = clientOf(t, { path });
  assert.match((await again.line()) ?? 'closed', /^220 mail\.example\.org LMTP/);
  await again.end();
});

test('a Unix socket in a folder that is not there', async (t) => {
  const place = smallTree(t);
  const path = join(place.folder, 'nowhere', 'lmtp');
  assert.deepEqual(await refused({ tree: place, protocols: [], lmtpSocket: path }), {
    status: 73,
    out: '',
    err: `postkasse: lmtp unix:${path}: its folder is not there\n`,
  });
});

test('a user who is root, or whom the host does not have', { skip: needsRoot }, async (t) => {
  const file = join(smallTree(t).folder, 'user.toml');
  writeFileSync(file, 'user = "root"\ngroup = "no-such-group"\n');
  assert.deepEqual(await postkasse(['serve', '--config', file]), {
    status: 78,
    out: '',
    err: `${file}:1: mail is never handled as root\n${file}:2: the host has no group no-such-group\n`,
  });
});

test('a certificate that is none, and a key of another certificate', async (t) => {
  const place = smallTree(t);
  const good = join(import.meta.dirname, 'support', 'server.ts');
  const file = join(place.folder, 'not.pem');
  writeFileSync(file, readFileSync(good));
  chmodSync(file, 0o644);
  place.own();
  const { status, out, err } = await refused({ tree: place, settings: { tls: [`certificate = "${file}"`, `key = "${file}"`] } });
  assert.deepEqual([status, out], [78, '']);
  assert.match(err, new RegExp(`^postkasse: certificate: ${file}: .+\n$`));
});

for (const setting of ['state_dir', 'run_dir'] as const) {
  test(`a ${setting} that can not be written`, async (t) => {
    const place = smallTree(t);
    const folder = join(place.folder, 'closed');
    mkdirSync(folder);
    chmodSync(folder, 0o500);
    if (asRoot) chownSync(folder, 0, 0);
    assert.deepEqual(await refused({ tree: place, settings: { '': [`${setting} = "closed"`] } }), {
      status: 73,
      out: '',
      err: `postkasse: ${setting}: uid ${owner.uid} can not write to ${folder} (EACCES)\n`,
    });
  });

  test(`a ${setting} that can not be made`, async (t) => {
    const place = smallTree(t);
    writeFileSync(join(place.folder, 'file'), '');
    assert.deepEqual(await refused({ tree: place, settings: { '': [`${setting} = "file/folder"`] } }), {
      status: 73,
      out: '',
      err: `postkasse: ${setting}: ${join(place.folder, 'file', 'folder')} can not be made (ENOTDIR)\n`,
    });
  });
}

test('folders that are missing are made, for whom the fronts become and for nobody else', async (t) => {
  const place = smallTree(t);
  await serving(t, {
    tree: place,
    protocols: ['pop3'],
    settings: { '': ['state_dir = "new/state"', 'run_dir = "new/run"'] },
  });
  const facts = (name: string) => {
    const { uid, gid, mode } = statSync(join(place.folder, 'new', name));
    return [uid, gid, mode & 0o7777];
  };
  assert.deepEqual(facts('state'), [owner.uid, owner.gid, 0o700]);
  assert.deepEqual(facts('run'), [owner.uid, owner.gid, 0o755]);
});
