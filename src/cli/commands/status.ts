import { setTimeout as sleep } from 'node:timers/promises';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { HouseReport } from '../../model/report.ts';
import { codeOf } from '../../os/disk.ts';
import * as exitCodes from '../../os/exitCodes.ts';
import { controlPath } from '../../processes/control.ts';
import { houseReport } from '../../processes/reportSchema.ts';
import { ask } from '../control.ts';
import { type ConfigOption, settingsOf, withConfig } from '../settings.ts';
import { statusText } from '../statusText.ts';
import { ExitWith, type Terminal } from '../terminal.ts';

interface StatusOptions extends ConfigOption {
  readonly json?: true;
  readonly watch?: number | true;
}

const USUAL_PAUSE_S = 2;
/** To the first column of the first line, and nothing below it. */
const CLEAR = '\u001b[H\u001b[J';

export function statusCommand(program: Command, terminal: Terminal): void {
  withConfig(program.command('status'))
    .description('what the running server is doing: sessions by domain, processes, deliveries, counters; status 69 when it is not running')
    .option('--json', 'one line of JSON instead of a text for people')
    .addOption(new Option('--watch [seconds]', `again and again, every ${USUAL_PAUSE_S} seconds if not said otherwise`).argParser(seconds))
    .action(async (options: StatusOptions) => {
      const path = controlPath(settingsOf(options, terminal));
      for (;;) {
        const report = await reportFrom(path, terminal);
        if (options.watch !== undefined && options.json === undefined && process.stdout.isTTY) process.stdout.write(CLEAR);
        if (options.json) terminal.out(JSON.stringify(report));
        else for (const line of statusText(report, terminal.say)) terminal.out(line);
        if (options.watch === undefined) return;
        await sleep((options.watch === true ? USUAL_PAUSE_S : options.watch) * 1000);
        if (!options.json && !process.stdout.isTTY) terminal.out('');
      }
    });
}

async function reportFrom(socket: string, terminal: Terminal): Promise<HouseReport> {
  const answer = await ask(socket, 'status').catch((thrown: unknown): never => {
    switch (codeOf(thrown)) {
      case 'ENOENT':
      case 'ECONNREFUSED':
        return end(terminal.say('{socket}: Postkasse is not running, or not with these settings', { socket }), exitCodes.EX_UNAVAILABLE);
      case 'EACCES':
        return end(terminal.say('{socket}: only root and the user who started Postkasse may ask', { socket }), exitCodes.EX_NOPERM);
      default: {
        const detail = thrown instanceof Error ? thrown.message : String(thrown);
        return end(terminal.say('{socket}: no answer ({detail})', { socket, detail }), exitCodes.EX_TEMPFAIL);
      }
    }
  });
  // Printed as it is, a false one could write to the terminal whatever it likes.
  const { success, data } = houseReport.safeParse(answer);
  return success ? data : end(terminal.say('{socket}: this is no answer of Postkasse', { socket }), exitCodes.EX_PROTOCOL);

  function end(line: string, status: number): never {
    terminal.error(`postkasse: ${line}`);
    throw new ExitWith(status);
  }
}

function seconds(written: string): number {
  if (!/^\d{1,5}(\.\d)?$/.test(written) || Number(written) <= 0) throw new InvalidArgumentError('seconds, such as 2 or 0.5');
  return Number(written);
}
