/** How a login or an address is understood, rule by rule, for `postkasse explain`. */
import { join } from 'node:path';
import type { Account, Claim, Step } from '../../model/directory.ts';
import type { Disk } from '../../os/disk.ts';
import type { Resolver } from '../resolve.ts';
import type { Accounts, Found, Virtual } from './accounts.ts';
import type { StoredPassword } from './storedPassword.ts';

/** @throws Fault temporary */
export async function explain(claim: Claim, resolver: Resolver<Found>, accounts: Accounts, disk: Disk) {
  const steps: Step[] = [];
  const { found } = await resolver.resolve(claim, steps);
  const account =
    found === undefined
      ? explainAbsence(steps)
      : found.domain === undefined
        ? explainSystem(found, steps, accounts)
        : await explainVirtual(found, steps, accounts, disk);
  return { steps, account };
}

function explainAbsence(steps: Step[]): undefined {
  steps.push({ rule: 'account', outcome: 'none' });
}

function explainSystem(found: Found, steps: Step[], accounts: Accounts): Account {
  steps.push({ rule: 'account', outcome: `system user ${found.mailbox.name}, ${ownerInWords(found)}` });
  return accounts.accountOf(found, undefined);
}

async function explainVirtual(found: Virtual, steps: Step[], accounts: Accounts, disk: Disk): Promise<Account | undefined> {
  const { domain, line, user, mailbox } = found;
  const path = disk.realpath(domain.passwdPath);
  const link = path === domain.passwdPath ? '' : `, which is ${path}`;
  steps.push({ rule: 'passwd file', outcome: `${domain.passwdPath}${link}, line ${domain.passwd.lineNumber(line.start)}` });
  steps.push({ rule: 'password', outcome: passwordInWords(accounts.passwordOf(found)) });
  const settingsPath = join(domain.passwdPath, '..', 'accounts', `${user}.toml`);
  if (disk.stat(settingsPath) !== undefined) steps.push({ rule: 'account settings', outcome: settingsPath });
  const settings = await domain.accountSettings(user);
  if (settings.disabled) steps.push({ rule: 'disabled', outcome: 'nobody can log in; mail is taken in' });
  const networks = settings.networks ?? domain.settings.networks;
  if (networks !== undefined) steps.push({ rule: 'networks', outcome: `logins only from ${networks.entries.join(', ')}` });
  const reason = accounts.refusedUid(found);
  if (reason !== undefined) {
    steps.push({ rule: 'account', outcome: `refused: ${reason}` });
    return undefined;
  }
  steps.push({ rule: 'account', outcome: `${mailbox.name}, ${ownerInWords(found)}, home ${mailbox.home ?? 'none'}` });
  return accounts.accountOf(found, settings);
}

function ownerInWords({ mailbox: { owner } }: Found): string {
  return owner === undefined ? 'no uid given' : `uid ${owner.uid}, gid ${owner.gid}`;
}

function passwordInWords(stored: StoredPassword): string {
  if (stored.verifier !== undefined) return stored.verifier.clearText === undefined ? 'a hash' : 'clear text';
  return stored.hint === undefined ? stored.reason : `${stored.reason}: ${stored.hint}`;
}
