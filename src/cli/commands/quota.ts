import type { Command } from 'commander';
import type { Settings } from '../../config/index.ts';
import { type DomainName, parseDomainName } from '../../model/address.ts';
import type { Standing } from '../../model/quota.ts';
import * as exitCodes from '../../os/exitCodes.ts';
import { accountOf, openHouse } from '../house.ts';
import { quotaText } from '../quotaText.ts';
import { type ConfigOption, settingsOf, withConfig } from '../settings.ts';
import { ExitWith, type Terminal } from '../terminal.ts';

export function quotaCommand(program: Command, terminal: Terminal): void {
  withConfig(program.command('quota'))
    .argument('<name>', 'an address with an account behind it, or a domain')
    .description('print what a mailbox or all mailboxes of a domain hold, and what they may hold')
    .action(async (name: string, options: ConfigOption) => {
      const settings = settingsOf(options, terminal);
      for (const [what, standing] of await standingsOf(settings, name, terminal))
        for (const line of quotaText(what, standing, terminal.say)) terminal.out(line);
    });
}

async function standingsOf(settings: Settings, name: string, terminal: Terminal): Promise<(readonly [string, Standing])[]> {
  const domain = name.includes('@') ? undefined : parseDomainName(name);
  if (domain !== undefined) return [[domain, await ofDomain(settings, domain, terminal)]];
  const { account, quota } = await accountOf(settings, name, terminal);
  const { mailbox, domain: whole } = await quota.quota.standings(account);
  const rows: (readonly [string, Standing])[] = [[account.mailbox.name, mailbox]];
  if (whole?.limit !== undefined) rows.push([account.mailbox.domain ?? '', whole]);
  return rows;
}

async function ofDomain(settings: Settings, name: DomainName, terminal: Terminal): Promise<Standing> {
  const { directory, quota } = await openHouse(settings, { domain: name });
  const domain = await directory.domain(name);
  if (domain === undefined) {
    terminal.error(terminal.say('{name} is neither an address nor a domain of ours', { name }));
    throw new ExitWith(exitCodes.EX_NOUSER);
  }
  return { usage: await quota.domains.of(name), limit: domain.quotaOctets ?? settings.quota.domain };
}
