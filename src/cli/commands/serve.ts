import { join } from 'node:path';
import type { Command } from 'commander';
import { supervise } from '../../processes/supervisor.ts';
import { type ConfigOption, readSettings, settingsFile, withConfig } from '../settings.ts';
import { ExitWith, type Terminal } from '../terminal.ts';
import { traceOption } from '../trace.ts';

export function serveCommand(program: Command, terminal: Terminal): void {
  withConfig(program.command('serve'))
    .description('serve in the foreground; prints "ready" when all listeners are up')
    .addOption(traceOption())
    .action(async (options: ConfigOption & { trace: readonly string[] }) => {
      const status = await supervise({
        read: () => readSettings(settingsFile(options)),
        command: [process.execPath, ...process.execArgv, frontProgram],
        trace: options.trace,
        terminal,
        now: Date.now,
      });
      throw new ExitWith(status);
    });
}

const source = import.meta.filename.endsWith('.ts');
const frontProgram = join(import.meta.dirname, '..', '..', 'processes', source ? 'frontMain.ts' : 'frontMain.js');
