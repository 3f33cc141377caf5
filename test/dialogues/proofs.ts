/** The client's side of a login: what stands for `{…}` in a line of a dialogue. */
import assert from 'node:assert/strict';
import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';

const clientNonce = 'fyko+d2lbbFgONRv9qkxdawL';

/**
 * `{base64 text}`, with `\0` for NUL; `{apop password}`; `{cram-md5 login password}`; `{scram-sha-1 first login}`,
 * `{scram-sha-1 final login password}` and the same with sha-256. `heard`: what the server said, the newest last.
 */
export function proof(line: string, heard: readonly string[]): string {
  return line.replace(/\{([\w-]+) ([^}]*)\}/g, (_, kind: string, words: string) => work(kind, words, heard));
}

function work(kind: string, words: string, heard: readonly string[]): string {
  const [first = '', second = '', third = ''] = words.split(' ');
  if (kind === 'base64') return encode(words.replaceAll('\\0', '\0'));
  if (kind === 'apop') {
    const timestamp = /<.*>/.exec(heard[0] ?? '')?.[0];
    assert.ok(timestamp, 'no timestamp in the greeting');
    return createHash('md5')
      .update(timestamp + first)
      .digest('hex');
  }
  if (kind === 'cram-md5') return encode(`${first} ${createHmac('md5', second).update(challengeIn(heard)).digest('hex')}`);
  const hash = kind === 'scram-sha-1' ? 'sha1' : 'sha256';
  assert.match(kind, /^scram-sha-(1|256)$/);
  if (first === 'first') return encode(`n,,${bareFirst(second)}`);
  return encode(scramFinal(hash, bareFirst(second), challengeIn(heard), third));
}

function bareFirst(login: string): string {
  return `n=${login},r=${clientNonce}`;
}

/** RFC 5802 section 3. */
function scramFinal(hash: 'sha1' | 'sha256', bare: string, serverFirst: string, password: string): string {
  const [, nonce = '', salt = '', iterations = ''] = /^r=([^,]+),s=([^,]+),i=(\d+)$/.exec(serverFirst) ?? [];
  assert.ok(nonce.startsWith(clientNonce), 'the server made up another client nonce');
  const hmac = (key: Buffer, text: string) => createHmac(hash, key).update(text).digest();
  const salted = pbkdf2Sync(password, Buffer.from(salt, 'base64'), Number(iterations), hash === 'sha1' ? 20 : 32, hash);
  const clientKey = hmac(salted, 'Client Key');
  const withoutProof = `c=${encode('n,,')},r=${nonce}`;
  const signature = hmac(createHash(hash).update(clientKey).digest(), `${bare},${serverFirst},${withoutProof}`);
  const proofOctets = clientKey.map((octet, index) => octet ^ (signature[index] ?? 0));
  return `${withoutProof},p=${Buffer.from(proofOctets).toString('base64')}`;
}

function challengeIn(heard: readonly string[]): string {
  const line = heard.at(-1) ?? '';
  assert.ok(line.startsWith('+ '), `no challenge: ${line}`);
  return Buffer.from(line.slice(2), 'base64').toString();
}

function encode(text: string): string {
  return Buffer.from(text, 'latin1').toString('base64');
}
