/** `bin/postkasse deliver` as Postfix starts it: exit statuses and words, whatever happens. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';

const home = join(import.meta.dirname, '..', '..', '..');
const mail = 'From ada@example.org  Sun Nov 29 09:08:11 2026\nReturn-Path: <ada@example.org>\nSubject: x\n\nhi\n';
const told = {
  SENDER: 'ada@example.org',
  RECIPIENT: 'kvt_dk+abc--kvt.dk@mx.example.org',
  EXTENSION: 'abc--kvt.dk',
  ORIGINAL_RECIPIENT: 'abc@kvt.dk',
};

interface Ended {
  readonly status: number | null;
  readonly out: string;
}

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'postkasse-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

function start(
  words: readonly string[],
  { program = join(home, 'bin', 'postkasse'), stdin = 'pipe' as 'pipe' | number, env = {} } = {},
): ChildProcess {
  // Postfix starts a session for each command.
  return spawn(program, ['deliver', ...words], {
    stdio: [stdin, 'pipe', 'pipe'],
    env: { PATH: '/usr/bin:/bin', ...told, ...env },
    detached: true,
  });
}

async function ended(child: ChildProcess): Promise<Ended> {
  let out = '';
  const take = (octets: Buffer) => {
    out += octets.toString();
  };
  child.stdout?.on('data', take);
  child.stderr?.on('data', take);
  const [status] = (await once(child, 'close')) as [number | null];
  return { status, out };
}

async function run(words: readonly string[], options?: Parameters<typeof start>[1]): Promise<Ended> {
  const child = start(words, options);
  child.stdin?.on('error', () => {}); // who doesn't read it has ended before
  child.stdin?.end(mail);
  return ended(child);
}

/** A server that says this to RCPT and to the message, and what it has heard. */
async function server(t: TestContext, rcpt: string, end: string | ((socket: Socket) => void) = '') {
  const path = join(folder(t), 'lmtp');
  const state = { path, heard: '', whenData: Promise.withResolvers<void>(), whenGone: Promise.withResolvers<void>() };
  const listener = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('close', () => state.whenGone.resolve());
    socket.write('220 mx\r\n');
    socket.on('data', (octets) => {
      const text = octets.toString('latin1');
      state.heard += text;
      if (text.startsWith('LHLO')) socket.write('250 mx\r\n');
      if (text.startsWith('MAIL')) socket.write(`250 ok\r\n${rcpt}\r\n`);
      if (text.startsWith('DATA')) socket.write('354 go\r\n', () => state.whenData.resolve());
      if (!state.heard.endsWith('\r\n.\r\n')) return;
      if (typeof end === 'string') socket.write(`${end}\r\n`);
      else end(socket);
    });
  });
  listener.listen(path);
  await once(listener, 'listening');
  t.after(() => listener.close());
  return state;
}

test('delivered: status 0 and nothing said', async (t) => {
  const { path, heard: _, ...state } = await server(t, '250 ok', '250 2.0.0 ok');
  assert.deepEqual(await run(['--socket', path]), { status: 0, out: '' });
  await state.whenGone.promise;
});

test('what is put on top by local(8) is left away, and told in the envelope', async (t) => {
  const state = await server(t, '250 ok', '250 2.0.0 ok');
  await run(['--socket', state.path]);
  await state.whenGone.promise;
  assert.match(
    state.heard,
    /^LHLO \S+\r\nMAIL FROM:<ada@example\.org>\r\nRCPT TO:<abc@kvt\.dk> ORCPT=rfc822;abc@kvt\.dk\r\nDATA\r\nSubject: x\r\n\r\nhi\r\n\.\r\nQUIT\r\n$/,
  );
});

test('refused, for now or for good', async (t) => {
  const unknown = await server(t, '550 5.1.1 no such user here');
  assert.deepEqual(await run(['--socket', unknown.path]), { status: 67, out: '5.1.1 no such user here\n' });
  const full = await server(t, '250 ok', '452 4.3.1 no room for the message at the moment');
  assert.deepEqual(await run(['--socket', full.path]), { status: 75, out: '4.3.1 no room for the message at the moment\n' });
  const lost = await server(t, '250 ok', (socket) => socket.destroy());
  const { status, out } = await run(['--socket', lost.path]);
  assert.deepEqual([status, out.slice(0, 6)], [75, '4.4.2 ']);
});

