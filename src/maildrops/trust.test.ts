import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Disk, disk, type FileStats } from '../os/disk.ts';
import { createPlaceWatch } from './trust.ts';

test('a folder is looked at every ten seconds, one that is refused each time', () => {
  const looked: string[] = [];
  let mode = 0o40_755;
  let nowMs = 1_000_000;
  const watching: Disk = {
    ...disk,
    stat(path) {
      looked.push(path);
      return { mode } as FileStats;
    },
  };
  const refused = createPlaceWatch(watching, () => nowMs);
  const count = (path: string) => [refused(path), looked.splice(0).length];
  const reason = '/mail: others can write to it (mode 0777)';
  assert.deepEqual(count('/mail/abc'), [undefined, 1]);
  assert.deepEqual(count('/mail/def'), [undefined, 0]);
  assert.deepEqual(count('/other/abc'), [undefined, 1]);
  mode = 0o40_777;
  nowMs += 9_999;
  assert.deepEqual(count('/mail/abc'), [undefined, 0]);
  nowMs += 1;
  assert.deepEqual(count('/mail/abc'), [reason, 1]);
  assert.deepEqual(count('/mail/abc'), [reason, 1]);
  mode = 0o41_777;
  assert.deepEqual(count('/mail/abc'), [undefined, 1]);
  // A clock that was put back a day.
  nowMs -= 86_400_000;
  assert.deepEqual(count('/mail/abc'), [undefined, 1]);
});
