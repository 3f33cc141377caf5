/** SMTP AUTH as Postfix asks for it, each of its servers over a connection of its own: ours and Dovecot's auth socket. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { median, type Peer, ratios, withPeer } from './arena.ts';
import { dovecotAvailable, startDovecot } from './dovecot.ts';
import { benchLogins } from './mailboxes.ts';
import type { Login } from './pop3Load.ts';
import { startPostkasse } from './postkasse.ts';
import { measure } from './processTree.ts';
import type { Table } from './table.ts';

const rounds = 5;
const connections = 8;
const count = 8000;

/** Path of the socket, in the server's folder. */
interface AuthPeer extends Peer {
  readonly socket: string;
}

const listener = '[[listen]]\nprotocol = "sasl"\naddress = "unix:auth"\n';
const ours: AuthPeer = { name: 'postkasse', socket: 'auth', start: (options) => startPostkasse(options, { settings: listener }) };
const theirs = (tuned: boolean): AuthPeer => ({
  name: tuned ? 'dovecot tuned' : 'dovecot as installed',
  socket: join('run', 'auth-client'),
  start: (options) => startDovecot({ ...options, tuned }),
});

export async function benchAuths(): Promise<Table> {
  const logins = benchLogins(200);
  const measured: { name: string; perSecond: number; cpuMs: number }[] = [];
  for (const peer of [ours, ...(dovecotAvailable() ? [theirs(true), theirs(false)] : [])]) {
    await withPeer(peer, { format: 'mbox', messages: 1, size: 1000, logins }, async ({ peer: { pid }, spool }) => {
      const path = join(dirname(spool), 'server', peer.socket);
      await authenticate(path, logins, 800);
      const results = [];
      for (let round = 0; round < rounds; round++) results.push(await measure(pid, () => authenticate(path, logins, count)));
      measured.push({
        name: peer.name,
        perSecond: median(results.map(({ seconds }) => count / seconds)),
        cpuMs: median(results.map(({ cpuSeconds }) => (cpuSeconds * 1000) / count)),
      });
    });
  }
  const rate = ratios(measured.map(({ perSecond }) => perSecond));
  const cpu = ratios(measured.map(({ cpuMs }) => cpuMs));
  return {
    title: `SMTP AUTH: PLAIN with the right password, 200 accounts with {PLAIN}, ${connections} connections (median of ${rounds})`,
    columns: ['server', 'auths/s', 'rate, times ours', 'CPU ms per auth', 'CPU, times ours'],
    rows: measured.map(({ name, perSecond, cpuMs }, index) => [name, perSecond, rate[index], cpuMs, cpu[index]]),
  };
}

/** So many in all, one after the other on each connection. @throws Error for an answer that isn't OK */
async function authenticate(path: string, logins: readonly Login[], total: number): Promise<void> {
  const each = total / connections;
  await Promise.all(
    Array.from({ length: connections }, (_, n) => authenticateOn(connect({ path }), logins, { first: n * each, count: each })),
  );
}

async function authenticateOn(
  socket: Socket,
  logins: readonly Login[],
  part: { readonly first: number; readonly count: number },
): Promise<void> {
  await once(socket, 'connect');
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let received = '';
  let done = -1;
  const next = () => {
    done++;
    if (done === part.count) {
      resolve();
      return;
    }
    const { user, password } = logins[(part.first + done) % logins.length] ?? { user: '', password: '' };
    const response = Buffer.from(`\0${user}\0${password}`).toString('base64');
    socket.write(`AUTH\t${done + 1}\tPLAIN\tservice=smtp\tnologin\tlip=127.0.0.1\trip=127.0.0.1\tsecured\tresp=${response}\n`);
  };
  socket.on('data', (octets: Buffer) => {
    received += octets.toString('latin1');
    if (!received.endsWith('\n')) return;
    const line = received;
    received = '';
    if (done < 0 ? line.endsWith('\nDONE\n') : line.startsWith(`OK\t${done + 1}\t`)) next();
    else if (done < 0) received = line;
    else reject(new Error(`not let in: ${line}`));
  });
  socket.on('close', () => reject(new Error('the connection was closed')));
  socket.write('VERSION\t1\t0\nCPID\t4711\n');
  await promise;
  socket.destroy();
}
