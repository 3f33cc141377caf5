/** What every maildrop store promises, as model/maildrop.ts says it. A new backend is one more call of this. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Fault, type FaultKind } from '../../src/model/fault.ts';
import type { Mailbox } from '../../src/model/mailbox.ts';
import type { Maildrop, MaildropMessage, MaildropStore } from '../../src/model/maildrop.ts';
import { envelope, mailboxNamed, text } from '../support/mail.ts';
import { whole } from '../support/mailOctets.ts';

export interface StoreUnderTest {
  readonly store: MaildropStore;
  /** The same mail through a store that remembers nothing, as after a restart or in another process. */
  again(): MaildropStore;
  /** Where mail is in files: */
  readonly files?: {
    /** Names, sizes and time stamps of everything the mailbox consists of. */
    fingerprint(mailbox: Mailbox): unknown;
    /** Removes the message that holds this text, as another mail program would. */
    removeElsewhere(mailbox: Mailbox, text: string): void;
    /** Puts a message there as another mail program would. */
    addElsewhere(mailbox: Mailbox, message: Buffer): void;
    /** What the messages, or the file that they are in, take up on the disc. */
    octets(mailbox: Mailbox): number;
  };
}

const nothing: ReadonlySet<MaildropMessage> = new Set();

/** What a client gets: CRLF line ends, the last line has one too. RFC 1939 section 3, without byte-stuffing. */
export function onTheWire(octets: Buffer): Buffer {
  const lines = octets.toString('latin1').replaceAll(/(?<!\r)\n/g, '\r\n');
  return Buffer.from(lines === '' || lines.endsWith('\n') ? lines : `${lines}\r\n`, 'latin1');
}

export async function fetched(maildrop: Maildrop, message: MaildropMessage | undefined): Promise<Buffer> {
  assert.ok(message !== undefined, 'there is no such message');
  return onTheWire(await whole(maildrop.retrieve(message)));
}

/** Everything in the mailbox, in order, as text; without the `Status:` that an update may have written into an mbox. */
export async function contents(store: MaildropStore, mailbox: Mailbox): Promise<string[]> {
  await using maildrop = await store.open(mailbox);
  const all: string[] = [];
  for (const message of maildrop.messages) {
    all.push((await fetched(maildrop, message)).toString('latin1').replace(/^Status: R?O\r\n/m, ''));
  }
  return all;
}

function hasKind(kind: FaultKind): (thrown: unknown) => boolean {
  return (thrown) => thrown instanceof Fault && thrown.kind === kind;
}

function pick(maildrop: Maildrop, ...numbers: number[]): Set<MaildropMessage> {
  return new Set(numbers.map((n) => maildrop.messages[n - 1]).filter((message) => message !== undefined));
}

