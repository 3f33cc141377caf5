import type { Command } from 'commander';
import { hashPassword, knownSchemes } from '../../directory/schemes/index.ts';
import * as exitCodes from '../../os/exitCodes.ts';
import { ExitWith, type Terminal } from '../terminal.ts';

export function passwdCommands(program: Command, terminal: Terminal): void {
  program
    .command('passwd')
    .description('passwords of virtual users')
    .command('hash')
    .description('read a password from standard input and print what stands for it in a passwd file')
    .option('-s, --scheme <name>', `one of ${knownSchemes.join(', ')}`, 'SHA512-CRYPT')
    .action(async ({ scheme }: { scheme: string }) => {
      const password = await terminal.secret(terminal.say('Password: '));
      if (password === undefined || password.length === 0) {
        terminal.error(terminal.say('no password given'));
        throw new ExitWith(exitCodes.EX_NOINPUT);
      }
      if (process.stdin.isTTY && !password.equals((await terminal.secret(terminal.say('Once more: '))) ?? Buffer.alloc(0))) {
        terminal.error(terminal.say('the two passwords differ'));
        throw new ExitWith(exitCodes.EX_DATAERR);
      }
      terminal.out(await hashPassword(scheme, password));
    });
}
