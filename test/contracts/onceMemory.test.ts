/** Each memory of what was done once against the contract. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { createMemoryStore } from '../../src/maildrops/memory/index.ts';
import { createMemoryOnceMemory } from '../../src/maildrops/memory/onceMemory.ts';
import { createOnceMemory } from '../../src/maildrops/onceMemory.ts';
import type { OnceMemory } from '../../src/model/onceMemory.ts';
import { disk } from '../../src/os/disk.ts';
import { directoryOf, ownerHouse } from '../support/ownerWorkers.ts';
import { onceMemoryContract } from './onceMemory.ts';

onceMemoryContract('memory', (_, now) => {
  const once = createMemoryOnceMemory(now);
  return { once, again: () => once };
});

onceMemoryContract('files', onDisc);

onceMemoryContract("files with their owner's worker", (t, now) => {
  const { once, again } = onDisc(t, now);
  return { once: atWorker(t, once), again: () => atWorker(t, again()) };
});

function onDisc(t: TestContext, now: () => number) {
  const folder = mkdtempSync(join(tmpdir(), 'once-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const make = () => createOnceMemory({ folder: join(folder, 'state', 'once'), disk, now });
  return { once: make(), again: make };
}

function atWorker(t: TestContext, once: OnceMemory): OnceMemory {
  return ownerHouse(t, [{ domains: ['kvt.dk'], directory: directoryOf('abc@kvt.dk', 'kvt@kvt.dk'), store: createMemoryStore(), once }])
    .once;
}
