import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Duplex } from 'node:stream';
import { test } from 'node:test';
import { deserialize, serialize } from 'node:v8';
import fc from 'fast-check';
import { channelToChild, channelToSupervisor, MessageReader } from './channel.ts';

function framed(octets: Uint8Array): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(octets.length);
  return Buffer.concat([length, octets]);
}

/** What comes in, and what was written. */
function wire(): { readonly socket: Duplex; readonly written: Buffer[]; takes: boolean } {
  const written: Buffer[] = [];
  const end = {
    written,
    takes: true,
    socket: new Duplex({
      read() {},
      write(chunk: Buffer, _, done) {
        written.push(chunk);
        if (end.takes) done();
      },
    }),
  };
  return end;
}

test('messages come out as they went in, however they are cut on the way', () => {
  const messages = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 8 });
  fc.assert(
    fc.property(messages, fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1 }), (sent, cuts) => {
      const taken: string[] = [];
      const reader = new MessageReader(40, (octets) => taken.push(octets.toString('hex')) > 0);
      let rest = Buffer.concat(sent.map(framed));
      for (let n = 0; rest.length > 0; n += 1) {
        const size = cuts[n % cuts.length] ?? 1;
        assert.equal(reader.push(rest.subarray(0, size)), true);
        rest = rest.subarray(size);
      }
      assert.deepEqual(
        taken,
        sent.map((octets) => Buffer.from(octets).toString('hex')),
      );
    }),
  );
});

test('a message that is too long, or makes no sense, is the last that is read of a child', async () => {
  for (const [octets, expected] of [
    [Buffer.from([255, 255, 255, 255]), []],
    [Buffer.concat([framed(Buffer.from('good')), framed(Buffer.from('bad')), framed(Buffer.from('good'))]), ['good', 'bad']],
  ] as const) {
    const { socket } = wire();
    const heard: string[] = [];
    channelToChild(socket, {
      onMessage: (message) => heard.push(message.toString()) > 0 && message.toString() !== 'bad',
      onMalformed: () => heard.push('malformed'),
      onClosed: () => heard.push('closed'),
    });
    const closed = once(socket, 'close');
    socket.push(octets);
    await closed;
    assert.deepEqual(heard, [...expected, 'malformed', 'closed']);
  }
});

test('a child that does not read costs no more than it may', () => {
  const end = wire();
  end.takes = false;
  const channel = channelToChild(end.socket, { onMessage: () => true, onMalformed() {}, onClosed() {} });
  const message = { kind: 'shared', octets: Buffer.alloc(100_000) };
  for (let n = 0; n < 1000; n += 1) channel.send(message);
  assert.ok(end.socket.writableLength < 5_000_000, String(end.socket.writableLength));
});

test('a child hears values as they are, and says what its words make of them', async () => {
  const { socket, written } = wire();
  const heard: unknown[] = [];
  const channel = channelToSupervisor<unknown, string>(socket, (text) => Buffer.from(text), {
    onMessage: (message) => heard.push(message),
    onClosed: () => heard.push('closed'),
  });
  const message = { kind: 'start', phrasebook: new Map([['da', new Set([1])]]), octets: Buffer.from([1]), none: undefined };
  socket.push(framed(serialize(message)));
  await new Promise<void>((resolve) => channel.send('words', resolve));
  assert.deepEqual(Buffer.concat(written), framed(Buffer.from('words')));
  assert.deepEqual(heard, [deserialize(serialize(message))]);
  const closed = once(socket, 'close');
  socket.destroy();
  await closed;
  assert.deepEqual([heard.at(-1), channel.connected], ['closed', false]);
  await new Promise<void>((resolve) => channel.send('to nobody', resolve));
});
