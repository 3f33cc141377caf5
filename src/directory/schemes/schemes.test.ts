/** Vectors by `doveadm pw` 2.3 unless another maker is named; the password is `lækker7` in UTF-8. */
import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { cryptAvailable } from '../../os/crypt.ts';
import { hashPassword, knownSchemes, storedVerifier } from './index.ts';
import { digestFrom, stateAfter } from './md5State.ts';
import { turns } from './turns.ts';

const password = Buffer.from('lækker7');

const vectors = [
  '{PLAIN}lækker7',
  '{CLEARTEXT}lækker7',
  '{CLEAR}lækker7',
  '{plain}lækker7',
  '{PLAIN.b64}bMOma2tlcjc=',
  '{PLAIN.HEX}6cc3a66b6b657237',
  '{SHA}qXjln9DCVGK3XJkAep/J8CyHpAM=',
  '{SHA1}qXjln9DCVGK3XJkAep/J8CyHpAM=',
  '{SSHA}AxKH2rpQrnkFUSAsfC6Y3U1GP3AgQ1F1',
  '{SHA256}pD4Pb/ga6YY8DpiYXJvAUWiMTvfbZb/YOQPmk2oBUUg=',
  '{SHA256.HEX}a43e0f6ff81ae9863c0e98985c9bc051688c4ef7db65bfd83903e6936a015148',
  '{SHA256}a43e0f6ff81ae9863c0e98985c9bc051688c4ef7db65bfd83903e6936a015148',
  '{SSHA256}hpQMbWwHiZAfcbm8vszG7zjg/Sd5aZfaRfjtcDN70skDBO+o',
  '{SSHA256.HEX}ab16412fb6fcc16c68aa1ca32d864c648ccda71f5226246798571a9f5cf5f66077276d37',
  '{SHA512}f/ig4h+Aqbq7P7qMTpsH6NrDsGc5EPqstdQce+mSTvu6VK0SNxRT6gSyJ4SSDK0SDyuTCotgU/kbb7zYw/wbWg==',
  '{SSHA512}F1QAcSy88czKnhm1N6cS0tz/8B1fTzEJXlQGuZEd9bQtDbXcq0VfzGp2xcbUFQ4ZIYUnRlpWD3htvDZcYl16AEERyWE=',
  '{SMD5}ASluj8SvMq9wKPOTmsQ2fDf2zsY=',
  '{SMD5.B64}L7X8gfUG5TH9j8bUhnlUKc5zPFo=',
  '{PLAIN-MD5}e886b553a395b334f7e8d86ac2bba4ff',
  '{PLAIN-MD5.B64}6Ia1U6OVszT36Nhqwruk/w==',
  '{LDAP-MD5}6Ia1U6OVszT36Nhqwruk/w==',
  '{LDAP-MD5.HEX}e886b553a395b334f7e8d86ac2bba4ff',
  '{MD5}e886b553a395b334f7e8d86ac2bba4ff',
  '{CRAM-MD5}6a935b35f1b850276864e7f1ebe7ce2e4bc9d7ef7606a8b92e624b050db667ae',
  '{HMAC-MD5}6a935b35f1b850276864e7f1ebe7ce2e4bc9d7ef7606a8b92e624b050db667ae',
  '{CRAM-MD5.B64}apNbNfG4UCdoZOfx6+fOLkvJ1+92Bqi5LmJLBQ22Z64=',
  '{SCRAM-SHA-1}4096,Hk7YycY/9/BG+FBcOwaj4w==,Lvr9xAFsACutoJ9jR2R2OO3r92E=,9lpZoMcvvaenDXTPTM6S0cbnQGY=',
  '{SCRAM-SHA-256}4096,+7rci83x5LcgqL2d9PJxIw==,NSkHPeRTP9bLvaiV++roZ3hQzVvZ21U1JlsIavrN2dQ=,x+l6HwdG7OXNkliH8H0LLSzZsXsV1OMH6uJIdw7oxfg=',
  '{SCRAM-SHA-256.B64}NDA5NixvQjdrTldqYi93WVRtU2N6R2U3OUR3PT0sdUZEOFRaSXE0RW8xQkxJTjk5TUEyblBYeFJDWitzY1NlTmJVM1hmaGYyUT0sYXlmdm94WS9uR2RYVkRnWTZHZ2VobUN1UnkrU0pwVHNMSGY2U1prRWJkMD0=',
  '{PBKDF2}$1$ne01vVCr21jOeFyd$5000$75048cb2f65b31c6da469b988927c54c60acb90b',
  '{ARGON2I}$argon2i$v=19$m=32768,t=4,p=1$j4D++LNBoMo2GknwQpqvZA$mEBt+sTwIIxYYQ911dx6XBvwG+gyeptst7vgBC1JSY0',
  '{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=1$NrUQJGbUrqjbsxJVQrx5PA$dypHyRkAf3UL9iy2t5fLa9LRD2+ekp6ncVn2V42+NcU',
  '$argon2id$v=19$m=65536,t=3,p=1$NrUQJGbUrqjbsxJVQrx5PA$dypHyRkAf3UL9iy2t5fLa9LRD2+ekp6ncVn2V42+NcU',
  '$apr1$r31....N$lafoJrQQc9Ju6ZoiRc6kd/', // openssl passwd -apr1
];

