import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { contextOf, fakeDirectory, play } from './fakes.test.ts';
import { mechanisms } from './index.ts';

const tim = () =>
  fakeDirectory(
    new Map([
      ['tim', 'tanstaaftanstaaf'],
      ['Kurt', 'xipj3plmq'],
      ['søren æ', 'rød grød'],
    ]),
  );

test('the mechanisms, strongest first', () => {
  assert.deepEqual(
    [...mechanisms].map(([name, { clientFirst, needsChannelBinding, proofKind }]) => [name, proofKind, clientFirst, needsChannelBinding]),
    [
      ['SCRAM-SHA-256-PLUS', 'scram-sha-256', true, true],
      ['SCRAM-SHA-1-PLUS', 'scram-sha-1', true, true],
      ['SCRAM-SHA-256', 'scram-sha-256', true, false],
      ['SCRAM-SHA-1', 'scram-sha-1', true, false],
      ['CRAM-MD5', 'cram-md5', false, false],
      ['PLAIN', 'password', true, false],
      ['LOGIN', 'password', false, false],
    ],
  );
});

test('PLAIN: the examples of RFC 4616 section 4', async () => {
  assert.deepEqual(await play('PLAIN', contextOf(tim()), ['\0tim\0tanstaaftanstaaf']), ['success tim']);
  // "Not authorized to requested authorization identity", with the right password.
  assert.deepEqual(await play('PLAIN', contextOf(tim()), ['Ursel\0Kurt\0xipj3plmq']), ['fault auth']);
});

test('PLAIN', async (t) => {
  const name255 = 'n'.repeat(255);
  const cases: [string, string | Buffer, string][] = [
    ['the own name as authorization identity', 'tim\0tim\0tanstaaftanstaaf', 'success tim'],
    ['names and passwords in UTF-8', '\0søren æ\0rød grød', 'success søren æ'],
    ['wrong password', '\0tim\0tanstaaf', 'fault auth'],
    ['unknown user', '\0tom\0tanstaaftanstaaf', 'fault auth'],
    ['authorization identity differs in case', 'Tim\0tim\0tanstaaftanstaaf', 'fault auth'],
    ['nothing', '', 'fault syntax'],
    ['no NUL', 'tim tanstaaftanstaaf', 'fault syntax'],
    ['one NUL', 'tim\0tanstaaftanstaaf', 'fault syntax'],
    ['three NULs', '\0tim\0tanstaaftanstaaf\0', 'fault syntax'],
    ['NUL in the password', '\0tim\0tanstaaf\0tanstaaf', 'fault syntax'],
    ['empty name', '\0\0tanstaaftanstaaf', 'fault syntax'],
    ['empty password', '\0tim\0', 'fault syntax'],
    ['name that is no UTF-8', Buffer.from('\0t\xfdm\0tanstaaftanstaaf', 'latin1'), 'fault syntax'],
    ['authorization identity that is no UTF-8', Buffer.from('\xff\0tim\0tanstaaftanstaaf', 'latin1'), 'fault syntax'],
    ['UTF-8 longer than need be', Buffer.from('\0t\xc1\xa9m\0tanstaaftanstaaf', 'latin1'), 'fault syntax'],
    ['password that is no UTF-8 goes to the directory as it is', Buffer.from('\0tim\0r\xf8d', 'latin1'), 'fault auth'],
    ['name of 255 octets', `\0${name255}\0x`, 'fault auth'],
    ['name of 256 octets', `\0${name255}n\0x`, 'fault syntax'],
    ['password of 1024 octets', `\0tim\0${'p'.repeat(1024)}`, 'fault auth'],
    ['password of 1025 octets', `\0tim\0${'p'.repeat(1025)}`, 'fault syntax'],
  ];
  for (const [what, response, expected] of cases) {
    await t.test(what, async () => assert.deepEqual(await play('PLAIN', contextOf(tim()), [response]), [expected]));
  }
});

test('PLAIN: what the directory is asked', async () => {
  const directory = tim();
  const arrival = { localAddress: '192.0.2.1', serverName: 'pop.kvt.dk' };
  await play('PLAIN', contextOf(directory, { arrival }), ['\0tim\0tanstaaftanstaaf']);
  assert.deepEqual(directory.asked, [
    { claim: { login: 'tim', arrival }, proof: { kind: 'password', password: Buffer.from('tanstaaftanstaaf') } },
  ]);
});

