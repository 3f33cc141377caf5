import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { signatureHash } from './certificateSignature.ts';

/** As much of a certificate as says how it is signed. */
function certificate(algorithmIdentifier: string): Buffer {
  const content = Buffer.concat([
    Buffer.from('30820003020100', 'hex'),
    Buffer.from(algorithmIdentifier, 'hex'),
    Buffer.from('030100', 'hex'),
  ]);
  return Buffer.concat([Buffer.from([0x30, 0x81, content.length]), content]);
}

test('the hash of the signature, and SHA-256 in place of MD5 and SHA-1: RFC 5929 section 4.1', () => {
  const table: [string, string, string | undefined][] = [
    ['md5WithRSAEncryption', '300d06092a864886f70d0101040500', 'sha256'],
    ['sha1WithRSAEncryption', '300d06092a864886f70d0101050500', 'sha256'],
    ['sha256WithRSAEncryption', '300d06092a864886f70d01010b0500', 'sha256'],
    ['sha384WithRSAEncryption', '300d06092a864886f70d01010c0500', 'sha384'],
    ['sha512WithRSAEncryption', '300d06092a864886f70d01010d0500', 'sha512'],
    ['ecdsa-with-SHA1', '300906072a8648ce3d0401', 'sha256'],
    ['ecdsa-with-SHA256', '300a06082a8648ce3d040302', 'sha256'],
    ['ecdsa-with-SHA384', '300a06082a8648ce3d040303', 'sha384'],
    ['ecdsa-with-SHA512', '300a06082a8648ce3d040304', 'sha512'],
    ['ecdsa-with-SHA3-256', '300b060960864801650304030a', 'sha3-256'],
    ['RSASSA-PSS, SHA-1 by default', '300d06092a864886f70d01010a3000', 'sha256'],
    ['RSASSA-PSS without parameters', '300b06092a864886f70d01010a', 'sha256'],
    ['RSASSA-PSS with SHA-512', '301e06092a864886f70d01010a3011a00f300d06096086480165030402030500', 'sha512'],
    ['RSASSA-PSS with SHA-384', '301e06092a864886f70d01010a3011a00f300d06096086480165030402020500', 'sha384'],
    ['Ed25519 has none', '300506032b6570', undefined],
    ['something nobody knows', '300506032a0304', undefined],
  ];
  for (const [name, identifier, expected] of table) assert.equal(signatureHash(certificate(identifier)), expected, name);
});

test('octets that are no certificate have no hash', () => {
  assert.equal(signatureHash(Buffer.alloc(0)), undefined);
  const whole = certificate('300a06082a8648ce3d040302');
  for (let length = 0; length < whole.length; length++) assert.equal(signatureHash(whole.subarray(0, length)), undefined);
  fc.assert(
    fc.property(fc.uint8Array(), fc.nat(whole.length - 1), fc.nat(255), (octets, at, octet) => {
      const changed = Buffer.from(whole);
      changed[at] = octet;
      for (const sample of [Buffer.from(octets), changed]) assert.match(signatureHash(sample) ?? 'none', /^(?:none|sha[\d-]+)$/);
    }),
  );
});