/** Of the host's own libcrypt. */
const cryptVectors = [
  '{CRYPT}$2y$05$2//19sxcVWQf4oru.qlyWup8Oy/P1DSZpMocm6TFS2QGDF9m3uDBq',
  '{CRYPT.B64}JDJ5JDA1JG0uNGlUT0U2MkRxNXNDQzBJY2Z4Yy5Pd3FhanNQSW12UmpEa0pLLzFmVHVQSWJ2S1ZlaFlh',
  '{DES-CRYPT}ZxpVHqESfcq9U',
  '{CRYPT}abRnsN4GFr.3w', // perl
  '{CRYPT}_J9..abcd6UeDAEBtWKg', // Python
  '{MD5-CRYPT}$1$mEArdouT$4p3QXFjxDBDN4IIhoTK2v.',
  '{MD5}$1$sLhLgq2y$0x7BgtCy452d4KnP7lCBt0',
  '{SHA256-CRYPT}$5$23a1SbyoWdlKPSM3$lb086g6ta2U/tssSeDcYywuhJl4KxCYJxFl/DavC071',
  '{SHA512-CRYPT}$6$K.SXOb9HALwmh9VP$fTN75739tZxxxXb7bMJK0M0oZslH4tUwQ/MPqBEl7AND.7Zoy9TD/4bySh2cizpLR6GUAioMNKucYnO1WOPSV0',
  '{BLF-CRYPT}$2y$05$bUMwRwiOIGtW9/a5joi2EukAwAQHfreOrchcwM5B3u9W3iESVlvTO',
  '$2b$05$abcdefghijklmnopqrstuuduQ/37EATlpYtoC4VoeIprU1QFPFzAG', // Python
  '$1$r31abcdN$.AaqXLsuH0X7pcS9hVkGu1', // openssl passwd -1
  '$5$saltstring$cZs1AcdQ3PO/BpiCS9rQSMfcb86S2BJeXemNP9rst54', // openssl passwd -5
  '$6$saltstring$ls7AxXSIe9KVScQvO59U3NR01/TCj/6Bp2hgVOsEhjbYA3eJWkwvQ3H6ahnm2qPSLPzU8B/r.0ZnKRLAvU/yH0', // openssl passwd -6
  '$y$j9T$saltsaltsalt$JOizkT/1BUNviNYmxwteHj2SMgcBLzzS3PthF2p2nz.', // Python
];

const noCrypt = cryptAvailable() ? false : 'this host has no libcrypt';

async function checkVector(stored: string): Promise<void> {
  const verifier = storedVerifier(Buffer.from(stored));
  assert.ok(verifier, `understood: ${stored}`);
  assert.equal(await verifier.password(password), true, stored);
  for (const wrong of ['lækker8', 'Lækker7', ''])
    assert.equal(await verifier.password(Buffer.from(wrong)), false, `${stored} is not ${wrong}`);
}

test('each stored form takes its password and no other', async () => {
  for (const stored of vectors) await checkVector(stored);
});

test("each form of the host's libcrypt takes its password and no other", { skip: noCrypt }, async () => {
  for (const stored of cryptVectors) await checkVector(stored);
});

test('what is unknown, malformed or too dear is not understood', () => {
  const table = [
    '',
    '{}',
    '{PLAIN}',
    '{PLAIN',
    '{NOSUCH}x',
    '{PLAIN.ROT13}x',
    '{SHA}',
    '{SHA}short',
    '{SHA256.HEX}zz',
    '{SSHA}qXjln9DCVGK3XJkAep/J8CyHpAM=',
    '{CRYPT}',
    '{CRYPT}cleartext',
    '{SHA512-CRYPT}!$6$saltstring$x',
    '{SCRAM-SHA-256}4096,AAAA,AAAA,AAAA',
    '{SCRAM-SHA-1}9000000,Hk7YycY/9/BG+FBcOwaj4w==,Lvr9xAFsACutoJ9jR2R2OO3r92E=,9lpZoMcvvaenDXTPTM6S0cbnQGY=',
    '{PBKDF2}$1$salt$99999999$75048cb2f65b31c6da469b988927c54c60acb90b',
    '{PBKDF2}$2$salt$5000$75048cb2f65b31c6da469b988927c54c60acb90b',
    '{CRAM-MD5}00',
    '$',
    '$$',
    '$0$salt$hash',
    '$ecret$word',
    '$6$rounds=999999999$saltstring$x',
    '$2y$31$2//19sxcVWQf4oru.qlyWup8Oy/P1DSZpMocm6TFS2QGDF9m3uDBq',
    '$y$jZZ$saltsaltsalt$JOizkT/1BUNviNYmxwteHj2SMgcBLzzS3PthF2p2nz.',
    '$apr1$r31....N$short',
    '$argon2id$v=19$m=4194304,t=3,p=1$NrUQJGbUrqjbsxJVQrx5PA$dypHyRkAf3UL9iy2t5fLa9LRD2+ekp6ncVn2V42+NcU',
    '$argon2id$v=19$m=65536,t=0,p=1$NrUQJGbUrqjbsxJVQrx5PA$dypHyRkAf3UL9iy2t5fLa9LRD2+ekp6ncVn2V42+NcU',
    'ZxpVHqESfcq9U',
  ];
  for (const stored of table) assert.equal(storedVerifier(Buffer.from(stored)), undefined, stored);
});

