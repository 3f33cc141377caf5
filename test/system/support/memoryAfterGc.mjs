// Loaded into the processes of a server that a test starts: at SIGWINCH each says how many octets it holds, when all that nobody holds is gone.
import { renameSync, writeFileSync } from 'node:fs';

process.on('SIGWINCH', () => {
  globalThis.gc();
  globalThis.gc();
  const { heapUsed, external } = process.memoryUsage();
  const file = `${process.env.MEMORY_FIGURES}/${process.pid}`;
  writeFileSync(`${file}.part`, String(heapUsed + external));
  renameSync(`${file}.part`, file);
});
