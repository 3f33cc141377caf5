import type { Command } from 'commander';
import * as exitCodes from '../../os/exitCodes.ts';
import { ExitWith, type Terminal } from '../terminal.ts';

/** For `--help` alone: bin/postkasse starts a program of its own for deliveries (postfix/pipe/main.ts), since starting is what one costs. */
export function deliverCommand(program: Command, terminal: Terminal): void {
  program
    .command('deliver')
    .argument('[recipient...]', "envelope recipients; without any the environment says, as set by Postfix's local(8)")
    .description('deliver the message on standard input, for Postfix: from a .forward file, or from pipe(8)')
    .option('-f, --from <sender>', 'envelope sender, "" for a bounce; the default is what Postfix says')
    .option('--original-recipient <address>', 'what the one recipient was before aliases')
    .option('--socket <where>', 'where the server listens for LMTP: a Unix socket, or host:port (default: /run/postkasse/lmtp)')
    .option('-c, --config <file>', 'settings file, for when the server is not to be reached')
    .action(() => {
      terminal.error('postkasse: deliver has to be started by bin/postkasse');
      throw new ExitWith(exitCodes.EX_TEMPFAIL);
    });
}
