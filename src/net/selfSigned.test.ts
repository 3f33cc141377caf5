import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { selfSignedFiles } from './selfSigned.ts';

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'self-signed-'));
  t.after(() => rmSync(path, { recursive: true }));
  return path;
}

test('made once, for the host and for loopback, and only for its owner to read', async (t) => {
  const state = join(folder(t), 'not', 'there');
  const now = new Date('2030-05-06T07:08:09Z');
  const files = await selfSignedFiles(state, 'mail.kvt.dk', now);
  const pem = readFileSync(files.certificate);
  const certificate = new X509Certificate(pem);
  assert.equal(certificate.checkPrivateKey(createPrivateKey(readFileSync(files.key))), true);
  for (const name of ['mail.kvt.dk', 'localhost']) assert.equal(certificate.checkHost(name), name);
  for (const address of ['127.0.0.1', '::1']) assert.notEqual(certificate.checkIP(address), undefined);
  assert.deepEqual([certificate.validFromDate, certificate.validToDate], [now, new Date('2040-05-06T07:08:09Z')]);
  assert.equal(statSync(files.key).mode & 0o777, 0o600);

  assert.deepEqual(await selfSignedFiles(state, 'other.example', now), files);
  assert.ok(readFileSync(files.certificate).equals(pem));
  assert.deepEqual(readdirSync(state), ['self-signed.pem']);
});

test('several processes at once end up with the same one', async (t) => {
  const state = folder(t);
  const module = JSON.stringify(new URL('./selfSigned.ts', import.meta.url));
  const code = `import { selfSignedFiles } from ${module};
    import { readFileSync } from 'node:fs';
    const { key } = await selfSignedFiles(${JSON.stringify(state)}, 'mail.kvt.dk', new Date());
    process.stdout.write(readFileSync(key, 'utf8'));`;
  const made = await Promise.all(
    Array.from({ length: 4 }, async () => {
      const child = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
      let output = '';
      child.stdout.setEncoding('utf8').on('data', (text) => (output += text));
      const [code_] = await once(child, 'close');
      assert.equal(code_, 0);
      return output;
    }),
  );
  assert.deepEqual(new Set(made), new Set([readFileSync(join(state, 'self-signed.pem'), 'utf8')]));
  assert.deepEqual(readdirSync(state), ['self-signed.pem']);
});
