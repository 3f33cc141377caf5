/** The kit dies at each of its calls that change something: what it was at can be gone on with, or put back, and no file is ever half of one and half of the other. */
import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { faultyDisk } from '../../../test/faultyDisk.ts';
import { type Disk, disk } from '../../os/disk.ts';
import { applyPlan, rollBack } from './apply.ts';
import { installation } from './fakes.test.ts';
import { type FileChange, fileChange, type WantedFile } from './fileChanges.ts';
import { readState } from './files.ts';
import { Keeping } from './keeping.ts';
import { mark } from './mapFile.ts';
import type { Plan } from './plan.ts';

const noReload = async () => {};

/** A folder with what an administrator has, and what is wanted there instead: something new, something else, and something gone. */
class Folder {
  readonly path = mkdtempSync(join(tmpdir(), 'postkasse-'));
  readonly etc = join(this.path, 'etc');
  readonly wanted: readonly WantedFile[];

  constructor() {
    mkdirSync(this.etc);
    writeFileSync(join(this.etc, 'main.cf'), 'old = main\n');
    writeFileSync(join(this.etc, 'master.cf'), 'old master\n');
    writeFileSync(join(this.path, '.forward'), 'old@forward\n');
    chmodSync(join(this.path, '.forward'), 0o600);
    const file = (path: string, kind: WantedFile['kind'], text: string | undefined): WantedFile => ({
      path: join(this.path, path),
      kind,
      text: text === undefined ? undefined : Buffer.from(text),
    });
    this.wanted = [
      file('etc/postkasse/styles', 'styles', '* lmtp\n'),
      file('etc/postkasse/domains', 'map', `${mark}\nkvt.dk lmtp\n`),
      file('.forward', 'forward', `${mark}\nnew@forward\n`),
      file('etc/master.cf', 'settings', 'new master\n'),
      file('etc/main.cf', 'settings', 'new = main\n'),
    ];
  }

  plan(keeping: Keeping): Plan {
    const files = this.wanted.flatMap((wanted): FileChange[] => {
      const change = fileChange(wanted, readState(disk, wanted.path), keeping.recorded.get(wanted.path)?.after ?? undefined);
      return change === undefined ? [] : [{ ...change, held: undefined }];
    });
    return { installation: { ...installation(), configDir: this.etc }, settings: [], files, tables: [], conflicts: [] };
  }

  async apply(on: Disk): Promise<void> {
    const keeping = new Keeping(on, this.etc);
    await applyPlan(on, this.plan(keeping), keeping, new Date(0), () => {}, noReload);
  }

  rollBack(on: Disk): Promise<boolean> {
    return rollBack(on, this.etc, new Keeping(on, this.etc), () => {}, noReload);
  }

  /** Contents and modes, without what the kit keeps for itself. */
  look(): Record<string, string> {
    return Object.fromEntries(
      this.wanted.flatMap(({ path }) =>
        existsSync(path) ? [[path, `${(statSync(path).mode & 0o777).toString(8)} ${readFileSync(path, 'utf8')}`]] : [],
      ),
    );
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true });
  }
}

/** Runs the act with a disc that is dead from the nth call on, until one run needs fewer calls. */
async function atEachCall(
  act: (on: Disk, folder: Folder) => Promise<unknown>,
  prepare: (folder: Folder) => Promise<void>,
  then: (folder: Folder, n: number) => Promise<void>,
): Promise<number> {
  for (let n = 1; ; n++) {
    using folder = new Folder();
    await prepare(folder);
    const { disk: faulty, calls } = faultyDisk(n, 'dead');
    const failed = await act(faulty, folder).then(
      () => false,
      () => true,
    );
    if (!failed && calls.length < n) return n - 1;
    await then(folder, n);
  }
}

test('apply: each file is old or new, and can be put back or gone on with', async () => {
  using example = new Folder();
  const before = Object.values(example.look());
  await example.apply(disk);
  const after = Object.values(example.look());
  assert.equal(after.length, 5);
  for (const goesOn of [false, true]) {
    const calls = await atEachCall(
      (on, folder) => folder.apply(on),
      async () => {},
      async (folder, n) => {
        for (const content of Object.values(folder.look())) assert.ok([...before, ...after].includes(content), `call ${n}: ${content}`);
        if (goesOn) {
          await folder.apply(disk);
          assert.deepEqual(Object.values(folder.look()), after, `call ${n}`);
        }
        await folder.rollBack(disk);
        assert.deepEqual(Object.values(folder.look()), before, `call ${n}`);
      },
    );
    assert.ok(calls > 40, `${calls} calls`);
  }
});

test('rollback: doing it again goes on from there', async () => {
  using example = new Folder();
  const before = Object.values(example.look());
  const calls = await atEachCall(
    (on, folder) => folder.rollBack(on),
    (folder) => folder.apply(disk),
    async (folder, n) => {
      await folder.rollBack(disk);
      assert.deepEqual(Object.values(folder.look()), before, `call ${n}`);
      // A process that dies leaves the file that it was writing.
      const left = readdirSync(folder.etc).filter((name) => !name.endsWith('.new'));
      assert.deepEqual(left.sort(), ['main.cf', 'master.cf'], `call ${n}`);
    },
  );
  assert.ok(calls > 15, `${calls} calls`);
});
