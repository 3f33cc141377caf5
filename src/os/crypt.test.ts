import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crypt, cryptAvailable } from './crypt.ts';

const skip = cryptAvailable() ? false : 'needs libcrypt (apt-get install libcrypt1)';

/** From the tests of glibc, `openssl passwd`, crypt_blowfish's wrapper.c and yescrypt's TESTS-OK. */
const vectors: [string, string, string][] = [
  ['DES', 'U*U', 'abCY/CHNnliwA'],
  ['MD5', 'Hello world!', '$1$saltstri$YMyguxXMBpd2TEZ.vS/3q1'],
  ['SHA-256', 'Hello world!', '$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5'],
  ['SHA-512', 'Hello world!', '$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1'],
  ['bcrypt', 'U*U', '$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW'],
  ['bcrypt as htpasswd -B writes it', 'U*U', '$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW'],
  ['bcrypt of an empty password', '', '$2a$05$CCCCCCCCCCCCCCCCCCCCC.7uG0VCzI2bS7j6ymqJi9CdcdxiRTWNy'],
  ['yescrypt', 'pleaseletmein', '$y$jD5.7$LdJMENpBABJJ3hIHjB1Bi.$HboGM6qPrsK.StKYGt6KErmUYtioHreJd98oIugoNB6'],
];

for (const [kind, password, hash] of vectors) {
  test(`crypt: ${kind}`, { skip }, async () => {
    assert.equal(await crypt(Buffer.from(password), hash), hash);
    const other = await crypt(Buffer.from(`${password}x`), hash);
    assert.notEqual(other, hash);
    assert.equal(other?.length, hash.length);
  });
}

test('crypt: octets beyond ASCII count', { skip }, async () => {
  // crypt_blowfish wrapper.c: the octets 0xff 0xff 0xa3.
  const hash = '$2y$05$/OK.fbVrR/bpIqNJ5ianF.CE5elHaaO4EbggVDjb8P19RukzXSM3e';
  assert.equal(await crypt(Buffer.from([0xff, 0xff, 0xa3]), hash), hash);
});

test('crypt: a setting that is none gives nothing', { skip }, async () => {
  for (const setting of ['', '*', '*0', '!', 'x', '$', '$zz$salt', '$2y$99$CCCCCCCCCCCCCCCCCCCCC.', ':a', '$1$salt\0$']) {
    assert.equal(await crypt(Buffer.from('secret'), setting), undefined, JSON.stringify(setting));
  }
});

test('crypt: a NUL does not end the password', { skip }, async () => {
  assert.equal(await crypt(Buffer.from('Hello world!\0more'), '$1$saltstri$YMyguxXMBpd2TEZ.vS/3q1'), undefined);
});

test('crypt: many at once keep apart', { skip }, async () => {
  const passwords = Array.from({ length: 40 }, (_, index) => Buffer.from(`password ${index}`));
  const alone: (string | undefined)[] = [];
  for (const password of passwords) alone.push(await crypt(password, '$1$saltstri'));
  assert.deepEqual(await Promise.all(passwords.map((password) => crypt(password, '$1$saltstri'))), alone);
  assert.equal(new Set(alone).size, passwords.length);
});
