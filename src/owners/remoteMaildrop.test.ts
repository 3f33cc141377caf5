import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { plainFrame } from './codec.ts';
import { PROTOCOL, tell } from './frames.ts';
import { Line } from './line.ts';
import { RemoteMessage } from './listing.ts';
import { RemoteMaildrop } from './remoteMaildrop.ts';

/** One message, with a worker that answers nothing. */
async function silentMaildrop(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'owners-'));
  const path = join(folder, 'socket');
  const server = createServer((socket) => socket.on('error', () => {}).write(plainFrame(tell.hello, PROTOCOL))).listen(path);
  await once(server, 'listening');
  const line = new Line({ path, owner: '601:100' }, { patienceMs: 60_000, closed() {}, bye() {}, malformed: assert.fail });
  await line.taken();
  t.after(() => {
    line.cut('the test is over');
    server.close();
    rmSync(folder, { recursive: true });
  });
  const message = new RemoteMessage(0, 'a', 10, 0, false);
  // As whoever gives the line back does.
  const maildrop: RemoteMaildrop = new RemoteMaildrop(line, [message], () => {
    line.onLost = undefined;
  });
  return { line, message, maildrop };
}

test('whoever is refused because the worker is gone finds the maildrop lost, however late the connection is told closed', async (t) => {
  const retrieving = await silentMaildrop(t);
  retrieving.line.cut('the worker is gone');
  const octets = retrieving.maildrop.retrieve(retrieving.message) as AsyncIterable<Uint8Array>;
  const refused = octets[Symbol.asyncIterator]().next();
  await assert.rejects(refused, { kind: 'temporary', text: 'the mailbox can not be read just now' });
  assert.equal(retrieving.maildrop.lost, true);

  const updating = await silentMaildrop(t);
  updating.line.cut('the worker is gone');
  await assert.rejects(updating.maildrop.update(new Set([updating.message]), new Set()), { kind: 'temporary' });
  assert.equal(updating.maildrop.lost, true);
});
