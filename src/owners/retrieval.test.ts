/** Messages and listings over the wire: as many octets as are read, in pieces, whatever else is wanted meanwhile. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { text } from '../../test/support/mail.ts';
import { cuts, cutUp, lent, messageOctets, whole } from '../../test/support/mailOctets.ts';
import { createMemoryStore } from '../maildrops/memory/index.ts';
import { topOf } from '../message/top.ts';
import { Fault } from '../model/fault.ts';
import type { Maildrop, MaildropMessage, MaildropStore } from '../model/maildrop.ts';
import type { Octets } from '../model/octets.ts';
import { frontFor, workerFor } from './fakes.test.ts';
import { HEADER } from './frames.ts';
import { KnownListings, ListingReader, writeListing } from './listing.ts';

const nothing: ReadonlySet<never> = new Set();
const MEGABYTE = 1 << 20;

interface Played {
  readonly octets: Octets;
  /** As the listing says it. */
  readonly length?: number;
}

/** A store with one maildrop of these messages. */
function storeOf(messages: readonly Played[], acts: string[] = []): MaildropStore {
  const listed = messages.map(
    ({ length = 1 }, row): MaildropMessage => ({ uniqueId: `id${row}`, octets: length, receivedAtMs: 1_790_000_000_000 + row }),
  );
  const numbers = (some: ReadonlySet<MaildropMessage>) => Array.from(some, (one) => listed.indexOf(one) + 1);
  const maildrop: Maildrop = {
    messages: listed,
    retrieve: (message) => messages[listed.indexOf(message)]?.octets ?? [],
    async update(deleted, retrieved) {
      acts.push(`deleted ${numbers(deleted)}, retrieved ${numbers(retrieved)}`);
    },
    async [Symbol.asyncDispose]() {
      acts.push('released');
    },
  };
  return { ...createMemoryStore(), open: async () => maildrop };
}

/** Pieces of 64 kB in lent memory, as files are read; counts what was asked for. */
class Large {
  produced = 0;
  closed = 0;
  /** At the end of the first run. */
  readonly wasClosed = Promise.withResolvers<void>();
  readonly #size: number;

  constructor(size: number) {
    this.#size = size;
  }