test('what the host has to put right waits', async (t) => {
  for (const words of [
    ['--nonsense'],
    ['--socket'],
    ['--socket', '/nowhere', '--config', '/nowhere'],
    ['--socket', join(folder(t), 'none')],
  ]) {
    const { status, out } = await run(words);
    assert.deepEqual([status, /^4\.3\.\d [ -~]+\n$/.test(out)], [75, true], `${words.join(' ')}: ${out}`);
  }
  const nobody = await run([], { env: { RECIPIENT: '', EXTENSION: '', ORIGINAL_RECIPIENT: '' } });
  assert.deepEqual(nobody, { status: 75, out: '4.3.5 no recipient, neither on the command line nor in the environment\n' });
  // A message that can't be read.
  const { status } = await run(['--socket', '/nowhere'], { stdin: openSync('/', 'r') });
  assert.equal(status, 75);
});

test('the environment decides nothing else', async (t) => {
  const { path } = await server(t, '250 ok', '250 2.0.0 ok');
  assert.deepEqual(
    await run(['--socket', path], { env: { NODE_OPTIONS: '--nonsense', SHELLOPTS: 'errexit', EXTENSION: '$(exit 9)`--kvt.dk' } }),
    { status: 0, out: '' },
  );
});

test('whatever ends the program: the mail waits', async (t) => {
  const place = folder(t);
  const program = join(place, 'bin', 'postkasse');
  mkdirSync(join(place, 'bin'));
  cpSync(join(home, 'bin', 'postkasse'), program);
  const without = await run([], { program });
  assert.equal(without.status, 75, `without node: ${without.out}`);
  symlinkSync(join(home, 'node_modules'), join(place, 'node_modules'));
  const script = join(place, 'bin', 'deliver.cjs');
  assert.equal((await run([], { program })).status, 75, 'without the script');
  for (const code of [
    '',
    'this is no JavaScript',
    'throw new Error("5.1.1 never")',
    'process.exit(1)',
    'process.exit(2)',
    'process.exit(71)',
    'process.abort()',
    'process.kill(process.pid, "SIGKILL")',
    'process.kill(process.pid, "SIGTERM")',
    'Promise.reject(new Error("x"))',
    'require("./missing.js")',
  ]) {
    writeFileSync(script, code);
    assert.equal((await run([], { program })).status, 75, code);
  }
  writeFileSync(script, 'process.exit(100)');
  assert.equal((await run([], { program })).status, 0);
});

test('who hangs is ended before Postfix does it', {
  skip: existsSync('/usr/bin/timeout') ? false : 'there is no /usr/bin/timeout',
}, async (t) => {
  const place = folder(t);
  const program = join(place, 'bin', 'postkasse');
  mkdirSync(join(place, 'bin'));
  // Postfix takes 1000 seconds for enough, and the program 800.
  writeFileSync(program, readFileSync(join(home, 'bin', 'postkasse'), 'utf8').replace('-s KILL 800', '-s KILL 1'), { mode: 0o755 });
  symlinkSync(join(home, 'node_modules'), join(place, 'node_modules'));
  writeFileSync(join(place, 'bin', 'deliver.cjs'), 'for (;;);');
  assert.deepEqual(await run([], { program }), { status: 75, out: '4.3.0 postkasse deliver ended with status 137\n' });
});

test('a message whose sender died before the agent could look at it is not delivered', async (t) => {
  const state = await server(t, '250 ok', '250 2.0.0 ok');
  const code = `const { spawn } = require('node:child_process');
    const child = spawn(${JSON.stringify(join(home, 'bin', 'postkasse'))}, ['deliver', '--socket', ${JSON.stringify(state.path)}], { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
    child.stdin.write(${JSON.stringify(mail.slice(0, -4))}, () => process.kill(process.pid, 'SIGKILL'));`;
  spawn(process.execPath, ['-e', code], { env: { PATH: '/usr/bin:/bin', MAIL_CONFIG: '/etc/postfix', ...told }, stdio: 'inherit' });
  await state.whenGone.promise;
  assert.match(state.heard, /\r\nDATA\r\n/);
  assert.doesNotMatch(state.heard, /\r\n\.\r\n/);
});

test('a message that was cut off because its sender died is not delivered', async (t) => {
  const state = await server(t, '250 ok', '250 2.0.0 ok');
  // A stand-in for local(8): starts the agent in a session of its own, writes half of the message and waits to be killed.
  const code = `const { spawn } = require('node:child_process');
    const child = spawn(${JSON.stringify(join(home, 'bin', 'postkasse'))}, ['deliver', '--socket', ${JSON.stringify(state.path)}], { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
    child.stdin.write(${JSON.stringify(mail.slice(0, -4))});
    setInterval(() => {}, 1000);`;
  const local = spawn(process.execPath, ['-e', code], { env: { PATH: '/usr/bin:/bin', ...told }, stdio: 'inherit' });
  await state.whenData.promise;
  local.kill('SIGKILL');
  await state.whenGone.promise;
  assert.match(state.heard, /\r\nDATA\r\n/);
  assert.doesNotMatch(state.heard, /\r\n\.\r\n/);
});
