/** A process of this user's that serves LMTP to us alone, where no server runs. */
import type { ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { Socket } from 'node:net';
import { dirname, join } from 'node:path';

let server: ChildProcess | undefined;

/** The other end is its descriptor 3. Closed where it can't be started, or may not deliver. */
export function startOwnServer(config: string | undefined): Socket {
  // Loaded only where it is needed.
  const { spawn } = process.getBuiltinModule('node:child_process');
  const { PATH, TZ, LANG } = process.env;
  const home = dirname(dirname(process.argv[1] ?? ''));
  const script = join(home, 'src/cli/deliverHere.ts');
  const program = existsSync(script) ? script : join(home, 'dist/cli/deliverHere.js');
  // Postfix waits for the end of our output: nobody who may outlive us gets it.
  server = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', '--disable-sigusr1', program, ...(config === undefined ? [] : [config])],
    { stdio: ['ignore', 'ignore', 'ignore', 'pipe'], env: { PATH, TZ, LANG } },
  );
  // Node makes a socket of such a pipe.
  const connection = server.stdio[3] as Socket;
  server.on('error', () => connection.destroy());
  return connection;
}

export function stopOwnServer(): void {
  server?.kill('SIGKILL');
}
