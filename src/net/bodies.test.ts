import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import type { Octets } from '../model/octets.ts';
import { BodyTransfer } from './bodyTransfer.ts';
import { Client, FakeDialogue, ok, serve, settled } from './fakes.test.ts';

/** `.line\n` over and over, 64 KiB a piece; says how many pieces were asked for and whether it was closed. */
class Endless {
  fetched = 0;
  closed = false;
  readonly #piece = Buffer.alloc(65_536, '.line\n');
  readonly #pieces: number;

  constructor(pieces: number) {
    this.#pieces = pieces;
  }

  *now(): Iterable<Uint8Array> {
    try {
      for (; this.fetched < this.#pieces; this.fetched++) yield this.#piece;
    } finally {
      this.closed = true;
    }
  }

  async *later(): AsyncIterable<Uint8Array> {
    for (const piece of this.now()) {
      await new Promise(setImmediate);
      yield piece;
    }
  }
}

function dialogueWith(body: () => Octets): { dialogue: FakeDialogue; sent: () => number } {
  const dialogue = new FakeDialogue();
  let sent = 0;
  dialogue.answers.set('RETR', () => ({ ...ok('here'), body: body(), sent: () => sent++ }));
  return { dialogue, sent: () => sent };
}

async function* later(octets: Iterable<Uint8Array>): AsyncIterable<Uint8Array> {
  yield* octets;
}

test('a small message is one write: CRLF, byte-stuffed, ended', async (t) => {
  const message = [
    Buffer.from('Subject: a\n\n.\n..b\r\n'),
    Buffer.from('.'),
    Buffer.from('c\n\r'),
    Buffer.from('\n\xff\0 no end', 'latin1'),
  ];
  const wire = '+OK here\r\nSubject: a\r\n\r\n..\r\n...b\r\n..c\r\n\r\n\xff\0 no end\r\n.\r\n';
  for (const [name, body] of [
    ['at once', () => message],
    ['later', () => later(message)],
  ] as const) {
    const { dialogue, sent } = dialogueWith(body);
    const { port } = await serve(t, { dialogue });
    const client = await Client.connect(port);
    await client.line();
    let chunks = 0;
    client.socket.on('data', () => chunks++);
    client.send('RETR\r\n');
    while (client.waiting < wire.length) await once(client.socket, 'data');
    assert.equal(sent(), 1, name);
    client.send('QUIT\r\n');
    assert.equal(await client.rest(), `${wire}+OK bye\r\n`, name);
    assert.equal(chunks, 2, name);
  }
});

test('an empty message is an empty body', async (t) => {
  const { dialogue } = dialogueWith(() => []);
  const { port } = await serve(t, { dialogue });
  const client = await Client.connect(port);
  client.send('RETR\r\nQUIT\r\n');
  assert.equal(await client.rest(), '+OK hello\r\n+OK here\r\n.\r\n+OK bye\r\n');
});

test('a large message arrives whole', async (t) => {
  // 65,536 is no multiple of 6: pieces end in the middle of a line, and the last line has no end.
  const rest = Buffer.concat(Array<Buffer>(100).fill(Buffer.alloc(65_536, '.line\n'))).toString('latin1');
  const wire = `${rest.replace(/^\./gm, '..').replaceAll('\n', '\r\n')}\r\n`;
  for (const kind of ['now', 'later'] as const) {
    const { dialogue, sent } = dialogueWith(() => new Endless(100)[kind]());
    const { port } = await serve(t, { dialogue });
    const client = await Client.connect(port);
    client.send('RETR\r\nQUIT\r\n');
    const expected = Buffer.from(`+OK hello\r\n+OK here\r\n${wire}.\r\n+OK bye\r\n`);
    assert.ok((await client.octets()).equals(expected), kind);
    assert.equal(sent(), 1);
  }
});

test('what waits in the socket is not overwritten by what is read next', async (t) => {
  const count = 1_500_000;
  const numbered = function* () {
    for (let n = 0; n < count; n += 5000) {
      yield Buffer.from(Array.from({ length: 5000 }, (_, i) => `.${String(n + i).padStart(10, '0')}\n`).join(''));
    }
  };
  const { dialogue } = dialogueWith(numbered);
  const { port, server } = await serve(t, { dialogue });
  const clients = [await Client.connect(port), await Client.connect(port)];
  for (const client of clients) {
    await client.line();
    client.socket.pause();
    client.send('RETR\r\nQUIT\r\n');
  }
  await settled(() => server.bytes.received);
  for (const client of clients) {
    client.socket.resume();
    const lines = (await client.rest()).split('\r\n');
    assert.equal(lines.length, count + 4);
    assert.equal(
      lines.findIndex((line, n) => n > 0 && n <= count && line !== `..${String(n - 1).padStart(10, '0')}`),
      -1,
    );
  }
});

test('a gigabyte costs a client that does not read no more than what the kernel takes', async (t) => {
  for (const kind of ['now', 'later'] as const) {
    const endless = new Endless(16_384);
    const { dialogue, sent } = dialogueWith(() => endless[kind]());
    const gone = Promise.withResolvers<void>();
    dialogue.disconnected = async () => gone.resolve();
    const { port } = await serve(t, { dialogue });
    const client = await Client.connect(port);
    await client.line();
    client.socket.pause();
    client.send('RETR\r\nNEXT\r\n');
    await settled(() => endless.fetched);
    const fetched = endless.fetched;
    assert.ok(fetched > 0 && fetched < 400, `${fetched} pieces of 64 KiB were fetched`);
    // It reads a little: a little more is fetched.
    client.socket.resume();
    while (endless.fetched < fetched + 50) await once(client.socket, 'data');
    client.socket.resetAndDestroy();
    await gone.promise;
    assert.equal(endless.closed, true, 'the source was closed when the client went away');
    assert.equal(sent(), 0);
    assert.deepEqual(dialogue.sessions[0]?.lines, ['RETR']);
  }
});

test('a body that fails while nothing is written is one -ERR; one that fails later cuts the connection', async (t) => {
  const failing = (after: Uint8Array[]): readonly (() => Octets)[] => {
    function* now(): Iterable<Uint8Array> {
      yield* after;
      throw new Error('gone');
    }
    return [now, () => later(now())];
  };
  for (const body of [...failing([]), ...failing([Buffer.from('beginning\n')])]) {
    const { dialogue, sent } = dialogueWith(body);
    const { port } = await serve(t, { dialogue });
    const client = await Client.connect(port);
    client.send('FIRST\r\nRETR\r\nNEXT\r\nQUIT\r\n');
    assert.equal(await client.rest(), '+OK hello\r\n+OK FIRST\r\n-ERR refused: gone\r\n+OK NEXT\r\n+OK bye\r\n');
    assert.equal(sent(), 0);
  }
  for (const body of failing([Buffer.alloc(200_000, 'beginning\n')])) {
    const { dialogue, sent } = dialogueWith(body);
    const gone = Promise.withResolvers<void>();
    dialogue.disconnected = async () => gone.resolve();
    const { port } = await serve(t, { dialogue });
    const client = await Client.connect(port);
    await client.line();
    client.send('RETR\r\nNEXT\r\n');
    assert.doesNotMatch(await client.rest(), /\r\n\.\r\n|NEXT/);
    await gone.promise;
    assert.equal(sent(), 0);
  }
});

test('a client that reads as fast as we write does not keep the others waiting', async () => {
  const taken: number[] = [];
  const insatiable = new Writable({
    write(chunk: Buffer, _encoding, done) {
      taken.push(chunk.length);
      done();
    },
  });
  const endless = new Endless(100);
  const pending = new BodyTransfer(insatiable as Socket, '+OK\r\n').send(endless.now());
  assert.ok(endless.fetched > 0 && endless.fetched < 20);
  // Between two turns of the event loop there are no more than so many pieces.
  for (let before = endless.fetched; before < 100; before = endless.fetched) {
    await new Promise(setImmediate);
    assert.ok(endless.fetched - before < 20);
  }
  await pending;
});
