import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { stampOf, watchFiles, watchFolder } from './fileWatch.ts';

test('a change is told once, when it has stayed for one look; links are followed', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const folder = mkdtempSync(join(tmpdir(), 'postkasse-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const [certificate, key, target] = ['cert.pem', 'key.pem', 'key1.pem'].map((name) => join(folder, name)) as [string, string, string];
  for (const path of [certificate, target]) writeFileSync(path, 'one');
  symlinkSync(target, key);
  const files = [certificate, key];
  let changes = 0;
  const end = watchFiles(files, stampOf(files), () => changes++);
  const look = (times: number) => {
    t.mock.timers.tick(times * 1000);
    return changes;
  };
  assert.equal(look(3), 0);
  writeFileSync(`${certificate}.new`, 'two!');
  renameSync(`${certificate}.new`, certificate);
  assert.equal(look(1), 0);
  writeFileSync(target, 'two!');
  assert.equal(look(1), 0);
  assert.equal(look(1), 1);
  assert.equal(look(3), 1);
  unlinkSync(certificate);
  assert.equal(look(2), 2);
  writeFileSync(certificate, 'three');
  assert.equal(look(2), 3);
  end();
  writeFileSync(certificate, 'four, four');
  assert.equal(look(5), 3);
});

test('a folder is looked at when a name in it comes or goes, then again and again with longer pauses', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const folder = mkdtempSync(join(tmpdir(), 'postkasse-'));
  t.after(() => rmSync(folder, { recursive: true }));
  let seconds = 0;
  let looks: number[] = [];
  const end = watchFolder(folder, () => looks.push(seconds));
  const pass = (count: number) => {
    looks = [];
    for (let n = 0; n < count; n++) {
      seconds += 1;
      t.mock.timers.tick(1000);
    }
    return looks;
  };
  assert.deepEqual(pass(200), [1, 3, 7, 15, 31, 63, 123, 183]);
  mkdirSync(join(folder, 'kvt.dk'));
  assert.deepEqual(pass(10), [201, 202, 204, 208]);
  end();
  mkdirSync(join(folder, 'other.dk'));
  assert.deepEqual(pass(100), []);
});
