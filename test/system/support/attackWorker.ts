/**
 * A real worker, but for the owner whose uid is POSTKASSE_ATTACKER: there somebody else answers the fronts. `answers.json` in POSTKASSE_ATTACK has what
 * each request is answered with: by a word that is found in it or in an earlier one on the connection, and by its type; octets in hex, and `cut`
 * where the connection ends after them. What stands under `hello` begins each connection.
 */
import { readFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import net, { type Socket } from 'node:net';
import { join } from 'node:path';

const folder = process.env.POSTKASSE_ATTACK ?? '';
const attacker = Number(process.env.POSTKASSE_ATTACKER);
const { createServer } = net;

net.createServer = ((listener: (socket: Socket) => void) =>
  createServer((socket) => (process.getuid?.() === attacker ? attack(socket) : listener(socket)))) as typeof createServer;
syncBuiltinESMExports();
const { runWorker } = await import('../../../src/processes/worker.ts');
runWorker();

function answersNow(): ReadonlyMap<string, ReadonlyMap<string, string>> {
  const all = JSON.parse(readFileSync(join(folder, 'answers.json'), 'utf8')) as Record<string, Record<string, string>>;
  return new Map(Object.entries(all).map(([word, byType]) => [word, new Map(Object.entries(byType))]));
}

function attack(socket: Socket): void {
  let now: ReadonlyMap<string, string> | undefined;
  socket.on('error', () => {});
  say(answersNow().get('hello')?.get('') ?? '');
  socket.on('data', (request: Buffer) => {
    const text = request.toString('latin1');
    for (const [word, byType] of answersNow()) if (text.includes(word)) now = byType;
    say(now?.get(String(request[4])) ?? '');
  });

  function say(what: string): void {
    socket.write(Buffer.from(what.replace('cut', ''), 'hex'));
    if (what.endsWith('cut')) socket.destroySoon();
  }
}
