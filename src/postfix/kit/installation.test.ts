import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chrootByDefault, isOlder, parseServices, parseSettings, parseVersion, words } from './installation.ts';

test('versions', () => {
  const table = [
    ['3.7.11', [3, 7, 11]],
    ['2.11.3\n', [2, 11, 3]],
    ['3.10-20250101', [3, 10, 0]],
    ['snapshot', undefined],
  ] as const;
  for (const [text, expected] of table) assert.deepEqual(parseVersion(text), expected);
  assert.equal(isOlder([2, 10, 9], [2, 11, 0]), true);
  assert.equal(isOlder([2, 11, 0], [2, 11, 0]), false);
  assert.equal(isOlder([3, 0, 0], [2, 11, 0]), false);
});

test('words of a list, as postconf(5) parts them', () => {
  const table: [string, string[]][] = [
    ['', []],
    ['a, b c,d', ['a', 'b', 'c', 'd']],
    ['$myhostname, vm, , localhost', ['$myhostname', 'vm', 'localhost']],
    ['inline:{ a=b, c=d } hash:/x', ['inline:{ a=b, c=d }', 'hash:/x']],
  ];
  for (const [value, expected] of table) assert.deepEqual(words(value), expected);
});

test('settings, and services with their options and what "-" means for chroot', () => {
  assert.deepEqual(
    [...parseSettings('a = b = c\nempty =\nq = $x {y}\n')],
    [
      ['a', 'b = c'],
      ['empty', ''],
      ['q', '$x {y}'],
    ],
  );
  const text = 'smtp       inet  n       -       -       -       -       smtpd\n    -o a=b\nlmtp unix - - n - - lmtp -o c=d\n';
  assert.deepEqual(parseServices(text, true), [
    { name: 'smtp', type: 'inet', chroot: true, command: 'smtpd', options: '-o a=b' },
    { name: 'lmtp', type: 'unix', chroot: false, command: 'lmtp', options: '-o c=d' },
  ]);
  assert.equal(chrootByDefault([2, 11, 0], undefined), true);
  assert.equal(chrootByDefault([3, 7, 0], '3.6'), false);
  assert.equal(chrootByDefault([3, 7, 0], '0'), true);
});
