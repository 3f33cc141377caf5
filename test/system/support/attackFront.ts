/** A real front in which somebody else has a say, too: what comes to `<POSTKASSE_ATTACK>/<pid>` goes to the supervisor as it is, as if this front said it. */
import { writeSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CHANNEL_FD } from '../../../src/processes/channel.ts';
import { runFront } from '../../../src/processes/front.ts';

const folder = process.env.POSTKASSE_ATTACK;
if (folder !== undefined) createServer((socket) => void passOn(socket)).listen(join(folder, String(process.pid)));
runFront();

/** Closed when everything was taken. */
async function passOn(socket: Socket): Promise<void> {
  for await (const octets of socket as AsyncIterable<Buffer>) {
    for (let at = 0; at < octets.length; ) {
      try {
        at += writeSync(CHANNEL_FD, octets, at);
      } catch (thrown) {
        if ((thrown as NodeJS.ErrnoException).code !== 'EAGAIN') return void socket.destroy();
        await sleep(1);
      }
    }
  }
  socket.end();
}
