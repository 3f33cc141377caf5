/** Looks at a Postfix and its tables; changes nothing. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { Fault } from '../../model/fault.ts';
import type { KitDomain } from './domains.ts';
import {
  chrootByDefault,
  type Installation,
  isOlder,
  oldestVersion,
  parseServices,
  parseSettings,
  parseVersion,
  settingOf,
  words,
} from './installation.ts';
import { ownPath } from './needs.ts';
import { output, run } from './programs.ts';
import { type Existing, probeUser } from './question.ts';

/** @param folder of main.cf; `undefined`: where Postfix itself looks. @throws Fault, also for a Postfix that is too old */
export async function readInstallation(folder: string | undefined): Promise<Installation> {
  // Postfix' own processes are somewhere else.
  const configDir = resolve(folder ?? (await output('postconf', ['-h', 'config_directory'])).trim());
  const at = (...args: string[]) => output('postconf', ['-c', configDir, ...args]);
  const written = await output('postconf', ['-d', '-h', 'mail_version']);
  const version = parseVersion(written);
  if (version === undefined || isOlder(version, oldestVersion))
    throw new Fault('permanent', 'Postfix is {version}, and {oldest} is the oldest that will do', {
      values: { version: written.trim(), oldest: oldestVersion.slice(0, 2).join('.') },
    });
  const [own, defaults, effective, services, types] = await Promise.all([at('-n'), at('-d'), at('-x'), at('-M'), at('-m')]);
  const settings = parseSettings(own);
  settings.delete('config_directory'); // of the command line
  const all = parseSettings(effective);
  return {
    configDir,
    queueDir: all.get('queue_directory') ?? '/var/spool/postfix',
    version,
    mapTypes: new Set(types.trim().split('\n')),
    written: settings,
    defaults: parseSettings(defaults),
    effective: all,
    services: parseServices(services, chrootByDefault(version, all.get('compatibility_level'))),
  };
}

/** What the administrator's lists and tables say about our domains. Tables that can't be asked say nothing. */
export async function readExisting(installation: Installation, domains: readonly KitDomain[]): Promise<Existing> {
  const names = domains.map(({ name }) => name);
  const listed = async (parameter: string) => {
    const found = await lookUp(installation, parameter, names);
    const value = words(settingOf(installation, parameter));
    return new Set(names.filter((name) => value.includes(name) || found.has(name)));
  };
  const addresses = names.flatMap((name) => [`postmaster@${name}`, `${probeUser}@${name}`]);
  return {
    destinations: await listed('mydestination'),
    mailboxDomains: await listed('virtual_mailbox_domains'),
    aliasDomains: await listed('virtual_alias_domains'),
    // The default may be mydestination.
    relayDomains: installation.written.has('relay_domains') ? await listed('relay_domains') : new Set(),
    aliases: await lookUp(installation, 'virtual_alias_maps', addresses),
    aliasesRunCommands: words(settingOf(installation, 'alias_maps')).some(runsCommands),
  };
}

async function lookUp(installation: Installation, parameter: string, keys: readonly string[]): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  const { configDir } = installation;
  const tables = words(settingOf(installation, parameter)).filter(
    (word) => /^[a-z]+:/.test(word) && !word.includes(ownPath(configDir, '')) && !word.includes('socketmap:'),
  );
  for (const table of tables) {
    const { out } = await run('postmap', ['-c', configDir, '-q', '-', table], keys.map((key) => `${key}\n`).join(''));
    for (const line of out.split('\n')) {
      const [, key, value] = /^(\S+)\s+(.*)$/.exec(line) ?? [];
      if (key !== undefined && value !== undefined && !found.has(key)) found.set(key, value);
    }
  }
  return found;
}

/** Whether a table of aliases(5) names a command, a file or a list of either. */
function runsCommands(table: string): boolean {
  const file = /^[a-z]+:(\/.*)$/.exec(table)?.[1];
  if (file === undefined) return false;
  try {
    return readFileSync(file, 'utf8')
      .split('\n')
      .some((line) => /^[^#]*:.*(?:\||:include:|[\s:,"]\/)/.test(line));
  } catch {
    return false;
  }
}