test('a hash made is a hash understood, in each scheme and encoding', { skip: noCrypt }, async () => {
  for (const scheme of knownSchemes) {
    for (const suffix of ['', '.HEX', '.b64']) {
      const stored = await hashPassword(`${scheme.toLowerCase()}${suffix}`, password);
      assert.match(stored, /^[^:\r\n\0]+$/, `fits into a field: ${stored}`);
      const verifier = storedVerifier(Buffer.from(stored));
      assert.equal(await verifier?.password(password), true, stored);
      assert.equal(await verifier?.password(Buffer.from('another')), false, stored);
    }
  }
});

test('the first scheme is the one that every reader of passwd files knows', { skip: noCrypt }, async () => {
  assert.equal(knownSchemes[0], 'SHA512-CRYPT');
  assert.match(await hashPassword('SHA512-CRYPT', password), /^\$6\$rounds=50000\$[./0-9A-Za-z]{16}\$[./0-9A-Za-z]{86}$/);
  assert.notEqual(await hashPassword('SHA512-CRYPT', password), await hashPassword('SHA512-CRYPT', password));
});

test('clear text that would end its field is written in base64', async () => {
  assert.equal(await hashPassword('PLAIN', Buffer.from('a:b')), '{PLAIN.B64}YTpi');
  assert.equal(await hashPassword('PLAIN', Buffer.from([0xe6])), '{PLAIN.B64}5g==');
});

test('what can not be hashed is refused', async () => {
  for (const scheme of ['NOSUCH', '', 'PLAIN.B65', 'PLAIN.B64.B64', '__proto__', 'MD5', '{PLAIN}']) {
    await assert.rejects(hashPassword(scheme, password), { kind: 'syntax', text: 'unknown password scheme {scheme}', values: { scheme } });
  }
  for (const bad of ['', 'a\0b', 'a\nb', 'a\rb']) {
    await assert.rejects(hashPassword('PLAIN', Buffer.from(bad)), { kind: 'syntax', text: 'a password holds neither NUL nor line ends' });
  }
});

test('the states of {CRAM-MD5} answer a challenge, RFC 2195', () => {
  const challenge = Buffer.from('<1896.697170952@postoffice.reston.mci.net>');
  const verifier = storedVerifier(Buffer.from('{CRAM-MD5}6a935b35f1b850276864e7f1ebe7ce2e4bc9d7ef7606a8b92e624b050db667ae'));
  assert.deepEqual(verifier?.hmacMd5?.(challenge), createHmac('md5', password).update(challenge).digest());
});

test('MD5 from one block on is MD5, whatever comes after', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 64, maxLength: 64 }), fc.uint8Array({ maxLength: 200 }), (first, rest) => {
      const expected = createHash('md5').update(first).update(rest).digest();
      assert.deepEqual(digestFrom(stateAfter(Buffer.from(first)), Buffer.from(rest)), expected);
    }),
  );
});

test('no octets as a stored password throw or let a password in that they are not', async () => {
  const seed = fc.oneof(fc.constantFrom(...vectors.filter((stored) => !/ARGON2|argon2/.test(stored)), ...cryptVectors), fc.string());
  const mutated = fc.tuple(seed, fc.nat(), fc.nat(255)).map(([text, at, octet]) => {
    const octets = Buffer.from(text);
    if (octets.length > 0) octets.writeUInt8(octet, at % octets.length);
    return octets;
  });
  await fc.assert(
    fc.asyncProperty(mutated, async (stored) => {
      const verifier = storedVerifier(stored);
      if (verifier === undefined || verifier.costly) return;
      assert.equal(await verifier.password(Buffer.from('no password of any of these')), false);
    }),
    { numRuns: 500 },
  );
});

test('no more turns at a time than there are', async () => {
  const inTurn = turns(2);
  let running = 0;
  let most = 0;
  const work = (value: number) =>
    inTurn(async () => {
      running += 1;
      most = Math.max(most, running);
      await new Promise(setImmediate);
      running -= 1;
      if (value === 3) throw new Error('three');
      return value;
    }).catch(() => 'failed');
  assert.deepEqual(await Promise.all([1, 2, 3, 4, 5].map(work)), [1, 2, 'failed', 4, 5]);
  assert.equal(most, 2);
});
