import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { replaceFile } from './atomicFile.ts';
import { folder } from './children.test.ts';
import { type Disk, disk } from './disk.ts';

type Call = keyof Disk;

/** The disc, with `before` called ahead of each call. */
function watched(before: (call: Call) => void): Disk {
  const handler: ProxyHandler<Disk> = {
    get(target, name: Call) {
      const method = target[name] as (...args: unknown[]) => unknown;
      return (...args: unknown[]) => {
        before(name);
        return method.apply(target, args);
      };
    },
  };
  return new Proxy(disk, handler);
}

test('the new octets are on disc before the name, and the name before the return', async (t) => {
  const path = join(folder(t), 'passwd');
  fs.writeFileSync(path, 'old');
  const calls: Call[] = [];
  await replaceFile(
    watched((call) => calls.push(call)),
    path,
    Buffer.from('new'),
    0o640,
  );
  assert.deepEqual(calls, ['open', 'fchmod', 'write', 'sync', 'close', 'rename', 'syncDirectory']);
  assert.equal(fs.readFileSync(path, 'latin1'), 'new');
  assert.equal(fs.statSync(path).mode & 0o777, 0o640);
  assert.deepEqual(fs.readdirSync(join(path, '..')), ['passwd']);
});

test('a full disc at any call before the rename leaves the old file and nothing else', async (t) => {
  for (const failing of ['open', 'fchown', 'fchmod', 'write', 'sync', 'close', 'rename'] as const) {
    const path = join(folder(t), 'passwd');
    fs.writeFileSync(path, 'old');
    let opened: number | undefined;
    const full = watched((call) => {
      if (call === failing) throw Object.assign(new Error(call), { code: 'ENOSPC' });
    });
    const noting: Disk = {
      ...full,
      ...Object.fromEntries(Object.keys(disk).map((name) => [name, full[name as Call]])),
      open: (...args) => {
        opened = full.open(...args);
        return opened;
      },
    };
    await assert.rejects(
      replaceFile(noting, path, Buffer.from('new'), 0o600, { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 }),
      {
        code: 'ENOSPC',
      },
    );
    // The wrapper failed in place of close(2): the descriptor is the test's to close.
    if (failing === 'close' && opened !== undefined) fs.closeSync(opened);
    assert.equal(fs.readFileSync(path, 'latin1'), 'old', failing);
    assert.deepEqual(fs.readdirSync(join(path, '..')), ['passwd'], failing);
  }
});

test('a leftover of an earlier process with our number is passed by', async (t) => {
  const path = join(folder(t), 'passwd');
  const names: string[] = [];
  const noting: Disk = {
    ...disk,
    rename(from, to) {
      names.push(from);
      disk.rename(from, to);
    },
  };
  await replaceFile(noting, path, Buffer.from('1'), 0o600);
  const next = names[0]?.replace(/\d+\.new$/, (end) => `${Number.parseInt(end, 10) + 1}.new`) ?? '';
  fs.writeFileSync(next, 'leftover');
  await replaceFile(noting, path, Buffer.from('2'), 0o600);
  assert.equal(fs.readFileSync(path, 'latin1'), '2');
  assert.equal(fs.readFileSync(next, 'latin1'), 'leftover');
});
