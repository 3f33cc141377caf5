/** Other processes for the tests of locks: they say a line when they have done what they were asked, and are ended by their own handle. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import type { TestContext } from 'node:test';

export interface Child {
  /** The next line it prints. */
  line(): Promise<string>;
  say(line: string): void;
  kill(): Promise<void>;
  readonly pid: number;
}

/** A folder of the test's own, gone after it. */
export function folder(t: TestContext): string {
  const path = fs.mkdtempSync(join(tmpdir(), 'postkasse-os-'));
  t.after(() => fs.rmSync(path, { recursive: true, force: true }));
  return path;
}

/** Runs TypeScript of this folder: the text is a module that may import by relative path. */
export function nodeChild(t: TestContext, module: string, ...args: string[]): Child {
  const code = module.replaceAll("from './", `from '${import.meta.dirname}/`);
  return child(t, process.execPath, ['--input-type=module-typescript', '--eval', code, '--', ...args]);
}

/** Reason for skipping, where there is no Python. */
export const withoutPython = spawnSync('python3', ['--version']).status === 0 ? false : 'needs python3 (apt-get install python3)';

export function pythonChild(t: TestContext, script: string, ...args: string[]): Child {
  return child(t, 'python3', ['-u', '-c', script, ...args]);
}

function child(t: TestContext, command: string, args: string[]): Child {
  const started = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = linesOf(started);
  const kill = async (): Promise<void> => {
    if (started.exitCode !== null || started.signalCode !== null) return;
    started.kill('SIGKILL');
    await once(started, 'exit');
  };
  t.after(kill);
  return {
    async line() {
      const { value, done } = await lines.next();
      if (done === true) throw new Error(`${command} ended without a further line`);
      return value;
    },
    say: (line) => void started.stdin?.write(`${line}\n`),
    kill,
    pid: started.pid ?? 0,
  };
}

function linesOf({ stdout }: ChildProcess): AsyncIterator<string> {
  if (stdout === null) throw new Error('no output to read');
  const reader: Interface = createInterface({ input: stdout });
  return reader[Symbol.asyncIterator]();
}
