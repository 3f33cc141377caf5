import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { folder } from './children.test.ts';
import { exchangeNames, renameToNew } from './renames.ts';

test('a file and a directory exchange their names', (t) => {
  const place = folder(t);
  const [file, directory] = [join(place, 'æøå file'), join(place, 'directory')];
  fs.writeFileSync(file, 'octets');
  fs.mkdirSync(directory);
  fs.writeFileSync(join(directory, 'inside'), '');
  exchangeNames(file, directory);
  assert.equal(fs.readFileSync(directory, 'utf8'), 'octets');
  assert.deepEqual(fs.readdirSync(file), ['inside']);
  assert.throws(() => exchangeNames(file, join(place, 'none')), { code: 'ENOENT' });
});

test('a rename that finds the name taken leaves both as they were', (t) => {
  const place = folder(t);
  const [one, other] = [join(place, 'one'), join(place, 'other')];
  fs.writeFileSync(one, 'one');
  fs.writeFileSync(other, 'other');
  assert.throws(() => renameToNew(one, other), { code: 'EEXIST' });
  assert.deepEqual([fs.readFileSync(one, 'utf8'), fs.readFileSync(other, 'utf8')], ['one', 'other']);
  renameToNew(one, join(place, 'new'));
  assert.deepEqual(fs.readdirSync(place).sort(), ['new', 'other']);
  assert.throws(() => renameToNew(`${one}\0`, other), { code: 'EINVAL' });
});
