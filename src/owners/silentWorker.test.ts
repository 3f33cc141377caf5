/** Workers that take connections and say nothing more: nobody waits for them longer than is good for the others. */
import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { usualRemote } from '../../test/support/ownerWorkers.ts';
import { parseAddress } from '../model/address.ts';
import { plainFrame } from './codec.ts';
import { PROTOCOL, tell } from './frames.ts';
import { createRemote } from './remote.ts';

test('a look-up that is not answered is over before the client of a delivery has waited for too long', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'owners-'));
  const asked = new EventEmitter();
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.write(plainFrame(tell.hello, PROTOCOL));
    socket.on('data', () => asked.emit('request'));
  }).listen(join(folder, 'socket'));
  await once(server, 'listening');
  const worker = { path: join(folder, 'socket'), owner: '601:100' };
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { directory, store } = createRemote({
    ...usualRemote,
    timeoutMs: 300_000,
    whereabouts: { ofDomain: async () => worker, ofSystemUser: async () => undefined, forget() {}, doubt() {} },
  });
  t.after(async () => {
    await store.close();
    server.close();
    rmSync(folder, { recursive: true });
  });
  const address = parseAddress('abc@kvt.dk');
  assert.ok(address);
  const refused = assert.rejects(directory.account(address), { kind: 'temporary', text: 'accounts can not be looked up just now' });
  // It is tried anew: another worker may have come. All of it is well below five minutes.
  for (let attempt = 1; attempt <= 4; attempt += 1) {
    await once(asked, 'request');
    t.mock.timers.tick(30_000);
  }
  await refused;
});
