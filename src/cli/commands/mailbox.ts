import { type Command, Option } from 'commander';
import { accountOf } from '../house.ts';
import { type ConfigOption, settingsOf, withConfig } from '../settings.ts';
import type { Terminal } from '../terminal.ts';

export function mailboxCommands(program: Command, terminal: Terminal): void {
  const mailbox = program.command('mailbox').description('mailboxes and where they rest');
  withConfig(mailbox.command('path'))
    .argument('<address>', 'an address with an account behind it')
    .description('print the file or directory that is the mailbox of an address')
    .action(async (name: string, options: ConfigOption) => {
      const { account, locate } = await accountOf(settingsOf(options, terminal), name, terminal);
      terminal.out(locate(account).path);
    });

  withConfig(mailbox.command('convert'))
    .argument('<address>', 'an address with an account behind it')
    .description(
      'bring the mailbox of an address into the other format, in its place; the server may run, its sessions with that mailbox may not',
    )
    .addOption(new Option('--to <format>', 'the format').choices(['maildir', 'mbox']).makeOptionMandatory())
    .action(async (name: string, options: ConfigOption & { to: 'maildir' | 'mbox' }) => {
      const { account, store: openStore } = await accountOf(settingsOf(options, terminal), name, terminal, true);
      const store = openStore();
      try {
        const { messages, kept } = await store.convert(account.mailbox, options.to);
        const values = { count: messages, format: options.to, path: kept };
        const text =
          messages === 1
            ? '1 message converted to {format}; the old mailbox is kept as {path}'
            : '{count} messages converted to {format}; the old mailbox is kept as {path}';
        terminal.out(terminal.say(text, values));
      } finally {
        await store.close();
      }
    });
}
