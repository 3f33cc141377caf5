/** Each payload comes out as it went in; and whatever else comes in is a value or malformed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Address, parseAddress, parseDomainName } from '../model/address.ts';
import type { Account, Proof } from '../model/directory.ts';
import { Fault } from '../model/fault.ts';
import { MOST_HEADER } from '../model/receipts.ts';
import { readWanted } from './accounts.ts';
import { type FrameWriter, frames, Payload } from './codec.ts';
import { readFault, writeFault } from './faults.ts';
import { HEADER, Malformed, MOST_PAYLOAD } from './frames.ts';
import * as replies from './replies.ts';
import * as requests from './requests.ts';

/** The payload of the one frame there is. */
function payloadOf(octets: Buffer): Payload {
  assert.equal(octets.readUInt32LE(), octets.length - HEADER);
  return new Payload(octets.subarray(HEADER));
}

function written(write: (to: FrameWriter) => void): Payload {
  return payloadOf(
    frames((to) => {
      write(to.begin(99));
      to.finish();
    }),
  );
}

function address(text: string): Address {
  const parsed = parseAddress(text);
  assert.ok(parsed);
  return parsed;
}

const ada: Account = {
  mailbox: { name: 'ada@kvt.dk', ...address('ada@kvt.dk'), home: undefined, owner: undefined },
  services: new Set(['pop3', 'receive']),
  language: 'da',
};
const jens: Account = {
  mailbox: { name: 'jens', user: address('jens@kvt.dk').user, domain: undefined, home: undefined, owner: undefined },
  services: new Set(),
  language: undefined,
};
/** Objects as anybody would write them. */
const record = <T>(parts: { [K in keyof T]: fc.Arbitrary<T[K]> }) => fc.record(parts, { noNullPrototype: true });
const text = fc.string({ unit: 'grapheme', maxLength: 100 });
const octets = fc.uint8Array({ maxLength: 100 }).map((some) => Buffer.from(some));
const proof: fc.Arbitrary<Proof> = fc.oneof(
  record({ kind: fc.constant('password' as const), password: octets }),
  record({ kind: fc.constant('apop' as const), timestamp: text, digest: text }),
  record({ kind: fc.constant('cram-md5' as const), challenge: text, digest: text }),
  record({ kind: fc.constant('scram' as const), hash: fc.constantFrom('sha1', 'sha256'), authMessage: octets, clientProof: octets }),
);
const claim = record({
  login: text,
  arrival: record({
    localAddress: fc.constant(undefined),
    serverName: fc.option(text, { nil: undefined }),
    remoteAddress: fc.option(text, { nil: undefined }),
  }),
});

test('logins', () => {
  const request = record({
    claim,
    proof,
    service: fc.constantFrom('pop3', 'smtp-auth', 'receive', 'web'),
    opens: fc.boolean(),
    noStatus: fc.boolean(),
  });
  fc.assert(
    fc.property(request, (one) => {
      assert.deepEqual(requests.readAuthenticate(payloadOf(requests.writeAuthenticate(one))), one);
    }),
  );
  fc.assert(
    fc.property(claim, fc.constantFrom('sha1', 'sha256'), (one, hash) => {
      assert.deepEqual(requests.readScramParameters(payloadOf(requests.writeScramParameters(one, hash))), { claim: one, hash });
      assert.deepEqual(requests.readClaim(payloadOf(requests.writeExplain(one))), one);
    }),
  );
});

test('where the client connected to stays with the front', () => {
  const one = { login: 'ada', arrival: { localAddress: '192.0.2.1', serverName: 'kvt.dk', remoteAddress: '198.51.100.7' } };
  const { arrival } = requests.readClaim(payloadOf(requests.writeExplain(one)));
  assert.deepEqual(arrival, { localAddress: undefined, serverName: 'kvt.dk', remoteAddress: '198.51.100.7' });
});

test('deliveries, look-ups, retrievals', () => {
  const to = { address: address('jørgen+tag@kvt.dk'), system: true };
  const envelope = { sender: '', recipient: 'Jørgen@kvt.dk', originalRecipient: 'alle@kvt.dk', receivedAt: new Date(1_790_000_000_123) };
  assert.deepEqual(requests.readDeliver(payloadOf(requests.writeDeliver({ to, envelope }))), { to, envelope });
  for (const write of [requests.writeAccountRequest, requests.writeLocate]) assert.deepEqual(readWanted(payloadOf(write(to))), to);
  assert.deepEqual(requests.readRetrieve(payloadOf(requests.writeRetrieve(49_999, 2 ** 40))), { row: 49_999, skip: 2 ** 40 });
});

