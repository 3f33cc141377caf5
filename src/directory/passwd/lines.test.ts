import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseUserName, type UserName } from '../../model/address.ts';
import { type PasswdLines, parsePasswd } from './lines.ts';

function user(name: string): UserName {
  const parsed = parseUserName(name);
  assert.ok(parsed, `not a user name: ${name}`);
  return parsed;
}

function found(lines: PasswdLines, name: string) {
  const line = lines.find(user(name));
  if (line === undefined) return undefined;
  const { password, twoFields, owner, home, start } = line;
  return { password: password.toString(), twoFields, owner, home, number: lines.lineNumber(start) };
}

test('seven fields as the predecessor wrote them', () => {
  const lines = parsePasswd(Buffer.from('kvt:kvtpasswd:601:100:kvtname:/home/kvt_dk/:\nabc:abcpasswd:601:100:abcname:.:\n'));
  const owner = { uid: 601, gid: 100 };
  assert.deepEqual(found(lines, 'kvt'), { password: 'kvtpasswd', twoFields: false, owner, home: '/home/kvt_dk', number: 1 });
  assert.deepEqual(found(lines, 'abc'), { password: 'abcpasswd', twoFields: false, owner, home: undefined, number: 2 });
  assert.deepEqual([lines.size, lines.skippedCount], [2, 0]);
});

test('fields, few and many', () => {
  const none = undefined;
  const table: [string, { password: string; twoFields: boolean; owner: unknown; home: unknown }][] = [
    ['a:hash', { password: 'hash', twoFields: true, owner: none, home: none }],
    ['a:', { password: '', twoFields: true, owner: none, home: none }],
    ['a:hash:a remark', { password: 'hash', twoFields: false, owner: none, home: none }],
    ['a:hash::', { password: 'hash', twoFields: false, owner: none, home: none }],
    ['a:hash::::/home/a', { password: 'hash', twoFields: false, owner: none, home: '/home/a' }],
    ['a:hash:8:8', { password: 'hash', twoFields: false, owner: { uid: 8, gid: 8 }, home: none }],
    ['a:hash:0:0:root:/:', { password: 'hash', twoFields: false, owner: { uid: 0, gid: 0 }, home: '/' }],
    ['a:hash:8:8:g:/home//:/bin/sh:quota=5:more', { password: 'hash', twoFields: false, owner: { uid: 8, gid: 8 }, home: '/home' }],
    ['a:hash:8:8:g::', { password: 'hash', twoFields: false, owner: { uid: 8, gid: 8 }, home: none }],
    ['a:hash:8:8:g:Mail:', { password: 'hash', twoFields: false, owner: { uid: 8, gid: 8 }, home: none }],
    ['a:hash:8:8:g:/héj:', { password: 'hash', twoFields: false, owner: { uid: 8, gid: 8 }, home: '/héj' }],
    ['a:æøå:8:8:\xe6:.:', { password: 'æøå', twoFields: false, owner: { uid: 8, gid: 8 }, home: none }],
  ];
  for (const [line, expected] of table) {
    for (const end of ['', '\n', '\r\n']) {
      assert.deepEqual([line, found(parsePasswd(Buffer.from(line + end)), 'a')], [line, { ...expected, number: 1 }]);
    }
  }
});

test('comments and blank lines are left out, junk lines are told of', () => {
  const text = [
    '\ufeff# a comment: with a colon', // 1
    '',
    '   \t',
    'abc:one',
    'no colon here', // 5
    ':no name',
    ' abc:a blank',
    'a/b:slash',
    '.a:dot',
    '..:dots', // 10
    'abc:two',
    'ABC:three',
    'def:x:six:100:::',
    'def:x:601::::',
    'def:x:4294967295:100:::', // 15
    'd\0f:x',
    'def:nul\0:601:100:::',
    `${'x'.repeat(65)}:long`,
    '#def:x',
    'JØRGEN:five\r', // 20
  ].join('\n');
  const lines = parsePasswd(Buffer.from(text));
  assert.equal(found(lines, 'abc')?.password, 'one', 'the first of equal names, as getpwnam(3) has it');
  assert.deepEqual(found(lines, 'jørgen'), { password: 'five', twoFields: true, owner: undefined, home: undefined, number: 20 });
  assert.deepEqual([lines.size, lines.skippedCount], [2, 14]);
  assert.deepEqual(lines.skipped, [
    { line: 5, reason: 'no colon' },
    { line: 6, reason: 'not a user name' },
    { line: 7, reason: 'not a user name' },
    { line: 8, reason: 'not a user name' },
    { line: 9, reason: 'not a user name' },
    { line: 10, reason: 'not a user name' },
    { line: 11, reason: 'a line before it has the same name' },
    { line: 12, reason: 'a line before it has the same name' },
    { line: 13, reason: 'uid and gid are not numbers' },
    { line: 14, reason: 'uid and gid are not numbers' },
  ]);
});

