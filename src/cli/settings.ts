/** The settings a subcommand works with, or every mistake in them and the end. */
import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { type ConfigProblem, formatProblem, loadPhrasebook, loadSettings, type Settings } from '../config/index.ts';
import * as exitCodes from '../os/exitCodes.ts';
import { createSpeaker, type Phrasebook } from '../texts/speaker.ts';
import { ExitWith, type Terminal } from './terminal.ts';

export const standardFile = '/etc/postkasse/postkasse.toml';

export interface ConfigOption {
  readonly config?: string;
}

export function withConfig(command: Command): Command {
  return command.option('-c, --config <file>', `settings file (default: ${standardFile} where there is one)`);
}

export function settingsFile(options: ConfigOption): string | undefined {
  return options.config ?? (existsSync(standardFile) ? standardFile : undefined);
}

export function readSettings(
  file: string | undefined,
): { readonly settings: Settings; readonly phrasebook: Phrasebook } | { readonly errors: readonly ConfigProblem[] } {
  const { settings, errors = [] } = loadSettings(file, { checkHost: true });
  const { phrasebook, errors: phraseErrors = [] } = loadPhrasebook(file);
  if (settings === undefined || phrasebook === undefined) return { errors: [...errors, ...phraseErrors] };
  const problem = unknownLanguage(settings, phrasebook);
  return problem === undefined ? { settings, phrasebook } : { errors: [problem] };
}

export function settingsOf(options: ConfigOption, terminal: Terminal): Settings {
  return speakingSettingsOf(options, terminal).settings;
}

/** With the translations that the host brought along. */
export function speakingSettingsOf(options: ConfigOption, terminal: Terminal): { settings: Settings; phrasebook: Phrasebook } {
  const read = readSettings(settingsFile(options));
  if (!('errors' in read)) return read;
  for (const problem of read.errors) terminal.error(formatProblem(problem, terminal.say));
  throw new ExitWith(exitCodes.EX_CONFIG);
}

/** Which languages there are is known when the texts beside the settings have been read. */
function unknownLanguage({ file, language, written }: Settings, phrasebook: Phrasebook): ConfigProblem | undefined {
  const speaker = createSpeaker(phrasebook);
  if (speaker.match(language) !== undefined) return undefined;
  const choices = speaker.languages.map(({ tag }) => JSON.stringify(tag)).join(', ');
  return {
    file: file ?? '-',
    line: written.find(({ path }) => path[0] === 'language')?.line ?? 1,
    text: '{key} cannot be {value}',
    values: { key: 'language', value: JSON.stringify(language) },
    allowed: { text: 'one of {choices}', values: { choices } },
  };
}
