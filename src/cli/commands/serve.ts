import { join } from 'node:path';
import { type Command, Option } from 'commander';
import { harden } from '../../os/hardening.ts';
import { takePassedSockets } from '../../os/listenFds.ts';
import { createNotifier } from '../../os/notify.ts';
import type { Command as ChildCommand } from '../../processes/children.ts';
import type { StdioProtocol } from '../../processes/stdio.ts';
import { supervise } from '../../processes/supervise.ts';
import { type ConfigOption, readSettings, settingsFile, withConfig } from '../settings.ts';
import { ExitWith, type Terminal } from '../terminal.ts';
import { traceOption } from '../trace.ts';

export function serveCommand(program: Command, terminal: Terminal): void {
  withConfig(program.command('serve'))
    .description('serve in the foreground; prints "ready" when all listeners are up')
    .addOption(traceOption())
    .addOption(stdioOption())
    .action(async (options: ServeOptions) => {
      harden();
      const common = {
        read: () => readSettings(settingsFile(options)),
        programs: { front: childProgram('frontMain'), worker: childProgram('workerMain', workerFlags) },
        trace: options.trace,
        now: Date.now,
      };
      if (options.stdio !== undefined) {
        const { serveStdio } = await import('../../processes/stdio.ts');
        process.exit(await serveStdio({ ...common, protocol: options.stdio }));
      }
      throw new ExitWith(await supervise({ ...common, passed: takePassedSockets(), notifier: createNotifier(), terminal }));
    });
}

interface ServeOptions extends ConfigOption {
  readonly trace: readonly string[];
  readonly stdio?: StdioProtocol;
}

function stdioOption(): Option {
  return new Option('--stdio [protocol]', 'serve the one connection that is descriptor 0, as under inetd')
    .choices(['pop3', 'pop3s', 'lmtp'] satisfies StdioProtocol[])
    .preset('pop3');
}

const extension = import.meta.filename.endsWith('.ts') ? 'ts' : 'js';

/**
 * A worker serves one owner: it has little to do at a time, and there may be hundreds. What its sessions leave behind is collected after 2 MB
 * rather than 16. Flags that change more than sizes make Node compile all of itself anew at each start (docs/benchmarks.md).
 */
const workerFlags = ['--max-semi-space-size=2'];

/** One of the programs in processes/, run as this one is. */
function childProgram(name: string, flags: readonly string[] = []): ChildCommand {
  return [process.execPath, ...process.execArgv, ...flags, join(import.meta.dirname, '..', '..', 'processes', `${name}.${extension}`)];
}