export function maildropStoreContract(name: string, make: (t: TestContext) => Promise<StoreUnderTest>): void {
  const abc = mailboxNamed('abc@kvt.dk');
  const kvt = mailboxNamed('kvt@kvt.dk');
  const promise = (what: string, check: (under: StoreUnderTest, t: TestContext) => Promise<void>): void => {
    test(`${name}: ${what}`, async (t) => check(await make(t), t));
  };
  const deliverAll = async (store: MaildropStore, ...subjects: string[]): Promise<void> => {
    for (const subject of subjects) await store.deliver(abc, [text(subject)], envelope);
  };

  promise('a mailbox that is not there is an empty maildrop', async ({ store }) => {
    await using maildrop = await store.open(abc);
    assert.deepEqual([...maildrop.messages], []);
    await maildrop.update(nothing, nothing);
  });

  promise('messages come in the order of their delivery, each mailbox for itself', async ({ store, again }) => {
    const subjects = Array.from({ length: 12 }, (_, n) => `message ${n}`);
    await deliverAll(store, ...subjects);
    await store.deliver(kvt, [text('other')], envelope);
    assert.deepEqual(
      await contents(store, abc),
      subjects.map((subject) => text(subject).toString()),
    );
    assert.deepEqual(
      await contents(again(), abc),
      subjects.map((subject) => text(subject).toString()),
    );
    assert.deepEqual(await contents(store, kvt), [text('other').toString()]);
  });

  promise('what is delivered comes back octet by octet, and is as long as the listing says', async ({ store, again }) => {
    for (const [what, pieces] of peculiar()) {
      await store.deliver(abc, pieces, envelope);
      const expected = onTheWire(Buffer.concat([...pieces]));
      for (const one of [store, again()]) {
        await using maildrop = await one.open(abc);
        assert.equal(maildrop.messages.length, 1, what);
        const got = await fetched(maildrop, maildrop.messages[0]);
        assert.equal(got.toString('latin1'), expected.toString('latin1'), what);
        assert.equal(maildrop.messages[0]?.octets, expected.length, what);
      }
      await using maildrop = await store.open(abc);
      await maildrop.update(new Set(maildrop.messages), nothing);
    }
  });

  promise('a message can be retrieved twice, stopped in the middle, and beside another', async ({ store }) => {
    await deliverAll(store, 'one', 'two');
    await using maildrop = await store.open(abc);
    const [one, two] = maildrop.messages;
    assert.ok(one && two);
    const first = maildrop.retrieve(one);
    assert.deepEqual(onTheWire(await whole(first)), text('one'));
    assert.deepEqual(onTheWire(await whole(first)), text('one'));
    for await (const piece of first) {
      assert.ok(piece.length > 0);
      const [a, b] = await Promise.all([fetched(maildrop, one), fetched(maildrop, two)]);
      assert.deepEqual([a, b], [text('one'), text('two')]);
      break;
    }
  });

  promise('when a message arrived is what its envelope said, to the second', async ({ store, again }) => {
    await deliverAll(store, 'one');
    for (const one of [store, again()]) {
      await using maildrop = await one.open(abc);
      assert.equal(Math.floor((maildrop.messages[0]?.receivedAtMs ?? 0) / 1000), envelope.receivedAt.getTime() / 1000);
    }
  });

  promise('what is delivered during a session shows in the next one', async ({ store }) => {
    await deliverAll(store, 'one');
    {
      await using maildrop = await store.open(abc);
      await deliverAll(store, 'two');
      assert.equal(maildrop.messages.length, 1);
      assert.deepEqual(await fetched(maildrop, maildrop.messages[0]), text('one'));
      await maildrop.update(pick(maildrop, 1), nothing);
    }
    assert.deepEqual(await contents(store, abc), [text('two').toString()]);
  });

  promise('one session at a time, between processes too; the others get in afterwards', async ({ store, again }) => {
    await deliverAll(store, 'one');
    const other = again();
    const maildrop = await store.open(abc);
    await assert.rejects(store.open(abc), hasKind('in-use'));
    await assert.rejects(other.open(abc), hasKind('in-use'));
    await (await other.open(kvt))[Symbol.asyncDispose]();
    await maildrop[Symbol.asyncDispose]();
    const next = await other.open(abc);
    // A second time, late: the lock is the other's now.
    await maildrop[Symbol.asyncDispose]();
    await assert.rejects(store.open(abc), hasKind('in-use'));
    await next[Symbol.asyncDispose]();
    assert.equal((await contents(store, abc)).length, 1);
  });

  promise('a session that ends without update removes nothing', async ({ store, again }) => {
    await deliverAll(store, 'one', 'two');
    await (await store.open(abc))[Symbol.asyncDispose]();
    assert.equal((await contents(again(), abc)).length, 2);
  });

  for (const [what, numbers] of [
    ['the first', [1]],
    ['the last', [5]],
    ['some', [2, 4]],
    ['all', [1, 2, 3, 4, 5]],
  ] as const) {
    promise(`an update removes ${what} and nothing else`, async ({ store, again }) => {
      const subjects = ['one', 'two', 'three', 'four', 'five'];
      await deliverAll(store, ...subjects);
      {
        await using maildrop = await store.open(abc);
        const before = [...maildrop.messages];
        await maildrop.update(pick(maildrop, ...numbers), nothing);
        assert.deepEqual([...maildrop.messages], before, 'numbers stay to the end of the session');
      }
      const left = subjects.filter((_, at) => !(numbers as readonly number[]).includes(at + 1)).map((subject) => text(subject).toString());
      assert.deepEqual(await contents(store, abc), left);
      assert.deepEqual(await contents(again(), abc), left);
    });
  }

  promise('unique-ids are valid, differ, and stay', async ({ store, again }) => {
    const idsOf = async (one: MaildropStore): Promise<string[]> => {
      await using maildrop = await one.open(abc);
      return maildrop.messages.map((message) => message.uniqueId);
    };
    // Two that don't differ at all are two messages.
    await deliverAll(store, 'same', 'other', 'same', 'more', 'same');
    const first = await idsOf(store);
    for (const id of first) assert.match(id, /^[\x21-\x7e]{1,70}$/);
    assert.equal(new Set(first).size, 5);
    assert.deepEqual(await idsOf(again()), first);

    {
      await using maildrop = await store.open(abc);
      await maildrop.update(pick(maildrop, 1, 4), pick(maildrop, 2, 3));
    }
    await deliverAll(store, 'same');
    const second = await idsOf(again());
    assert.deepEqual(second.slice(0, 3), [first[1], first[2], first[4]]);
    assert.ok(!first.includes(second[3] ?? ''), 'the unique-id of a removed message is not given again');

    {
      await using maildrop = await store.open(abc);
      await maildrop.update(new Set(maildrop.messages), nothing);
    }
    await deliverAll(store, 'same', 'other');
    const third = await idsOf(again());
    assert.equal(new Set([...first, ...second, ...third]).size, 5 + 1 + 2);
  });

  promise('deliveries at the same time are all kept, once', async ({ store, again }) => {
    const subjects = Array.from({ length: 24 }, (_, n) => `message ${n}`);
    const other = again();
    await Promise.all(subjects.map((subject, n) => (n % 2 ? store : other).deliver(abc, [text(subject)], envelope)));
    assert.deepEqual((await contents(store, abc)).sort(), subjects.map((subject) => text(subject).toString()).sort());
  });

  promise('a delivery whose source fails leaves nothing', async ({ store, again }) => {
    await deliverAll(store, 'one');
    const broken = async function* (): AsyncGenerator<Uint8Array> {
      yield text('half');
      throw new Error('connection lost');
    };
    await assert.rejects(store.deliver(abc, broken(), envelope));
    await deliverAll(store, 'two');
    const expected = ['one', 'two'].map((subject) => text(subject).toString());
    assert.deepEqual(await contents(again(), abc), expected);
  });

  promise('usage is what is there, whoever wrote it and whoever reads it, and sinks with each message that is removed', async (under) => {
    const { store, again, files } = under;
    for (const one of [store, again()]) assert.equal((await one.usage(abc)).octets, 0);
    assert.equal((await store.locate(abc)).exists, false, 'to ask makes no mailbox');
    await deliverAll(store, 'one', 'two', 'three');
    await store.deliver(kvt, [text('other', 'x'.repeat(5000))], envelope);
    const three = (await store.usage(abc)).octets;
    const atRest = ['one', 'two', 'three'].reduce((sum, subject) => sum + text(subject).toString().replaceAll('\r\n', '\n').length, 0);
    assert.ok(three >= atRest && three < atRest + 1000, `${three} octets for ${atRest}`);
    const expectThere = async (messages: number): Promise<void> => {
      for (const one of [store, again()]) {
        const usage = await one.usage(abc);
        if (files !== undefined) assert.equal(usage.octets, files.octets(abc));
        if (usage.messages !== undefined) assert.equal(usage.messages, messages);
      }
    };
    await expectThere(3);
    {
      await using maildrop = await store.open(abc);
      await expectThere(3);
      await maildrop.update(pick(maildrop, 2), pick(maildrop, 1, 2));
      await expectThere(2);
    }
    assert.ok((await store.usage(abc)).octets < three);
    files?.addElsewhere(abc, text('by somebody else'));
    await expectThere(files === undefined ? 2 : 3);
    files?.removeElsewhere(abc, 'Subject: one');
    await expectThere(2);
  });

  promise('locate says what is opened', async ({ store }) => {
    assert.equal((await store.locate(abc)).exists, false);
    await deliverAll(store, 'one');
    const { exists, path, tried } = await store.locate(abc);
    assert.equal(exists, true);
    assert.equal(tried.at(-1)?.place, path);
  });

  promise(
    'a message that was marked as read says so in later sessions, and none does that was left alone',
    async ({ store, again, files }) => {
      if (files === undefined) return;
      await deliverAll(store, 'one', 'two', 'three', 'four');
      const read = (maildrop: Maildrop) => maildrop.messages.map(({ wasRead }) => wasRead);
      for (const [noStatus, expected] of [
        [true, [false, false, false]],
        [false, [true, false]],
      ] as const) {
        {
          await using maildrop = await store.open(abc, { noStatus });
          assert.deepEqual(read(maildrop), [false, ...expected.map(() => false)]);
          await maildrop.update(pick(maildrop, 1), pick(maildrop, 1, 2));
        }
        for (const one of [store, again()]) {
          await using maildrop = await one.open(abc);
          assert.deepEqual(read(maildrop), expected);
        }
      }
    },
  );

  promise('an update with nothing to do writes nothing', async ({ store, files }) => {
    if (files === undefined) return;
    await deliverAll(store, 'one', 'two');
    await contents(store, abc);
    const before = files.fingerprint(abc);
    for (const noStatus of [false, true]) {
      await using maildrop = await store.open(abc, { noStatus });
      await fetched(maildrop, maildrop.messages[0]);
      await maildrop.update(nothing, pick(maildrop, 1));
    }
    assert.deepEqual(files.fingerprint(abc), before);
  });

  promise('what another program removes is gone, and the rest is served and removed all the same', async ({ store, again, files }) => {
    if (files === undefined) return;
    await deliverAll(store, 'one', 'two', 'three');
    {
      await using maildrop = await store.open(abc);
      const [one, two, three] = maildrop.messages;
      assert.ok(one && two && three);
      files.removeElsewhere(abc, 'Subject: two');
      await assert.rejects(async () => whole(maildrop.retrieve(two)), hasKind('temporary'));
      assert.deepEqual(await fetched(maildrop, three), text('three'));
      await maildrop.update(new Set([two, one]), nothing);
    }
    assert.deepEqual(await contents(again(), abc), [text('three').toString()]);
  });

  promise('a huge message comes in pieces, and only as many as are asked for', async ({ store, files }) => {
    if (files === undefined) return;
    const line = Buffer.from(`${'x'.repeat(98)}\r\n`);
    const megabyte = Buffer.concat(Array.from({ length: 10_486 }, () => line));
    const parts = [text('huge'), ...Array.from({ length: 24 }, () => megabyte)];
    await store.deliver(abc, parts, envelope);
    const total = parts.reduce((sum, part) => sum + part.length, 0);
    await using maildrop = await store.open(abc);
    const [message] = maildrop.messages;
    assert.ok(message);
    assert.equal(message.octets, total);
    let lines = 0;
    let largest = 0;
    for await (const piece of maildrop.retrieve(message)) {
      largest = Math.max(largest, piece.length);
      for (const octet of piece) if (octet === 10) lines += 1;
    }
    assert.equal(lines, 3 + 24 * 10_486);
    assert.ok(largest <= 1_048_576, `a piece of ${largest} octets`);
  });
}

