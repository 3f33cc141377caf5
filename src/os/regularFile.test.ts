import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { folder } from './children.test.ts';
import { readRegularFile } from './regularFile.ts';

test('a file is read, and what is none is refused at once', (t) => {
  const top = folder(t);
  const [file, link, pipe, huge] = ['file', 'link', 'pipe', 'huge'].map((name) => join(top, name)) as [string, string, string, string];
  writeFileSync(file, 'octets');
  symlinkSync(file, link);
  execFileSync('mkfifo', [pipe]);
  writeFileSync(huge, '');
  truncateSync(huge, 10 * 2 ** 30);
  assert.equal(readRegularFile(file, 6).toString(), 'octets');
  assert.equal(readRegularFile(link, 6).toString(), 'octets');
  const cases: [string, string | RegExp][] = [
    [file, `${file}: larger than 5 octets`],
    [huge, `${huge}: larger than 5 octets`],
    [pipe, `${pipe}: not a regular file`],
    [top, `${top}: not a regular file`],
    ['/dev/zero', '/dev/zero: not a regular file'],
  ];
  for (const [path, message] of cases) assert.throws(() => readRegularFile(path, 5), { message });
  assert.throws(() => readRegularFile(join(top, 'nothing'), 5), { code: 'ENOENT' });
});