test('LOGIN', async (t) => {
  const cases: [string, (string | Buffer)[], string[]][] = [
    ['name, then password', ['', 'tim', 'tanstaaftanstaaf'], ['Username:', 'Password:', 'success tim']],
    ['the name as initial response', ['tim', 'tanstaaftanstaaf'], ['Password:', 'success tim']],
    ['wrong password', ['', 'tim', 'tanstaaf'], ['Username:', 'Password:', 'fault auth']],
    ['empty name', ['', ''], ['Username:', 'fault syntax']],
    ['empty password', ['', 'tim', ''], ['Username:', 'Password:', 'fault syntax']],
    ['NUL in the name', ['', 'ti\0m'], ['Username:', 'fault syntax']],
    ['NUL in the password', ['', 'tim', 'tanstaaftanstaaf\0'], ['Username:', 'Password:', 'fault syntax']],
    ['name that is no UTF-8', ['', Buffer.from([0x74, 0xff])], ['Username:', 'fault syntax']],
  ];
  for (const [what, responses, expected] of cases) {
    await t.test(what, async () => assert.deepEqual(await play('LOGIN', contextOf(tim()), responses), expected));
  }
});

/** RFC 2195 section 2: 1896 is the random part, 697170952 the time. */
const reston = {
  hostname: 'postoffice.reston.mci.net',
  random: () => Buffer.from((1896).toString(16).padStart(32, '0'), 'hex'),
  now: () => 697170952,
};

test('CRAM-MD5: the example of RFC 2195 section 2', async () => {
  const context = contextOf(tim(), reston);
  const response = Buffer.from('dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw', 'base64');
  const said = await play('CRAM-MD5', context, ['', response]);
  assert.deepEqual(said, ['<1896.697170952@postoffice.reston.mci.net>', 'success tim']);
  assert.equal(Buffer.from(said[0] ?? '').toString('base64'), 'PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+');
});

test('CRAM-MD5', async (t) => {
  const digest = 'b913a602c7eda7a495b4e6e7334d3890';
  const cases: [string, string[], string][] = [
    ['name with a space', [`søren æ ${digest}`], 'fault auth'],
    ['digest of something else', [`tim ${digest.replace('b', 'c')}`], 'fault auth'],
    ['digest in capitals', [`tim ${digest.toUpperCase()}`], 'fault syntax'],
    ['digest one digit short', [`tim ${digest.slice(1)}`], 'fault syntax'],
    ['digest with a letter beyond f', [`tim ${digest.replace('b', 'g')}`], 'fault syntax'],
    ['digest alone', [digest], 'fault syntax'],
    ['empty name', [` ${digest}`], 'fault syntax'],
    ['nothing', [''], 'fault syntax'],
    ['a line end behind the digest', [`tim ${digest}\n`], 'fault syntax'],
  ];
  for (const [what, responses, expected] of cases) {
    await t.test(what, async () => {
      const context = contextOf(tim(), reston);
      assert.deepEqual(await play('CRAM-MD5', context, ['', ...responses]), ['<1896.697170952@postoffice.reston.mci.net>', expected]);
    });
  }
  await t.test('an initial response', async () => {
    assert.deepEqual(await play('CRAM-MD5', contextOf(tim()), [`tim ${digest}`]), ['fault syntax']);
  });
});

test('an exchange that is over takes no further response', async () => {
  const exchange = mechanisms.get('PLAIN')?.start(contextOf(tim()));
  assert.ok(exchange);
  await assert.rejects(exchange.next(Buffer.from('\0tim\0wrong')), { kind: 'auth' });
  await assert.rejects(exchange.next(Buffer.from('\0tim\0tanstaaftanstaaf')), { kind: 'syntax' });
});

/** Octets at random, and pieces that look like a response. */
const responseOctets = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  fc
    .array(fc.constantFrom('\0', 'tim', ' ', 'tanstaa', 'b913a602c7eda7a495b4e6e7334d3890', 'Kurt', '\xff', 'ø', ''), { maxLength: 8 })
    .map((pieces) => Buffer.from(pieces.join(''))),
);

for (const [name, opening] of [
  ['PLAIN', []],
  ['LOGIN', ['']],
  ['LOGIN', ['', 'tim']],
  ['CRAM-MD5', ['']],
] as const) {
  test(`${name}: whatever comes after ${opening.length} responses ends in auth or syntax`, async () => {
    await fc.assert(
      fc.asyncProperty(responseOctets, responseOctets, async (first, second) => {
        const said = await play(name, contextOf(tim()), [...opening, Buffer.from(first), Buffer.from(second)]);
        assert.match(said.at(-1) ?? '', /^fault (auth|syntax)$/);
      }),
      { numRuns: 300 },
    );
  });
}