test('messages that are marked, as runs', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(300), { maxLength: 300 }), (some) => {
      const rows = some.sort((a, b) => a - b);
      const seen: [string, number][] = [];
      const octets = frames((to) => requests.writeMarks(to, 'deleted', rows));
      if (rows.length === 0) assert.equal(octets.length, 0);
      else requests.readMarks(payloadOf(octets), 301, (what, row) => void seen.push([what, row]));
      assert.deepEqual(
        seen,
        rows.map((row) => ['deleted', row]),
      );
    }),
  );
});

test('a maildrop of 50,000 messages marked as a whole crosses in 14 octets, and every other one in several frames', () => {
  const all = Array.from({ length: 50_000 }, (_, row) => row);
  assert.equal(frames((to) => requests.writeMarks(to, 'retrieved', all)).length, HEADER + 9);
  const odd = all.filter((row) => row % 2 === 1);
  const octets = frames((to) => requests.writeMarks(to, 'retrieved', odd));
  const seen: number[] = [];
  for (let at = 0; at < octets.length; ) {
    const length = octets.readUInt32LE(at);
    assert.ok(length <= MOST_PAYLOAD);
    requests.readMarks(new Payload(octets.subarray(at + HEADER, at + HEADER + length)), 50_000, (_, row) => void seen.push(row));
    at += HEADER + length;
  }
  assert.deepEqual(seen, odd);
});

test('whose usage is asked for, and what it is', () => {
  const domain = 'kvt.dk' as ReturnType<typeof address>['domain'];
  for (const request of [
    { address: address('ada@kvt.dk'), system: true },
    { domain, anew: false },
    { domain, anew: true },
  ])
    assert.deepEqual(requests.readUsageRequest(payloadOf(requests.writeUsageRequest(request))), request);
  for (const usage of [{ octets: 0 }, { octets: 2 ** 53 - 1, messages: 0 }, { octets: 1, messages: 5_000_000_000 }])
    assert.deepEqual(replies.readUsage(payloadOf(replies.writeUsage(usage))), usage);
  for (const wrong of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]) {
    assert.throws(() => replies.readUsage(payloadOf(replies.writeUsage({ octets: wrong }))), Malformed);
    assert.throws(() => replies.readUsage(payloadOf(replies.writeUsage({ octets: 1, messages: wrong }))), Malformed);
  }
});

test('what is asked about once, and a time that is none', () => {
  const of = { address: address('ada@kvt.dk'), system: false };
  const topic = fc.constantFrom('vacation', 'receipt', 'quota-warning');
  const lastsS = fc.double({ min: 0, noNaN: true });
  fc.assert(
    fc.property(topic, text, lastsS, (topic, key, lastsS) => {
      const request = { of, topic, key, lastsS };
      assert.deepEqual(requests.readFirst(payloadOf(requests.writeFirst(request))), request);
    }),
  );
  for (const wrong of [-1, Number.NaN, Number.NEGATIVE_INFINITY]) {
    assert.throws(() => requests.readFirst(payloadOf(requests.writeFirst({ of, topic: 'receipt', key: '', lastsS: wrong }))), Malformed);
  }
  const long = { of, topic: 'receipt', key: 'x'.repeat(requests.MOST_KEY + 1), lastsS: 1 } as const;
  assert.throws(() => requests.readFirst(payloadOf(requests.writeFirst(long))), Malformed);
});

test('a receipt that is to wait, as large as it may be', () => {
  const of = { address: address('ada@kvt.dk'), system: false };
  const request = (header: Buffer, to = 'bob@example.org') => ({
    of,
    receipt: { uniqueId: 'x'.repeat(70), to, header },
    unlessKnown: true,
  });
  const largest = request(Buffer.alloc(MOST_HEADER, 0x61), `${'b'.repeat(64)}@${'c'.repeat(189)}`);
  assert.deepEqual(requests.readReceipt(payloadOf(requests.writeReceipt(largest))), largest);
  const large = request(Buffer.alloc(MOST_HEADER + 1));
  assert.throws(() => requests.readReceipt(payloadOf(requests.writeReceipt(large))), Malformed);
  const twoLines = request(Buffer.alloc(0), 'bob@example.org\neve@example.net');
  assert.throws(() => requests.readReceipt(payloadOf(requests.writeReceipt(twoLines))), Malformed);
});

test('marks beyond the maildrop, or going back, are malformed', () => {
  const marks = (...runs: number[]) => written((to) => runs.reduce((all, number) => all.u32(number), to.u8(0)));
  for (const runs of [[10, 1], [9, 2], [0, 11], [5, 1, 5, 1], [5, 2, 6, 1], [0, 2 ** 32 - 1], [2 ** 32 - 1, 1], [3]]) {
    assert.throws(() => requests.readMarks(marks(...runs), 10, () => {}), Malformed, JSON.stringify(runs));
  }
});