/** Messages that stores get wrong, each as it comes from the sender. */
function* peculiar(): Generator<[string, readonly Buffer[]]> {
  const header = 'Subject: x\r\n\r\n';
  const one = (body: string): Buffer[] => [Buffer.from(header + body, 'latin1')];
  yield ['lines that begin with dots', one('.\r\n..\r\n.x\r\n')];
  yield ['From lines', one('From ada\r\n\r\nFrom ada Thu Jan  1 00:00:00 1970\r\n>From ada\r\n>>From ada\r\nFrom: x\r\n')];
  yield ['a From line at once', [Buffer.from('From the beginning\r\nSubject: x\r\n\r\n\r\n', 'latin1')]];
  yield ['8-bit octets', one(`${String.fromCharCode(...Array.from({ length: 128 }, (_, n) => 128 + n))}\r\n`)];
  yield ['NULs', one('\0\0a\0\r\n\0\r\n')];
  yield ['no final newline', one('the end')];
  yield ['blank lines at the end', one('x\r\n\r\n\r\n\r\n')];
  yield ['an empty body', one('')];
  yield ['a header alone', [Buffer.from('Subject: x\r\nTo: y\r\n')]];
  yield ['no header', [Buffer.from('\r\nbody\r\n')]];
  yield ['one line without end', [Buffer.from('Subject: x')]];
  yield ['a line of 1 MB', one(`${'y'.repeat(1_048_576)}\r\n`)];
  yield ['LF alone', [Buffer.from('Subject: x\n\nFrom a\n.\nlast\n')]];
  yield ['LF and CRLF mixed', [Buffer.from('Subject: x\r\nTo: y\n\r\na\nb\r\n\r\n')]];
  yield ['CR alone, and before CRLF', one('a\rb\r\r\n\r\r\r\nc\r\n')];
  yield ['a CR at the very end', one('a\r\nb\r')];
  yield ['a Content-Length that lies', [Buffer.from('Content-Length: 3\r\nLines: 90\r\n\r\none\r\n\r\ntwo\r\n')]];
  const cut = Buffer.from(`${header}a\r\n\r\nFrom b\r\n.\r\n\r\n`);
  for (let at = 1; at < cut.length; at += 1) yield [`cut at ${at}`, [cut.subarray(0, at), cut.subarray(at)]];
}
