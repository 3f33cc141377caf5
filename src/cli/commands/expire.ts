import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Command } from 'commander';
import type { Settings } from '../../config/index.ts';
import { domainFolders } from '../../directory/passwd/ownership.ts';
import { type Address, type DomainName, parseAddress, parseDomainName } from '../../model/address.ts';
import type { Account } from '../../model/directory.ts';
import { Fault } from '../../model/fault.ts';
import type { MaildropStore } from '../../model/maildrop.ts';
import { disk } from '../../os/disk.ts';
import * as exitCodes from '../../os/exitCodes.ts';
import { expireDaysOf, isOlderThan } from '../../pop3/retention.ts';
import { identityOf } from '../../processes/grounds.ts';
import { modeOf } from '../../processes/ownership.ts';
import { openHouse } from '../house.ts';
import { type ConfigOption, settingsOf, withConfig } from '../settings.ts';
import { ExitWith, type Terminal } from '../terminal.ts';

interface ExpireOptions extends ConfigOption {
  readonly dryRun?: true;
}

export function expireCommand(program: Command, terminal: Terminal): void {
  withConfig(program.command('expire'))
    .argument('[name]', 'an address or a domain; left out: all domains')
    .description(
      'remove messages older than expire_days says, also those that nobody has fetched: for cron; a mailbox that somebody is reading is left alone, and status 75 when something could not be done',
    )
    .option('--dry-run', 'say what would be removed, and remove nothing')
    .action(async (name: string | undefined, options: ExpireOptions) => {
      const settings = settingsOf(options, terminal);
      const address = name === undefined ? undefined : parseAddress(name);
      const domain = name === undefined ? undefined : (address?.domain ?? parseDomainName(name));
      if (name !== undefined && domain === undefined) {
        terminal.error(terminal.say('{name} is neither an address nor a domain of ours', { name }));
        throw new ExitWith(exitCodes.EX_USAGE);
      }
      const domains = domain === undefined ? domainFolders(disk, settings.directory.root) : [domain];
      const isWhole = domain !== undefined || modeOf(settings, identityOf(settings)) === 'one';
      const done = isWhole ? await inDomains(settings, domains, address, options, terminal) : await eachByItself(domains);
      if (!done) throw new ExitWith(exitCodes.EX_TEMPFAIL);
    });
}

/** Each as its owner, which this process can become once: the same command again for each. */
async function eachByItself(domains: readonly DomainName[]): Promise<boolean> {
  let done = true;
  for (const domain of domains) {
    const child = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1), '--', domain], { stdio: 'inherit' });
    const [status] = (await once(child, 'close')) as [number | null];
    done &&= status === exitCodes.EX_OK;
  }
  return done;
}

/** False: something could not be done. */
async function inDomains(
  settings: Settings,
  domains: readonly DomainName[],
  only: Address | undefined,
  options: ExpireOptions,
  terminal: Terminal,
): Promise<boolean> {
  const [first] = domains;
  if (first === undefined) return true;
  const { directory, store: openStore } = await openHouse(settings, { domain: first }, true);
  const store = openStore();
  let done = true;
  try {
    for (const domain of domains) {
      const mailboxes = only === undefined ? await directory.mailboxes(domain) : [only];
      for (const { user } of mailboxes) {
        const address = { user, domain };
        done =
          (await trying(`${user}@${domain}`, terminal, async () =>
            inMailbox(settings, await directory.account(address), store, options, terminal),
          )) && done;
      }
    }
  } finally {
    await store.close();
  }
  return done;
}

async function inMailbox(
  settings: Settings,
  account: Account | undefined,
  store: MaildropStore,
  { dryRun }: ExpireOptions,
  terminal: Terminal,
): Promise<void> {
  if (account === undefined) throw new Fault('not-found', 'no such user here');
  const days = expireDaysOf(account, settings.pop3);
  // 0: what was fetched goes when it is fetched, and that is for QUIT to do.
  if (days === 'never' || days === 0) return;
  const { mailbox } = account;
  await using maildrop = await store.open(mailbox, { noStatus: true });
  const nowMs = Date.now();
  const old = new Set(maildrop.messages.filter((message) => isOlderThan(message, nowMs, days)));
  if (old.size === 0) return;
  if (!dryRun) await maildrop.update(old, new Set());
  const values = { name: mailbox.name, count: old.size, left: maildrop.messages.length - old.size };
  terminal.out(terminal.say(dryRun ? '{name}: {count} would be removed, {left} left' : '{name}: {count} removed, {left} left', values));
}

/** One mailbox that can't be had is no reason to leave the others. */
async function trying(name: string, terminal: Terminal, work: () => Promise<void>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (thrown) {
    const fault = Fault.from(thrown);
    if (fault.kind === 'in-use') {
      terminal.error(terminal.say('{name}: somebody is reading it, left alone', { name }));
      return true;
    }
    terminal.error(terminal.say('{name}: {problem}', { name, problem: terminal.say(fault.text, fault.values) }));
    return false;
  }
}