test('admissions, with and without a maildrop', () => {
  const fault = new Fault('in-use', 'another session has this maildrop');
  for (const [admission, opening] of [
    [{ account: ada, noStatus: true }, { kind: 'none' }],
    [
      { account: jens, noStatus: false, serverSignature: Buffer.alloc(32, 3) },
      { kind: 'open', listing: { messages: 7, octets: 300 } },
    ],
    [
      { account: ada, noStatus: false },
      { kind: 'fault', fault },
    ],
  ] as const) {
    const read = replies.readAdmitted(payloadOf(replies.writeAdmitted(admission, opening)));
    assert.deepEqual(read, { serverSignature: undefined, ...admission, opening });
  }
});

test('answers to look-ups', () => {
  for (const account of [ada, jens, undefined]) {
    assert.deepEqual(replies.readAccountReply(payloadOf(replies.writeAccountReply(account))), account);
    const explained = { steps: [{ rule: 'login name', outcome: 'user ada' }], account };
    assert.deepEqual(replies.readExplained(payloadOf(replies.writeExplained(explained))), explained);
  }
  const name = parseDomainName('kvt.dk');
  assert.ok(name);
  for (const unknownUsers of [{ kind: 'bounce' }, { kind: 'postmaster' }, { kind: 'address', address: address('x@y.dk') }] as const) {
    const answer: replies.DomainReply = { domain: { name, unknownUsers }, kinds: new Set(['password', 'scram-sha-256']) };
    assert.deepEqual(replies.readDomainReply(payloadOf(replies.writeDomainReply(answer))), answer);
  }
  const none = { domain: undefined, kinds: new Set([]) };
  assert.deepEqual(replies.readDomainReply(payloadOf(replies.writeDomainReply(none))), none);
  const scram = { salt: Buffer.from('salt'), iterations: 4096 };
  assert.deepEqual(replies.readScramReply(payloadOf(replies.writeScramReply(scram))), scram);
  const located = { path: '/var/mail/ada', format: 'mbox', exists: true, tried: [{ place: '/home/ada', found: 'nothing' }] };
  assert.deepEqual(replies.readLocated(payloadOf(replies.writeLocated(located))), located);
});

test('a front is not told where mail rests, nor whose it is', () => {
  const account = { ...ada, mailbox: { ...ada.mailbox, home: '/home/ada', owner: { uid: 601, gid: 100 } } };
  assert.deepEqual(replies.readAccountReply(payloadOf(replies.writeAccountReply(account))), ada);
});

test('faults keep their kind, text and values; the cause becomes what the log would say', () => {
  const inner = new Error('ENOSPC: no space left on device');
  const table: [Fault, unknown][] = [
    [new Fault('auth', 'authentication failed', { cause: 'wrong password' }), 'wrong password'],
    [new Fault('temporary', 'internal error', { cause: new Error('write', { cause: inner }) }), 'write: ENOSPC: no space left on device'],
    [new Fault('in-use', 'another session has this maildrop'), undefined],
    [new Fault('login-delay', 'too soon after the last login: {seconds} seconds must lie between', { values: { seconds: 60 } }), undefined],
    [new Fault('not-found', 'no such mailbox: {name}', { values: { name: '/x' } }), undefined],
  ];
  for (const [fault, cause] of table) {
    const { kind, text, values, cause: heard } = readFault(written((to) => writeFault(to, fault)));
    assert.deepEqual([kind, text, values, heard], [fault.kind, fault.text, fault.values, cause]);
  }
});

test('a text that is not in the catalogue is malformed', () => {
  for (const said of ['hello', '', '__proto__', 'constructor', 'internal error\r\n+OK']) {
    assert.throws(() => readFault(written((to) => to.u8(0).text(said).text(''))), Malformed, said);
  }
});

test('whatever is read is a value or malformed', () => {
  const readers: ((from: Payload) => unknown)[] = [
    requests.readAuthenticate,
    requests.readClaim,
    requests.readScramParameters,
    requests.readRetrieve,
    requests.readDeliver,
    requests.readFirst,
    requests.readReceipt,
    (from) => requests.readMarks(from, 1000, () => {}),
    readWanted,
    readFault,
    replies.readAdmitted,
    replies.readOpened,
    replies.readAccountReply,
    replies.readDomainReply,
    replies.readScramReply,
    replies.readExplained,
    replies.readLocated,
    replies.readFirstReply,
    replies.readReceiptReply,
    requests.readUsageRequest,
    replies.readUsage,
  ];
  // Small numbers lead further in than others.
  const payload = fc.array(
    fc.oneof({ weight: 3, arbitrary: fc.constantFrom(0, 0, 0, 1, 2, 3, 4, 97, 98) }, { weight: 1, arbitrary: fc.nat(255) }),
    {
      maxLength: 120,
    },
  );
  fc.assert(
    fc.property(payload, (some) => {
      for (const read of readers) {
        try {
          read(new Payload(Buffer.from(some)));
        } catch (thrown) {
          assert.ok(thrown instanceof Malformed, String(thrown));
        }
      }
    }),
    { numRuns: 2000 },
  );
});