  get octets(): Octets {
    return { [Symbol.asyncIterator]: () => this.#pieces() };
  }

  /** Of all of it. */
  get digest(): string {
    const hash = createHash('sha256');
    for (let at = 0; at < this.#size; at += 65_536) hash.update(this.#piece(at));
    return hash.digest('hex');
  }

  async *#pieces(): AsyncGenerator<Uint8Array> {
    const area = Buffer.alloc(65_536);
    try {
      for (let at = 0; at < this.#size; at += 65_536) {
        await new Promise((resolve) => setImmediate(resolve));
        const piece = this.#piece(at);
        piece.copy(area);
        this.produced += piece.length;
        yield area.subarray(0, piece.length);
        area.fill(0);
      }
    } finally {
      this.closed += 1;
      this.wasClosed.resolve();
    }
  }

  #piece(at: number): Buffer {
    const piece = Buffer.alloc(Math.min(65_536, this.#size - at), `Subject: ${at}\n\n`);
    return piece;
  }
}

async function opened(t: TestContext, store: MaildropStore) {
  const worker = await workerFor(t, store);
  const front = frontFor(t, [{ path: worker.path, owner: '601:100' }]);
  const { maildrop } = await front.login();
  return { front, worker, maildrop, messages: maildrop.messages };
}

function at(messages: readonly MaildropMessage[], row: number): MaildropMessage {
  const message = messages[row];
  assert.ok(message);
  return message;
}

async function digestOf(octets: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of octets) hash.update(piece);
  return hash.digest('hex');
}

test('messages come as they rest, however the store hands them out', async (t) => {
  let octets: Octets = [];
  const { maildrop, messages } = await opened(
    t,
    storeOf([{ octets: { [Symbol.asyncIterator]: () => iterate(octets) } }, { octets: { [Symbol.iterator]: () => lent(pieces) } }]),
  );
  let pieces: Uint8Array[] = [];
  await fc.assert(
    fc.asyncProperty(messageOctets, cuts, async (message, places) => {
      pieces = cutUp(message, places);
      octets = pieces;
      assert.deepEqual(await whole(maildrop.retrieve(at(messages, 0))), message);
      assert.deepEqual(await whole(maildrop.retrieve(at(messages, 1))), message);
    }),
  );
});

async function* iterate(octets: Octets): AsyncGenerator<Uint8Array> {
  for await (const piece of octets) yield piece;
}

test('pieces of any size are parted for the wire and are whole behind it', async (t) => {
  const sizes = [1, 16_383, 16_384, 16_385, 65_535, 65_536, 65_537, 131_072 + 1024, MEGABYTE, 0, 5 * MEGABYTE, 3];
  const pieces = sizes.map((size, index) => Buffer.alloc(size, `${index} and so on\n`));
  for (const octets of [pieces, iterate(pieces)]) {
    const { maildrop, messages } = await opened(t, storeOf([{ octets }]));
    assert.equal(
      await digestOf(maildrop.retrieve(at(messages, 0)) as AsyncIterable<Uint8Array>),
      createHash('sha256').update(Buffer.concat(pieces)).digest('hex'),
    );
  }
});

test('20 MB in pieces that no slot is too small for', async (t) => {
  const large = new Large(20 * MEGABYTE);
  const { maildrop, messages } = await opened(t, storeOf([large]));
  let longest = 0;
  const hash = createHash('sha256');
  for await (const piece of maildrop.retrieve(at(messages, 0))) {
    longest = Math.max(longest, piece.length);
    hash.update(piece);
  }
  assert.equal(hash.digest('hex'), large.digest);
  assert.ok(longest <= 65_536, `${longest}`);
  assert.equal(large.closed, 1);
});

test('TOP of 20 MB reads little of it, and what comes next is in order', async (t) => {
  const large = new Large(20 * MEGABYTE);
  const { maildrop, messages } = await opened(t, storeOf([large, { octets: [text('small')] }]));
  for (let round = 1; round <= 3; round += 1) {
    large.produced = 0;
    const top = await whole(topOf(maildrop.retrieve(at(messages, 0)), 2));
    assert.ok(top.length > 0);
    assert.deepEqual(await whole(maildrop.retrieve(at(messages, 1))), text('small'));
    assert.ok(large.produced <= 2 * MEGABYTE, `${large.produced} octets were read`);
    assert.equal(large.closed, round, 'the store was told');
  }
  await maildrop.update(nothing, nothing);
});

test('who stops reading needs nothing else for the store to close its file', async (t) => {
  const large = new Large(20 * MEGABYTE);
  const { maildrop, messages } = await opened(t, storeOf([large]));
  for await (const piece of maildrop.retrieve(at(messages, 0))) {
    assert.ok(piece.length > 0);
    break;
  }
  await large.wasClosed.promise;
  assert.ok(large.produced < 2 * MEGABYTE, `${large.produced} octets were read`);
});

test('whoever reads slowly makes the worker wait, and nobody else', async (t) => {
  const large = new Large(20 * MEGABYTE);
  const { front, maildrop, messages } = await opened(t, storeOf([large]));
  const pieces = (maildrop.retrieve(at(messages, 0)) as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]();
  const hash = createHash('sha256');
  for (let n = 0; n < 10; n += 1) {
    const next = await pieces.next();
    assert.ok(!next.done);
    const before = Buffer.from(next.value);
    // A hundred round trips with the same worker: time enough for a message that nothing holds back.
    for (let question = 0; question < 100; question += 1) {
      await assert.rejects(
        front.directory.authenticate(
          { login: 'bob@kvt.dk', arrival: { localAddress: undefined, serverName: undefined } },
          { kind: 'password', password: Buffer.from('guess') },
          'pop3',
        ),
      );
    }
    assert.deepEqual(next.value, before, 'what is lent stays as it is');
    assert.ok(large.produced <= (n + 1) * 65_536 + MEGABYTE, `${large.produced} octets are on their way`);
    hash.update(next.value);
  }
  for (let next = await pieces.next(); !next.done; next = await pieces.next()) hash.update(next.value);
  assert.equal(hash.digest('hex'), large.digest);
});

test('large messages beside each other, a piece of each in turn, and each is whole', async (t) => {
  const all = [new Large(3 * MEGABYTE), new Large(2 * MEGABYTE + 17), new Large(2 * MEGABYTE - 1)];
  const { maildrop, messages } = await opened(t, storeOf([...all, { octets: [text('small')] }]));
  const readers = all.map((_, row) => ({
    pieces: (maildrop.retrieve(at(messages, row)) as AsyncIterable<Uint8Array>)[Symbol.asyncIterator](),
    hash: createHash('sha256'),
  }));
  const open = new Set(readers);
  while (open.size > 0) {
    for (const reader of open) {
      const next = await reader.pieces.next();
      if (next.done) open.delete(reader);
      else reader.hash.update(next.value);
    }
    assert.deepEqual(await whole(maildrop.retrieve(at(messages, 3))), text('small'));
  }
  assert.deepEqual(
    readers.map(({ hash }) => hash.digest('hex')),
    all.map(({ digest }) => digest),
  );
  // All at once, too.
  assert.deepEqual(
    await Promise.all(all.map((_, row) => digestOf(maildrop.retrieve(at(messages, row)) as AsyncIterable<Uint8Array>))),
    all.map(({ digest }) => digest),
  );
});

test('a fault while a message is read comes after what was read, and the maildrop goes on', async (t) => {
  const torn = (async function* () {
    yield Buffer.from('half');
    throw new Fault('temporary', 'the mailbox was changed by another program', { cause: new Error('inode 7') });
  })();
  const refused: Octets = {
    [Symbol.iterator]() {
      throw new Error('EIO');
    },
  };
  const { maildrop, messages } = await opened(t, storeOf([{ octets: torn }, { octets: refused }, { octets: [text('small')] }]));
  const seen: string[] = [];
  await assert.rejects(
    async () => {
      for await (const piece of maildrop.retrieve(at(messages, 0))) seen.push(Buffer.from(piece).toString());
    },
    { kind: 'temporary', text: 'the mailbox was changed by another program', cause: 'inode 7' },
  );
  assert.deepEqual(seen, ['half']);
  await assert.rejects(whole(maildrop.retrieve(at(messages, 1))), { kind: 'temporary', text: 'internal error', cause: 'EIO' });
  assert.deepEqual(await whole(maildrop.retrieve(at(messages, 2))), text('small'));
});

test('what is removed is what was marked', async (t) => {
  const acts: string[] = [];
  const messages = Array.from({ length: 300 }, () => ({ octets: [text('x')] }));
  for (const [deleted, retrieved] of [
    [[], []],
    [[1, 2, 3, 300], [7]],
    [[299], Array.from({ length: 300 }, (_, n) => n + 1)],
  ] as const) {
    const { maildrop } = await opened(t, storeOf(messages, acts));
    const pick = (numbers: readonly number[]) => new Set(numbers.toReversed().map((number) => at(maildrop.messages, number - 1)));
    acts.length = 0;
    await maildrop.update(pick(deleted), pick(retrieved));
    await maildrop[Symbol.asyncDispose]();
    assert.deepEqual(acts, [`deleted ${deleted}, retrieved ${retrieved}`, 'released']);
  }
});

test('an update that fails says so, and lets go all the same', async (t) => {
  const acts: string[] = [];
  const store = storeOf([{ octets: [] }], acts);
  const failing: MaildropStore = {
    ...store,
    async open(mailbox) {
      const maildrop = await store.open(mailbox);
      return {
        ...maildrop,
        update: () => Promise.reject(new Fault('permanent', 'the mailbox can not be used', { cause: new Error('EROFS') })),
      };
    },
  };
  const { maildrop, front } = await opened(t, failing);
  await assert.rejects(maildrop.update(new Set(maildrop.messages), nothing), {
    kind: 'permanent',
    text: 'the mailbox can not be used',
    cause: 'EROFS',
  });
  assert.deepEqual(acts, ['released']);
  await maildrop[Symbol.asyncDispose]();
  assert.deepEqual([acts, front.store.counts().idle], [['released'], 1]);
});

test('a message of another maildrop is none of this one', async (t) => {
  const { maildrop } = await opened(t, storeOf([{ octets: [] }]));
  const stranger: MaildropMessage = { uniqueId: 'id0', octets: 1, receivedAtMs: 0 };
  assert.throws(() => maildrop.retrieve(stranger), { kind: 'not-found', text: 'the message is gone' });
  await assert.rejects(maildrop.update(new Set([stranger]), nothing), { kind: 'not-found' });
  await maildrop[Symbol.asyncDispose]();
});

test('a maildrop of 50,000 messages', async (t) => {
  const messages = Array.from({ length: 50_000 }, (_, row) => ({ octets: [], length: row * 1000 }));
  const acts: string[] = [];
  const { front, maildrop } = await opened(t, storeOf(messages, acts));
  const facts = ({ uniqueId, octets, receivedAtMs }: MaildropMessage) => [uniqueId, octets, receivedAtMs];
  assert.equal(maildrop.messages.length, 50_000);
  for (const row of [0, 1, 2621, 49_999])
    assert.deepEqual(facts(at(maildrop.messages, row)), [`id${row}`, row * 1000, 1_790_000_000_000 + row]);
  await maildrop.update(new Set(maildrop.messages), nothing);
  assert.equal(acts[0], `deleted ${messages.map((_, row) => row + 1)}, retrieved `);
  // Known from before.
  const again = (await front.login()).maildrop;
  assert.equal(again.messages, maildrop.messages);
  await again[Symbol.asyncDispose]();
});

test('listings cross as they are, and are taken apart once as long as they stay the same', () => {
  const message = fc.record({
    uniqueId: fc.string({
      minLength: 1,
      maxLength: 70,
      unit: fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code)),
    }),
    octets: fc.nat(2 ** 31),
    receivedAtMs: fc.oneof(fc.nat(2 ** 31), fc.double({ min: 0, max: 2e12, noNaN: true })),
  });
  const known = new KnownListings(1_000_000);
  fc.assert(
    fc.property(fc.array(message, { maxLength: 40 }), (messages) => {
      const { size, frames } = writeListing(messages);
      const read = () => {
        const reader = new ListingReader(size);
        for (const frame of frames) reader.add(frame.subarray(HEADER));
        assert.equal(reader.whole, true);
        return reader.messages('ada@kvt.dk', known);
      };
      const first = read();
      assert.deepEqual(
        first.map(({ uniqueId, octets, receivedAtMs, row }) => ({ uniqueId, octets, receivedAtMs, row })),
        messages.map((one, row) => ({ uniqueId: one.uniqueId, octets: one.octets, receivedAtMs: one.receivedAtMs, row })),
      );
      if (messages.length > 0) assert.equal(read(), first);
      assert.equal(writeListing(messages), writeListing(messages));
    }),
  );
});

test('no more listings are remembered than there is room for', () => {
  const known = new KnownListings(20);
  const listing = (length: number) => {
    const { size, frames } = writeListing(Array.from({ length }, (_, row) => ({ uniqueId: `${row}`, octets: 1, receivedAtMs: 0 })));
    return (mailbox: string) => {
      const reader = new ListingReader(size);
      for (const frame of frames) reader.add(frame.subarray(HEADER));
      return reader.messages(mailbox, known);
    };
  };
  const six = listing(6);
  const [a, b] = [six('a'), six('b')];
  assert.deepEqual([six('a') === a, six('b') === b], [true, true]);
  six('c');
  // `a` was used before `b`: it had to make room.
  assert.deepEqual([six('b') === b, six('a') === a], [true, false]);
  const large = listing(100);
  assert.notEqual(large('d'), large('d'));
});
