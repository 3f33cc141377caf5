/** The same dialogues through the listener: sockets, TLS, line reading and all. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { silent } from '../../src/model/log.ts';
import { Networks } from '../../src/model/networks.ts';
import { Certificates } from '../../src/net/certificates.ts';
import { LineServer } from '../../src/net/lineServer.ts';
import { pop3Dialogue } from '../../src/net/pop3Dialogue.ts';
import { selfSignedFiles } from '../../src/net/selfSigned.ts';
import type { Pop3Host } from '../../src/pop3/host.ts';
import type { Session } from '../../src/pop3/session.ts';
import type { Connect } from './memoryHouse.ts';
import type { Network, Wire } from './player.ts';

/** A listener for each connection. `folder` holds the certificate, `after` is told what to close. */
export function socketWires(folder: string, after: (close: () => Promise<void>) => void): Connect {
  return async (host, network) => {
    const server = await serverFor(host, network, folder);
    after(() => server.stop(0));
    const { port } = await server.listen({ protocol: 'pop3', address: '127.0.0.1', port: 0, tls: network === 'TLS' });
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    const wire = new SocketWire(server, socket);
    if (network === 'TLS') await wire.startTls();
    return wire;
  };
}

async function serverFor(host: Pop3Host, network: Network, folder: string): Promise<LineServer<Session>> {
  const files = await selfSignedFiles(folder, host.hostname, new Date());
  const certificates = new Certificates({ default: files, names: new Map(), log: silent, clock: Date.now });
  return new LineServer({
    dialogue: pop3Dialogue(() => host),
    settings: {
      idleTimeoutMs: 600_000,
      handshakeTimeoutMs: 30_000,
      maxFailures: 100,
      maxConnections: 10,
      maxConnectionsPerSource: 10,
      plaintextNetworks: new Networks(network === 'a trusted network' ? ['127.0.0.0/8'] : []),
    },
    certificates: network === 'plaintext without certificate' ? undefined : certificates,
    log: silent,
    clock: Date.now,
  });
}

class SocketWire implements Wire {
  readonly #server: LineServer<Session>;
  #socket: Socket;
  #lines: AsyncIterator<Buffer>;

  constructor(server: LineServer<Session>, socket: Socket) {
    this.#server = server;
    this.#socket = socket;
    this.#lines = linesOf(socket);
  }

  async send(octets: Buffer): Promise<void> {
    this.#socket.write(octets);
  }

  async receive(): Promise<Buffer | undefined> {
    const { done, value } = await this.#lines.next();
    return done ? undefined : value;
  }

  async startTls(): Promise<void> {
    const secured = connectTls({ socket: this.#socket, rejectUnauthorized: false });
    await once(secured, 'secureConnect');
    this.#socket = secured;
    this.#lines = linesOf(secured);
  }

  async lose(): Promise<void> {
    this.#socket.end();
    assert.equal((await this.receive())?.toString(), undefined, 'said by the server, and not in the dialogue');
    // Closed here is not yet closed there, and the maildrop is free only then.
    while (this.#server.counts().connections > 0) await setImmediate();
  }
}

export async function* linesOf(socket: Socket): AsyncGenerator<Buffer> {
  let rest = Buffer.alloc(0);
  for await (const chunk of socket) {
    rest = Buffer.concat([rest, chunk]);
    for (let end = rest.indexOf('\r\n'); end >= 0; end = rest.indexOf('\r\n')) {
      yield rest.subarray(0, end);
      rest = rest.subarray(end + 2);
    }
  }
  assert.equal(rest.toString(), '', 'the last line has no end');
}
