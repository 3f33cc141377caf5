import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Disk, disk } from '../../os/disk.ts';
import { createSharedSync } from './sharedSync.ts';

function heldDisk(): { disk: Disk; ends: ((error?: Error) => void)[] } {
  const ends: ((error?: Error) => void)[] = [];
  const syncDirectory = (): Promise<void> =>
    new Promise((resolve, reject) => {
      ends.push((error) => (error ? reject(error) : resolve()));
    });
  return { disk: { ...disk, syncDirectory }, ends };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('who comes while a sync is running shares the one after it', async () => {
  const { disk, ends } = heldDisk();
  const sync = createSharedSync(disk);
  const ended: string[] = [];
  const note = (name: string, promise: Promise<void>): Promise<void> =>
    promise.then(
      () => void ended.push(name),
      () => void ended.push(`${name} failed`),
    );
  const first = note('first', sync('/a'));
  const waiting = [note('second', sync('/a')), note('third', sync('/a')), note('elsewhere', sync('/b'))];
  assert.equal(ends.length, 2, 'one for each directory');
  ends[0]?.();
  await first;
  await turn();
  assert.deepEqual(ended, ['first']);
  assert.equal(ends.length, 3, 'the second and third share one that began after the first ended');
  const fourth = note('fourth', sync('/a'));
  ends[2]?.(new Error('disc'));
  ends[1]?.();
  await Promise.all(waiting);
  await turn();
  assert.deepEqual(ended.toSorted(), ['elsewhere', 'first', 'second failed', 'third failed']);
  ends[3]?.();
  await fourth;
  assert.equal(ended.at(-1), 'fourth');
  const last = sync('/a');
  assert.equal(ends.length, 5);
  ends[4]?.();
  await last;
});
