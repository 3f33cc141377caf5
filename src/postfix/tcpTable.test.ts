/** From tcp_table(5). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { lookupsOf, speaker } from './fakes.test.ts';
import { answerTcpTable, cutLine } from './tcpTable.ts';

const lookups = lookupsOf({
  'a@kvt.dk': 'b@kvt.dk, c@example.org',
  'with space': '100%',
  'å@kvt.dk': 'ø',
  '': 'empty',
  long: ' '.repeat(2000),
});

const answer = (request: string) => answerTcpTable(Buffer.from(request, 'latin1'), 'aliases', lookups, speaker);

test('each request gets one of the replies of tcp_table(5)', async () => {
  const cases: [string, string][] = [
    ['get a@kvt.dk', '200 b@kvt.dk,%20c@example.org'],
    ['get with%20space', '200 100%25'],
    ['get %C3%A5@kvt.dk', '200 %c3%b8'],
    ['get %c3%a5@kvt.dk', '200 %c3%b8'],
    ['get %61@kvt.dk', '200 b@kvt.dk,%20c@example.org'],
    ['get ', '200 empty'],
    ['get nobody', '500 there%20is%20no%20such%20key'],
    ['get later', '400 accounts%20can%20not%20be%20looked%20up%20just%20now'],
    ['get broken', '400 internal%20error'],
    ['get long', '400 the%20answer%20is%20too%20long'],
  ];
  for (const [request, reply] of cases) assert.equal(await answer(request), reply, request);
});

test('what is no request is never told that there is no such key', async () => {
  const requests = [
    '',
    'get',
    'GET a@kvt.dk',
    'get  a@kvt.dk',
    'get a b',
    'get a%',
    'get a%2',
    'get a%zz',
    'get a\r',
    'get \xe5',
    'put a b',
    ' get a',
    'get a\0',
  ];
  for (const request of requests)
    assert.equal(await answer(request), '400 "get",%20a%20space%20and%20an%20encoded%20key%20are%20wanted', JSON.stringify(request));
});

test('a line ends with a line feed, and holds 4096 octets with it', () => {
  const cut = (text: string, lookedAt = 0) => {
    const found = cutLine(Buffer.from(text), lookedAt);
    return found.kind === 'whole' ? [found.request.toString(), found.end] : found.kind;
  };
  assert.deepEqual(cut('get a\nget b\n'), ['get a', 6]);
  assert.deepEqual(cut('\n'), ['', 1]);
  assert.deepEqual(cut('get a'), 'part');
  assert.deepEqual(cut('get a\n', 5), ['get a', 6]);
  assert.deepEqual(cut(`${'x'.repeat(4095)}\n`), ['x'.repeat(4095), 4096]);
  assert.deepEqual(cut('x'.repeat(4095)), 'part');
  assert.deepEqual(cut('x'.repeat(4096)), 'malformed');
  assert.deepEqual(cut(`${'x'.repeat(4096)}\n`), 'malformed');
});

test('any key can be asked for, and any value be told', async () => {
  const encode = (text: string) =>
    Buffer.from(text)
      .toString('latin1')
      .replace(/[^\x21-\x7e]|%/g, (octet) => `%${octet.charCodeAt(0).toString(16).padStart(2, '0')}`);
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme', maxLength: 200 }), async (key, value) => {
      if (['later', 'broken', '__proto__'].includes(key)) return;
      const reply = await answerTcpTable(Buffer.from(`get ${encode(key)}`), 'senders', lookupsOf({ [key]: value }), speaker);
      const text = reply.replace(/^200 /, '').replace(/%(..)/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)));
      assert.equal(Buffer.from(text, 'latin1').toString(), Buffer.from(value).toString());
    }),
  );
});

test('random lines get one line each', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        fc.string({ unit: 'binary' }),
        fc.string().map((key) => `get ${key}`),
      ),
      async (line) => {
        assert.match(await answer(line), /^(?:200|400|500) [\x21-\x7e]*$/);
      },
    ),
  );
});
