import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseUserName } from '../../model/address.ts';
import { parsePasswd } from './lines.ts';
import { type PasswordKind, storedPassword } from './storedPassword.ts';

/** What the field means: `clear`, `hash`, or the reason why nobody gets in. */
function meaning(field: string, seven: boolean, kind: PasswordKind, ofDomain: boolean): string {
  const name = parseUserName('abc');
  const line = name && parsePasswd(Buffer.from(seven ? `abc:${field}:601:100::.:` : `abc:${field}`)).find(name);
  assert.ok(line);
  const stored = storedPassword(line, { kind, ofDomain });
  if (stored.verifier === undefined) return stored.hint === undefined ? stored.reason : `${stored.reason}, hint`;
  return stored.verifier.clearText === undefined ? 'hash' : `clear ${stored.verifier.clearText}`;
}

const no = 'not understood, hint';

test('what a password field means, by kind and form of line', () => {
  // field, two fields: auto plain crypt, seven fields: auto plain crypt
  const table: [string, string, string, string, string, string, string][] = [
    ['', 'empty', 'empty', 'empty', 'empty', 'empty', 'empty'],
    ['*', 'locked', 'locked', 'locked', 'locked', 'locked', 'locked'],
    ['!secret', 'locked', 'locked', 'locked', 'locked', 'locked', 'locked'],
    ['!$6$salt$hash', 'locked', 'locked', 'locked', 'locked', 'locked', 'locked'],
    ['x', no, no, no, no, no, no],
    ['$6$salt$hash', 'hash', 'hash', 'hash', 'hash', 'hash', 'hash'],
    ['$apr1$abcdefgh$82JubPF2dQkt1tVfvLnXS.', 'hash', 'hash', 'hash', 'hash', 'hash', 'hash'],
    ['$nosuch$salt$hash', no, no, no, no, no, no],
    [
      '{PLAIN}$6$salt$hash',
      'clear $6$salt$hash',
      'clear $6$salt$hash',
      'clear $6$salt$hash',
      'clear $6$salt$hash',
      'clear $6$salt$hash',
      'clear $6$salt$hash',
    ],
    ['{NOSUCH}secret', no, no, no, no, no, no],
    ['{secret', no, no, no, no, no, no],
    ['abRnsN4GFr.3w', 'hash', 'hash', 'hash', no, 'clear abRnsN4GFr.3w', 'hash'],
    ['_J9..abcd6UeDAEBtWKg', no, 'clear _J9..abcd6UeDAEBtWKg', 'hash', no, 'clear _J9..abcd6UeDAEBtWKg', 'hash'],
    ['kvtpasswd', no, 'clear kvtpasswd', no, no, 'clear kvtpasswd', no],
    ['$money', no, 'clear $money', no, no, 'clear $money', no],
    ['thirteen-char', no, 'clear thirteen-char', no, no, 'clear thirteen-char', no],
  ];
  for (const [field, ...expected] of table) {
    const found = [false, true].flatMap((seven) => (['auto', 'plain', 'crypt'] as const).map((kind) => meaning(field, seven, kind, false)));
    assert.deepEqual([field, ...found], [field, ...expected]);
  }
});

test('a domain that itself says plain has clear text in two fields, too', () => {
  assert.equal(meaning('abRnsN4GFr.3w', false, 'plain', true), 'clear abRnsN4GFr.3w');
  assert.equal(meaning('abRnsN4GFr.3w', false, 'auto', true), 'hash');
});