test('octets that are not UTF-8: no name, no home, but a password', () => {
  const lines = parsePasswd(Buffer.from('j\xf8rgen:x\nabc:l\xe6kker\ndef:x:8:8:\xe6:/h\xe6j:\nghi:x:8:8:J\xf8rgen:/home:\n', 'latin1'));
  assert.equal(found(lines, 'ghi')?.home, '/home', 'a gecos field in Latin-1 does no harm');
  assert.deepEqual(lines.find(user('abc'))?.password, Buffer.from('l\xe6kker', 'latin1'));
  assert.deepEqual(lines.skipped, [
    { line: 1, reason: 'not a user name' },
    { line: 3, reason: 'a home that is not UTF-8' },
  ]);
});

test('names that are properties of every object are names like others', () => {
  const lines = parsePasswd(Buffer.from('__proto__:one\nconstructor:two\n'));
  assert.equal(found(lines, '__proto__')?.password, 'one');
  assert.equal(found(lines, 'constructor')?.password, 'two');
  assert.equal(lines.find(user('tostring')), undefined);
});

test('the forms of passwords in a file', () => {
  const forms = (text: string) => {
    const { schemes, ...rest } = parsePasswd(Buffer.from(text)).forms;
    return { ...rest, schemes: [...schemes] };
  };
  const none = { dollar: false, desInTwoFields: false, other: false, schemes: [] };
  assert.deepEqual(forms('a:\nb:*\nc:!x\nd::8:8:::\n# e:x\nno colon\n'), none);
  assert.deepEqual(forms('a:$6$x$y'), { ...none, dollar: true });
  assert.deepEqual(forms('a:abRnsN4GFr.3w'), { ...none, desInTwoFields: true });
  assert.deepEqual(forms('a:abRnsN4GFr.3w:8:8:::'), { ...none, other: true });
  assert.deepEqual(forms('a:{PLAIN}x\nb:{PLAIN}y\nc:{sha.hex}z\nd:{x'), { ...none, schemes: ['{PLAIN}', '{sha.hex}', '{'] });
  assert.deepEqual(forms('a:x\r\nb:$1$x'), { ...none, other: true, dollar: true });
});

test('a hundred thousand lines: the first, the last, and none between', () => {
  const text = Array.from({ length: 100_000 }, (_, i) => `user${i}:$6$salt$hash${i}:601:100::.:\n`).join('');
  const lines = parsePasswd(Buffer.from(text));
  assert.deepEqual([lines.size, lines.skippedCount], [100_000, 0]);
  for (const i of [0, 1, 50_000, 99_999]) {
    const line = found(lines, `user${i}`);
    assert.deepEqual([line?.password, line?.number], [`$6$salt$hash${i}`, i + 1]);
  }
  assert.equal(lines.find(user('user100000')), undefined);
  assert.deepEqual(
    [...lines.first(2)].map((line) => line.octets.toString()),
    ['user0:$6$salt$hash0:601:100::.:', 'user1:$6$salt$hash1:601:100::.:'],
  );
});

test('any octets: each line that is found is a line of the file with that name', () => {
  const piece = fc.constantFrom(
    'abc',
    ':',
    ':',
    ':',
    '\n',
    '\r\n',
    '#',
    '601',
    '100',
    '/home',
    '.',
    '\0',
    'Å',
    '\xff',
    ' ',
    '$6$',
    '{PLAIN}',
    '*',
  );
  const octets = fc.oneof(
    fc.array(piece, { maxLength: 60 }).map((pieces) => Buffer.from(pieces.join(''), 'latin1')),
    fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array)),
  );
  fc.assert(
    fc.property(octets, (file) => {
      const lines = parsePasswd(file);
      const raw = file.toString('latin1').split('\n');
      let met = 0;
      for (const line of lines.first(Number.POSITIVE_INFINITY)) {
        met += 1;
        const number = lines.lineNumber(line.start);
        assert.equal((raw[number - 1] ?? '').replace(/^\xef\xbb\xbf/, '').replace(/\r$/, ''), line.octets.toString('latin1'));
        const name = parseUserName(line.octets.toString('utf8').split(':', 1)[0] ?? '');
        assert.ok(name);
        assert.deepEqual(lines.find(name), line);
        assert.ok(line.home === undefined || /^\/[^\0]*$/.test(line.home));
        assert.ok(line.owner === undefined || (Number.isInteger(line.owner.uid) && Number.isInteger(line.owner.gid)));
      }
      assert.equal(met, lines.size);
      assert.ok(lines.size + lines.skippedCount <= raw.length);
    }),
    { numRuns: 500 },
  );
});
