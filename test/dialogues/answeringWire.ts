/** answer() itself at the other end of the wire: no socket, no TLS, no clock. */
import assert from 'node:assert/strict';
import type { Octets } from '../../src/model/octets.ts';
import { answer, overlong } from '../../src/pop3/dialogue.ts';
import type { ConnectionFacts, Pop3Host } from '../../src/pop3/host.ts';
import type { Reply } from '../../src/pop3/replies.ts';
import { disconnected, lineLimit, type Session, startSession } from '../../src/pop3/session.ts';
import type { Network, Wire } from './player.ts';

/** One command at a time, as the listener reads them. */
export async function answeringWire(host: Pop3Host, network: Network): Promise<Wire> {
  const facts = factsOf(network);
  const begun = startSession(host, facts);
  let session: Session = begun.session;
  let closed = false;
  let handshake = false;
  const lines: Buffer[] = [Buffer.from(`+OK ${begun.greeting.line}`)];

  async function write(reply: Reply): Promise<void> {
    session = reply.enters ?? session;
    lines.push(Buffer.from(reply.line === '' && reply.status !== '+' ? reply.status : `${reply.status} ${reply.line}`));
    const body = reply.rows ? rowLines(reply.rows) : reply.body ? await bodyLines(reply.body) : undefined;
    if (body) lines.push(...body.map((line) => (line[0] === 0x2e ? Buffer.concat([Buffer.from('.'), line]) : line)), Buffer.from('.'));
    reply.sent?.();
    closed = reply.then === 'close';
    handshake = reply.then === 'starttls';
  }

  return {
    async send(octets) {
      assert.equal(closed, false, 'the server has closed');
      assert.equal(handshake, false, 'TLS is to be negotiated');
      const line = octets.toString('latin1').slice(0, -2);
      await write(octets.length > lineLimit(session) ? overlong(session) : await answer(session, line));
    },
    async receive() {
      const line = lines.shift();
      assert.ok(line !== undefined || closed, 'the server has said nothing');
      return line;
    },
    async startTls() {
      assert.ok(handshake, 'the server does not expect TLS');
      handshake = false;
      session = startSession(host, { ...facts, ...factsOf('TLS') }, session).session;
    },
    async lose() {
      const unread = lines.map(String);
      assert.deepEqual(unread, [], 'said by the server, and not in the dialogue');
      await disconnected(session);
    },
  };
}

function factsOf(network: Network): ConnectionFacts {
  const tls = network === 'TLS';
  return {
    arrival: { localAddress: '127.0.0.1', serverName: undefined },
    remoteAddress: '127.0.0.2',
    secure: tls || network === 'a trusted network',
    tls,
    canStartTls: !tls && network !== 'plaintext without certificate',
    channelBinding: tls ? { data: (type) => (type === 'tls-exporter' ? Buffer.alloc(32, 7) : undefined) } : undefined,
    id: '1',
  };
}

function rowLines(rows: Iterable<string>): Buffer[] {
  return Array.from(rows, (row) => Buffer.from(row));
}

async function bodyLines(body: Octets): Promise<Buffer[]> {
  const pieces: Uint8Array[] = [];
  for await (const piece of body) pieces.push(Buffer.from(piece));
  const text = Buffer.concat(pieces)
    .toString('latin1')
    .replace(/\r?\n$/, '');
  return text.split(/\r?\n/).map((line) => Buffer.from(line, 'latin1'));
}
