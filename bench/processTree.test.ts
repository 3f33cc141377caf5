import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { cpuSeconds, memoryOf, processTree } from './processTree.ts';

test('children and their children belong to the tree', async () => {
  const shell = spawn('sh', ['-c', 'sleep 60 & echo $!; wait'], { stdio: ['ignore', 'pipe', 'ignore'] });
  const [line] = (await once(shell.stdout, 'data')) as [Buffer];
  const sleeper = Number(line);
  try {
    assert.deepEqual(processTree(shell.pid ?? 0).sort(), [shell.pid ?? 0, sleeper].sort());
    const memory = memoryOf(shell.pid ?? 0);
    assert.equal(memory.processes, 2);
    assert.ok(memory.rssKb >= memory.pssKb && memory.pssKb > 0);
  } finally {
    process.kill(sleeper);
    await once(shell, 'exit');
  }
});

test('CPU of children that have ended counts', () => {
  const before = cpuSeconds(process.pid);
  spawnSync(process.execPath, ['-e', 'const end = process.cpuUsage().user + 200_000; while (process.cpuUsage().user < end);']);
  assert.ok(cpuSeconds(process.pid) - before >= 0.19);
});
