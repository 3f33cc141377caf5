import { constants } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import type { Settings } from '../../config/index.ts';
import { createResolver, type Destination, type Resolution } from '../../delivery/index.ts';
import { createSrs, type Srs } from '../../delivery/srs.ts';
import type { Account } from '../../model/directory.ts';
import { disk } from '../../os/disk.ts';
import * as exitCodes from '../../os/exitCodes.ts';
import { sharedSecret } from '../../os/sharedSecret.ts';
import { type HouseTools, openHouse } from '../house.ts';
import { quotaText } from '../quotaText.ts';
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
      const settings = settingsOf(options, terminal);
      const house = await openHouse(settings, claim);
      const { steps, account } = await house.directory.explain(claim);
      for (const { rule, outcome } of [...house.steps, ...steps]) terminal.out(`${rule}: ${outcome}`);
      if (account !== undefined) await printMailbox(account, house, terminal);
      const mail = name.includes('@') ? await resolverOf(settings, house).resolve(name) : undefined;
      if (mail !== undefined && !isPlain(mail, account)) printMail(name, mail, house, terminal);
      else if (account === undefined) throw new ExitWith(exitCodes.EX_NOUSER);
    });
}

async function printMailbox(account: Account, { locate, quota }: HouseTools, terminal: Terminal): Promise<void> {
  const { path, format, exists, tried } = locate(account);
  for (const { place, found } of tried) terminal.out(`${place}: ${found}`);
  terminal.out(terminal.say(exists ? 'mailbox: {path} ({format})' : 'mailbox: {path} ({format}, not there yet)', { path, format }));
  // A mailbox that can't be looked at has been shown to be one.
  const standings = await quota.quota.standings(account).catch(() => undefined);
  for (const [what, standing] of [
    [account.mailbox.name, standings?.mailbox],
    [account.mailbox.domain ?? '', standings?.domain],
  ] as const)
    if (standing?.limit !== undefined) for (const line of quotaText(what, standing, terminal.say)) terminal.out(line);
}

function resolverOf(settings: Settings, { directory }: HouseTools) {
  const { recipientDelimiter, foldSubdomains, internalDomain } = settings.delivery;
  const { defaultDomain } = settings.directory;
  return createResolver({ directory, recipientDelimiter, defaultDomain, foldSubdomains, internalDomain, srs: srsOf(settings) });
}

/** With the secret of those who send on, of the fronts where there are many owners; `undefined`: there is none yet, or it is closed to us. */
function srsOf({ stateDir }: Settings): Srs | undefined {
  const places = [join(stateDir, 'fronts', 'secret'), join(stateDir, 'secret')];
  const secret = places.find((path) => disk.access(path, constants.R_OK));
  return secret === undefined ? undefined : createSrs({ secret: sharedSecret(secret), now: Date.now });
}

/** Mail for the name rests with the account of that name and nowhere else, as has been said; or there is neither the one nor the other. */
function isPlain(mail: Resolution, account: Account | undefined): boolean {
  if (account === undefined) return mail.outcome === 'refuse';
  if (mail.outcome !== 'deliver') return false;
  const [first, ...more] = mail.destinations;
  return more.length === 0 && first?.kind === 'account' && first.keeps && first.account.mailbox.name === account.mailbox.name;
}

/** @throws ExitWith where nothing would be delivered */
function printMail(name: string, mail: Resolution, house: HouseTools, terminal: Terminal): void {
  terminal.out('');
  terminal.out(terminal.say('mail for {name}:', { name }));
  for (const { rule, outcome } of mail.steps) terminal.out(`  ${rule}: ${outcome}`);
  if (mail.outcome === 'refuse') throw new ExitWith(exitCodes.EX_NOUSER);
  if (mail.outcome === 'defer') throw new ExitWith(exitCodes.EX_TEMPFAIL);
  for (const destination of mail.destinations) terminal.out(`  ${inWords(destination, house, terminal)}`);
}

function inWords(destination: Destination, { locate }: HouseTools, terminal: Terminal): string {
  if (destination.kind === 'forward') {
    return terminal.say('goes on to {address}, for {domain}', { address: destination.address, domain: destination.by.name });
  }
  const { name } = destination.account.mailbox;
  if (!destination.keeps) return terminal.say('{name} keeps no copy', { name });
  return terminal.say('rests with {name}: {path}', { name, path: locate(destination.account).path });
}
