/** From socketmap_table(5) and the definition of netstrings. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { lookupsOf, speaker } from './fakes.test.ts';
import { answerSocketmap, cutNetstring, LONGEST_NETSTRING, netstring } from './socketmap.ts';

const cut = (text: string) => {
  const found = cutNetstring(Buffer.from(text, 'latin1'));
  return found.kind === 'whole' ? [found.request.toString('latin1'), found.end] : found.kind;
};

test('a netstring is its length, a colon, its octets and a comma', () => {
  const cases: [string, string | [string, number]][] = [
    ['12:hello world!,', ['hello world!', 16]],
    ['0:,', ['', 3]],
    ['3:a,b,rest', ['a,b', 6]],
    ['2:\xc3\xa5,', ['\xc3\xa5', 5]],
    ['', 'part'],
    ['1', 'part'],
    ['12', 'part'],
    ['12:', 'part'],
    ['3:abc', 'part'],
    ['3:abcd', 'malformed'],
    [':,', 'malformed'],
    ['03:abc,', 'malformed'],
    ['00:,', 'malformed'],
    ['-1:,', 'malformed'],
    ['+1:a,', 'malformed'],
    [' 1:a,', 'malformed'],
    ['1e1:a', 'malformed'],
    ['0x1:a,', 'malformed'],
    ['100000:', 'part'],
    ['100001:', 'malformed'],
    ['100001', 'malformed'],
    ['99999999999999999999:', 'malformed'],
    ['get a\n', 'malformed'],
    ['3:abc\n', 'malformed'],
  ];
  for (const [octets, expected] of cases) assert.deepEqual(cut(octets), expected, JSON.stringify(octets));
});

test('each request gets one of the replies of socketmap_table(5)', async () => {
  const lookups = lookupsOf({
    'a@kvt.dk': 'b@kvt.dk, c@example.org',
    'with space': 'x',
    'å@kvt.dk': 'y',
    '': 'empty',
    long: 'x'.repeat(100_000),
  });
  const cases: [string, string][] = [
    ['aliases a@kvt.dk', 'OK b@kvt.dk, c@example.org'],
    ['aliases with space', 'OK x'],
    ['aliases å@kvt.dk', 'OK y'],
    ['aliases ', 'OK empty'],
    ['aliases nobody', 'NOTFOUND '],
    ['aliases A@kvt.dk', 'NOTFOUND '],
    ['aliases __proto__', 'NOTFOUND '],
    ['aliases a@kvt.dk\n', 'NOTFOUND '],
    ['aliases later', 'TEMP accounts can not be looked up just now'],
    // Nothing of what went wrong inside is told outside.
    ['aliases broken', 'TEMP internal error'],
    ['aliases long', 'TEMP the answer is too long'],
    ['elsewhere a@kvt.dk', 'PERM there is no table of that name'],
    ['toString a', 'PERM there is no table of that name'],
    [' a@kvt.dk', 'PERM there is no table of that name'],
    ['aliases', 'PERM a name of a table, a space and a key are wanted'],
    ['', 'PERM a name of a table, a space and a key are wanted'],
  ];
  for (const [request, reply] of cases) assert.equal(await answerSocketmap(Buffer.from(request), lookups, speaker), reply, request);
});

test('the name says which table is asked', async () => {
  const lookups = lookupsOf({});
  for (const name of ['domains', 'mailboxes', 'aliases', 'alias-domains', 'transport', 'senders', 'recent-logins'])
    await answerSocketmap(Buffer.from(`${name} a b`), lookups, speaker);
  assert.deepEqual(
    lookups.asked,
    ['domains', 'mailboxes', 'aliases', 'alias-domains', 'transport', 'senders', 'recent-logins'].map((name) => [name, 'a b']),
  );
});

test('what is written is read again, wherever it is split', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 300 }), fc.nat(), (text, at) => {
      const octets = netstring(text);
      const split = at % octets.length;
      assert.equal(cutNetstring(octets.subarray(0, split)).kind, 'part');
      assert.deepEqual(cutNetstring(Buffer.concat([octets, Buffer.from('7:')])), {
        kind: 'whole',
        request: Buffer.from(text),
        end: octets.length,
      });
    }),
  );
});

test('random octets are a part, whole or malformed, and never more than the limit', () => {
  const octets = fc.uint8Array({ maxLength: 64 });
  const nearly = fc
    .tuple(fc.nat(2_000_000), fc.constantFrom(':', ';', '', '::'), octets)
    .map(([length, colon, rest]) => Buffer.concat([Buffer.from(`${length}${colon}`), rest]));
  fc.assert(
    fc.property(fc.oneof(octets.map(Buffer.from), nearly), (input) => {
      const found = cutNetstring(input);
      if (found.kind === 'part') assert.ok(input.length <= LONGEST_NETSTRING + 8);
      if (found.kind === 'whole') assert.ok(found.end <= input.length && found.request.length <= LONGEST_NETSTRING);
    }),
  );
});

test('random requests get one reply each', async () => {
  const lookups = lookupsOf({});
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        fc.string(),
        fc.string({ unit: 'binary' }),
        fc.string().map((key) => `mailboxes ${key}`),
      ),
      async (request) => {
        assert.match(await answerSocketmap(Buffer.from(request), lookups, speaker), /^(?:OK .*|NOTFOUND |TEMP [\w ]+|PERM [\w, ]+)$/);
      },
    ),
  );
});
