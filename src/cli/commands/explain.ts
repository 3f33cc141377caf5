import { constants } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import type { Settings } from '../../config/index.ts';
import { createResolver, explainMail } from '../../delivery/index.ts';
import { createSrs, type Srs } from '../../delivery/srs.ts';
import type { Account } from '../../model/directory.ts';
import type { ExplainedDestination, MailExplanation } from '../../model/mailExplanation.ts';
import { disk } from '../../os/disk.ts';
import * as exitCodes from '../../os/exitCodes.ts';
import { sharedSecret } from '../../os/sharedSecret.ts';
import { controlPath } from '../../processes/control.ts';
import { mailExplanation } from '../../processes/explanationSchema.ts';
import { ask } from '../control.ts';
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
      // First: afterwards we are whom the mail belongs to, and may not ask any more.
      const served = name.includes('@') ? await mailServed(name, settings) : undefined;
      const house = await openHouse(settings, claim);
      const { steps, account } = await house.directory.explain(claim);
      for (const { rule, outcome } of [...house.steps, ...steps]) terminal.out(`${rule}: ${outcome}`);
      if (account !== undefined) await printMailbox(account, house, terminal);
      const mail = served ?? (name.includes('@') ? await mailHere(name, settings, house) : undefined);
      if (mail !== undefined && !isPlain(mail, account)) printMail(name, mail, terminal);
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

/** By the server's own word, which knows what every owner says. `undefined`: it isn't running, or we may not ask. */
async function mailServed(name: string, settings: Settings): Promise<MailExplanation | undefined> {
  const answer = await ask(controlPath(settings), `explain ${name}`).catch(() => undefined);
  return mailExplanation.safeParse(answer).data;
}

/** By files of the domain's owner alone. */
function mailHere(name: string, settings: Settings, { directory, locate }: HouseTools) {
  const { recipientDelimiter, foldSubdomains, internalDomain } = settings.delivery;
  const { defaultDomain } = settings.directory;
  const resolver = createResolver({ directory, recipientDelimiter, defaultDomain, foldSubdomains, internalDomain, srs: srsOf(settings) });
  return explainMail(name, resolver, async ({ account }) => locate(account));
}

/** With the secret of those who send on, of the fronts where there are many owners; `undefined`: there is none yet, or it is closed to us. */
function srsOf({ stateDir }: Settings): Srs | undefined {
  const places = [join(stateDir, 'fronts', 'secret'), join(stateDir, 'secret')];
  const secret = places.find((path) => disk.access(path, constants.R_OK));
  return secret === undefined ? undefined : createSrs({ secret: sharedSecret(secret), now: Date.now });
}

/** Mail for the name rests with the account of that name and nowhere else, as has been said; or there is neither the one nor the other. */
function isPlain(mail: MailExplanation, account: Account | undefined): boolean {
  if (account === undefined) return mail.outcome === 'refuse';
  const [first, ...more] = mail.destinations;
  return more.length === 0 && first?.kind === 'rests' && first.name === account.mailbox.name;
}

/** @throws ExitWith where nothing would be delivered */
function printMail(name: string, mail: MailExplanation, terminal: Terminal): void {
  terminal.out('');
  terminal.out(terminal.say('mail for {name}:', { name }));
  for (const { rule, outcome } of mail.steps) terminal.out(`  ${rule}: ${outcome}`);
  if (mail.outcome === 'refuse') throw new ExitWith(exitCodes.EX_NOUSER);
  if (mail.outcome === 'defer') throw new ExitWith(exitCodes.EX_TEMPFAIL);
  for (const destination of mail.destinations) terminal.out(`  ${inWords(destination, terminal)}`);
}

function inWords(destination: ExplainedDestination, { say }: Terminal): string {
  switch (destination.kind) {
    case 'goes-on':
      return say('goes on to {address}, for {domain}', { address: destination.address, domain: destination.domain });
    case 'passes':
      return say('{name} keeps no copy', { name: destination.name });
    case 'rests':
      return say('rests with {name}: {path}', { name: destination.name, path: destination.path ?? '?' });
  }
}
