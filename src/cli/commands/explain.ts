import type { Command } from 'commander';
import * as exitCodes from '../../os/exitCodes.ts';
import { openHouse } from '../house.ts';
import { type ConfigOption, settingsOf, withConfig } from '../settings.ts';
import { ExitWith, type Terminal } from '../terminal.ts';

export function explainCommand(program: Command, terminal: Terminal): void {
  withConfig(program.command('explain'))
    .argument('<name>', 'a login name or an address')
    .description('print each rule tried on the way from a login or address to a mailbox, and the file that ends up used')
    .option('--local-address <ip>', 'as if the client had connected to this address')
    .option('--server-name <name>', 'as if the client had asked for this TLS name')
    .action(async (name: string, options: ConfigOption & { localAddress?: string; serverName?: string }) => {
      const claim = { login: name, arrival: { localAddress: options.localAddress, serverName: options.serverName } };
      const { directory, steps: before, locate } = await openHouse(settingsOf(options, terminal), claim);
      const { steps, account } = await directory.explain(claim);
      for (const { rule, outcome } of [...before, ...steps]) terminal.out(`${rule}: ${outcome}`);
      if (account === undefined) throw new ExitWith(exitCodes.EX_NOUSER);
      const { path, format, exists, tried } = locate(account);
      for (const { place, found } of tried) terminal.out(`${place}: ${found}`);
      terminal.out(terminal.say(exists ? 'mailbox: {path} ({format})' : 'mailbox: {path} ({format}, not there yet)', { path, format }));
    });
}
