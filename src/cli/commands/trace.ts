import { join } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Settings } from '../../config/index.ts';
import { asciiJson } from '../../delivery/trace/record.ts';
import { searchTrace } from '../../delivery/trace/search.ts';
import { codeOf } from '../../os/disk.ts';
import * as exitCodes from '../../os/exitCodes.ts';
import { frontSettings } from '../../processes/ownerGrounds.ts';
import { type ConfigOption, settingsOf, withConfig } from '../settings.ts';
import { ExitWith, type Terminal } from '../terminal.ts';
import { traceText } from '../traceText.ts';

interface TraceOptions extends ConfigOption {
  readonly recipient?: string;
  readonly since?: number;
  readonly limit: number;
  readonly json?: true;
}

export function traceCommand(program: Command, terminal: Terminal): void {
  withConfig(program.command('trace'))
    .argument('[id]', "the queue id of the server that handed it over, a Message-ID, or an id of Postkasse's log")
    .description(
      'what became of a message: who sent it, which rules it met, where it went or why not; status 67 when nothing is known of it',
    )
    .option('--recipient <address>', 'an address that mail was for, as it was sent to or as it ended up; refused mail too')
    .addOption(new Option('--since <when>', 'not before: 30m, 2h, 3d, or a time such as 2026-11-29T12:00').argParser(since))
    .addOption(new Option('--limit <count>', 'so many at most, the newest').argParser(count).default(100))
    .option('--json', 'a line of JSON for each instead of a text for people')
    .action(async (id: string | undefined, { recipient, since: sinceMs, limit, json, ...options }: TraceOptions) => {
      const settings = settingsOf(options, terminal);
      if (id === undefined && recipient === undefined) {
        terminal.error(terminal.say('an address, a queue id or a Message-ID is needed'));
        throw new ExitWith(exitCodes.EX_USAGE);
      }
      const { records, left } = await found(settings, { id, recipient, sinceMs, most: limit }, terminal);
      if (records.length === 0) {
        terminal.error(terminal.say('nothing is known of it'));
        throw new ExitWith(exitCodes.EX_NOUSER);
      }
      for (const record of records) {
        if (json) terminal.out(asciiJson(record));
        else for (const line of traceText(record, terminal.say)) terminal.out(line);
      }
      if (left > 0) terminal.error(terminal.say('{count} older ones are not shown; --since or --limit chooses others', { count: left }));
    });
}

async function found(settings: Settings, query: Parameters<typeof searchTrace>[1], terminal: Terminal): ReturnType<typeof searchTrace> {
  // With one owner and with many: it may have been either in the days that are kept.
  const folders = [settings, frontSettings(settings)].map(({ stateDir }) => join(stateDir, 'trace'));
  try {
    return await searchTrace(folders, query);
  } catch (thrown) {
    if (codeOf(thrown) !== 'EACCES') throw thrown;
    terminal.error(terminal.say('{folder}: only root and the user who runs Postkasse may look', { folder: settings.stateDir }));
    throw new ExitWith(exitCodes.EX_NOPERM);
  }
}

const unitMs: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 };

function since(written: string): number {
  const [, number, unit = ''] = /^(\d{1,6})([mhd])$/.exec(written) ?? [];
  const factor = unitMs[unit];
  const ms = number !== undefined && factor !== undefined ? Date.now() - Number(number) * factor : Date.parse(written);
  if (Number.isNaN(ms)) throw new InvalidArgumentError('2h, 3d, or a time such as 2026-11-29T12:00');
  return ms;
}

function count(written: string): number {
  if (!/^[1-9]\d{0,5}$/.test(written)) throw new InvalidArgumentError('a number from 1 to 999999');
  return Number(written);
}
