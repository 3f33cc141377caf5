import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { houseReport } from '../../test/support/houseReport.ts';
import { silent } from '../model/log.ts';
import { type Control, openControl } from './control.ts';

/** Says what it was asked for. */
async function explain(address: string): Promise<unknown> {
  if (address === 'nobody@kvt.dk') throw new Error('no front answers');
  return { asked: address };
}

async function opened(t: TestContext, report = async () => houseReport): Promise<Control> {
  const folder = mkdtempSync(join(tmpdir(), 'postkasse-'));
  const control = await openControl({ path: join(folder, 'control'), report, explain, log: silent, limitMs: 200 });
  t.after(() => {
    control.close();
    rmSync(folder, { recursive: true });
  });
  return control;
}

async function client({ path }: Control): Promise<Socket> {
  const socket = connect({ path });
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

async function said(control: Control, ...pieces: string[]): Promise<string> {
  const socket = await client(control);
  for (const piece of pieces) if (socket.writable) await new Promise((resolve) => socket.write(piece, resolve));
  return rest(socket);
}

/** A connection that is reset has said what it had said. */
async function rest(socket: Socket): Promise<string> {
  let heard = '';
  socket.on('data', (octets) => {
    heard += octets;
  });
  if (!socket.closed) await once(socket, 'close');
  return heard;
}

test('one line in, one document out, and the connection is closed', async (t) => {
  const control = await opened(t);
  const document = `${JSON.stringify(houseReport)}\n`;
  assert.equal(await said(control, 'status\n'), document);
  assert.equal(await said(control, 'st', 'atus', '\n'), document);
  assert.equal(await said(control, 'status\nstatus\n', 'more\n'), document);
  assert.equal(await said(control, 'stop\n'), '{"error":"unknown request"}\n');
  assert.equal(await said(control, '\n'), '{"error":"unknown request"}\n');
  assert.equal(await said(control, 'status\r\n'), '{"error":"unknown request"}\n');
});

test('an address is handed on as it was written, and an answer that is not there ends the connection', async (t) => {
  const control = await opened(t);
  assert.equal(await said(control, 'explain "a b"@kvt.dk\n'), '{"asked":"\\"a b\\"@kvt.dk"}\n');
  assert.equal(await said(control, 'explain jørgen@kvt.dk\nstatus\n'), '{"asked":"jørgen@kvt.dk"}\n');
  assert.equal(await said(control, 'explain\n'), '{"error":"unknown request"}\n');
  assert.equal(await said(control, 'explain nobody@kvt.dk\n'), '');
});

test('only its owner may use it, whatever the umask', async (t) => {
  const before = process.umask(0);
  try {
    const { path } = await opened(t);
    assert.equal(statSync(path).mode & 0o7777, 0o600);
  } finally {
    process.umask(before);
  }
});

test('who says too much, or nothing, gets nothing', async (t) => {
  const control = await opened(t);
  assert.equal(await said(control, 'x'.repeat(1025)), '');
  assert.equal(await said(control, 'x'.repeat(1_000_000)), '');
  assert.equal(await said(control, ''), '');
  assert.equal(await said(control, 'stat'), '');
});

test('many clients, and clients that go away, keep nobody else waiting', async (t) => {
  const asked = Promise.withResolvers<void>();
  const pending = Promise.withResolvers<typeof houseReport>();
  let answers: Promise<typeof houseReport> = pending.promise;
  const control = await opened(t, () => {
    asked.resolve();
    return answers;
  });
  const gone = await client(control);
  gone.write('status\n');
  await asked.promise;
  gone.destroy();
  pending.resolve(houseReport);
  answers = Promise.resolve(houseReport);
  const crowd = await Promise.all(Array.from({ length: 100 }, () => client(control)));
  // They are cut off in time, or at once.
  await Promise.all(crowd.map(rest));
  assert.equal(await said(control, 'status\n'), `${JSON.stringify(houseReport)}\n`);
});

test('trouble with the figures costs the one who asked', async (t) => {
  let trouble = true;
  const control = await opened(t, async () => {
    if (trouble) throw new Error('no figures');
    return houseReport;
  });
  assert.equal(await said(control, 'status\n'), '');
  trouble = false;
  assert.equal(await said(control, 'status\n'), `${JSON.stringify(houseReport)}\n`);
});

test("it takes its socket away with it, a stale one makes room, and what is somebody else's stays", async (t) => {
  const first = await opened(t);
  const { path } = first;
  await assert.rejects(openControl({ path, report: async () => houseReport, explain, log: silent }), { code: 'EADDRINUSE' });
  first.close();
  assert.equal(existsSync(path), false);
  const second = await openControl({ path, report: async () => houseReport, explain, log: silent });
  unlinkSync(path);
  writeFileSync(path, 'mine');
  second.close();
  assert.equal(statSync(path).size, 4);
});
