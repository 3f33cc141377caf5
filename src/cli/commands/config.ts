import type { Command } from 'commander';
import { showSettings } from '../../config/index.ts';
import { type ConfigOption, settingsFile, settingsOf, withConfig } from '../settings.ts';
import type { Terminal } from '../terminal.ts';

export function configCommands(program: Command, terminal: Terminal): void {
  const config = program.command('config').description('look at the settings');
  withConfig(config.command('check'))
    .description('find every mistake in the settings; status 78 when there is one')
    .action(async (options: ConfigOption) => {
      const settings = settingsOf(options, terminal);
      if (settings.tls.certificate !== undefined || settings.tls.names.size > 0) {
        const { checkCertificates } = await import('../../main.ts');
        checkCertificates(settings);
      }
      terminal.out(terminal.say('{file}: no mistakes found', { file: settingsFile(options) ?? '-' }));
    });
  withConfig(config.command('show'))
    .description('print all settings in force, with what they mean and where they were set')
    .action((options: ConfigOption) => terminal.out(showSettings(settingsOf(options, terminal)).trimEnd()));
}
