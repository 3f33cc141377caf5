/** The folder of a domain: `passwd`, and beside it `domain.toml`, `aliases` and `accounts/`. Each file is watched; none of them is kept open. */
import { join } from 'node:path';
import type { DomainName, UserName } from '../../model/address.ts';
import { Fault } from '../../model/fault.ts';
import { type Aliases, parseAliases } from './aliases.ts';
import { type PasswdLines, parsePasswd } from './lines.ts';
import { domainFolders } from './ownership.ts';
import { type Acting, createFileRule, UnfitFile } from './ownFiles.ts';
import {
  type AccountSettings,
  type DomainSettings,
  noAccountSettings,
  noDomainSettings,
  parseAccountSettings,
  parseDomainSettings,
} from './settings.ts';
import { BadToml } from './toml.ts';
import { WatchedFile, type WatchedFileContext } from './watchedFile.ts';

/** A domain of ours as its files are now. */
export interface Domain {
  readonly name: DomainName;
  readonly passwdPath: string;
  readonly passwd: PasswdLines;
  readonly settings: DomainSettings;
  /** @throws Fault temporary where the file is there and makes no sense: nobody can tell what its owner wanted */
  accountSettings(user: UserName): Promise<AccountSettings>;
  /** `undefined`: there is no such file. @throws Fault temporary where it can't be read */
  aliases(): Promise<Aliases | undefined>;
}

export interface Domains {
  /** `undefined`: not one of ours. @throws Fault temporary where a file can't be read or understood */
  find(name: DomainName): Promise<Domain | undefined>;
  /** As `find`, without waiting or faults: nothing for what can't be read or understood. */
  peek(name: DomainName): Domain | 'loading' | undefined;
  /** Folders that may be domains. Empty where the root can't be read. */
  names(): readonly DomainName[];
}

/** Settings, or what is wrong with them: said once in the log, and to everybody who asks as a fault. */
type Understood<T> = { readonly settings: T } | { readonly problem: string };

interface Files {
  readonly passwdPath: string;
  readonly passwd: WatchedFile<PasswdLines>;
  readonly settings: WatchedFile<Understood<DomainSettings>>;
  readonly accountSettings: Domain['accountSettings'];
  readonly aliases: WatchedFile<Aliases>;
}

const LARGEST_ALIASES = 16 << 20;

/** Domains kept in memory; more of them work, and are read at each login. */
const MOST_KNOWN = 100_000;

/** @param passwdFile its path below a domain's folder */
export function createDomains(root: string, passwdFile: string, context: WatchedFileContext, acting: Acting, onLoad: () => void): Domains {
  const { log, now } = context;
  const known = new Map<DomainName, Files>();
  const rules = { passwd: createFileRule(context.disk, acting, true), settings: createFileRule(context.disk, acting, false) };
  /** Of each version of a passwd file, what was last said of it. */
  const told = new WeakMap<PasswdLines, string>();

  function loadPasswd(path: string, octets: Buffer): PasswdLines {
    const startedAtMs = now();
    const lines = parsePasswd(octets);
    for (const { line, reason } of lines.skipped) log.warn('directory.skipped-line', { file: path, line, reason });
    const more = lines.skippedCount - lines.skipped.length;
    if (more > 0) log.warn('directory.skipped-lines', { file: path, more });
    log.debug('directory.loaded', { file: path, accounts: lines.size, octets: octets.length, ms: now() - startedAtMs });
    onLoad();
    return lines;
  }

  function loadAliases(path: string, octets: Buffer): Aliases {
    const aliases = parseAliases(octets);
    for (const { line, reason } of aliases.skipped) log.warn('directory.skipped-line', { file: path, line, reason });
    const more = aliases.skippedCount - aliases.skipped.length;
    if (more > 0) log.warn('directory.skipped-lines', { file: path, more });
    return aliases;
  }

  function understand<T>(path: string, octets: Buffer, parse: (octets: Buffer) => T): Understood<T> {
    onLoad();
    try {
      return { settings: parse(octets) };
    } catch (error) {
      if (!(error instanceof BadToml)) throw error;
      log.error('directory.bad-settings', { file: path, line: error.line, reason: error.message });
      return { problem: `${path}:${error.line}: ${error.message}` };
    }
  }

  function settingsFile<T>(path: string, parse: (octets: Buffer) => T): WatchedFile<Understood<T>> {
    return new WatchedFile(path, (octets) => understand(path, octets, parse), { ...context, rule: rules.settings, limitOctets: 1 << 20 });
  }

  function createFiles(name: DomainName): Files {
    const folder = join(root, name);
    const passwdPath = join(folder, passwdFile);
    const aliasesPath = join(folder, 'aliases');
    const accounts = new Map<UserName, WatchedFile<Understood<AccountSettings>>>();
    return {
      passwdPath,
      passwd: new WatchedFile(passwdPath, (octets) => loadPasswd(passwdPath, octets), { ...context, rule: rules.passwd }),
      settings: settingsFile(join(folder, 'domain.toml'), parseDomainSettings),
      aliases: new WatchedFile(aliasesPath, (octets) => loadAliases(aliasesPath, octets), {
        ...context,
        rule: rules.settings,
        limitOctets: LARGEST_ALIASES,
      }),
      async accountSettings(user) {
        const file = accounts.get(user) ?? settingsFile(`${folder}/accounts/${user}.toml`, parseAccountSettings);
        // One that can't be read is kept, too: it knows what has been said of it.
        accounts.set(user, file);
        const found = await file.current();
        // Most accounts have no such file, and those are not to take up memory.
        if (found === undefined) accounts.delete(user);
        return saneOr(found, noAccountSettings);
      },
    };
  }

  function filesOf(name: DomainName): Files {
    const files = known.get(name) ?? createFiles(name);
    // Kept at once: those who ask while it is being read share the reading. Anybody can ask for names, so not without end.
    if (known.size < MOST_KNOWN) known.set(name, files);
    return files;
  }

  /** A passwd file of root's says whom it is for, if not the owner of all mail that has no other. `undefined`: for us. */
  function notForUs(files: Files, settings: DomainSettings): string | undefined {
    const { processUid } = acting;
    if (acting.filesOf === 'anyone' || files.passwd.ownerUid !== 0) return undefined;
    const owner = files.settings.ownerUid === 0 ? settings.owner : undefined;
    if (owner === undefined)
      return acting.filesOf === 'mail-owner' ? undefined : `belongs to root, who hasn't given it to uid ${processUid}`;
    if (typeof owner === 'string') return `domain.toml: owner: ${owner}`;
    return owner.uid === processUid ? undefined : `belongs to root, who has given it to uid ${owner.uid}, not ${processUid}`;
  }

  /** @throws Fault temporary */
  function requireForUs(files: Files, passwd: PasswdLines, settings: DomainSettings): void {
    const reason = notForUs(files, settings);
    if (reason === undefined) return;
    if (told.get(passwd) !== reason) log.error('directory.unreadable', { file: files.passwdPath, reason });
    told.set(passwd, reason);
    const cause = new Error(`${files.passwdPath}: ${reason}`, { cause: new UnfitFile(reason, true) });
    throw new Fault('temporary', 'accounts can not be looked up just now', { cause });
  }

  function domainOf(name: DomainName, files: Files, passwd: PasswdLines, settings: DomainSettings): Domain {
    return {
      name,
      passwdPath: files.passwdPath,
      passwd,
      settings,
      accountSettings: files.accountSettings,
      aliases: () => files.aliases.current(),
    };
  }

  return {
    async find(name) {
      const files = filesOf(name);
      const passwd = await files.passwd.current();
      if (passwd === undefined) {
        known.delete(name);
        return undefined;
      }
      const settings = saneOr(await files.settings.current(), noDomainSettings);
      requireForUs(files, passwd, settings);
      return domainOf(name, files, passwd, settings);
    },
    peek(name) {
      const files = filesOf(name);
      const passwd = files.passwd.peek();
      const settings = files.settings.peek();
      if (passwd === undefined) {
        if (files.passwd.loading) return 'loading';
        known.delete(name);
        return undefined;
      }
      if (settings !== undefined && 'problem' in settings) return undefined;
      const understood = settings?.settings ?? noDomainSettings;
      return notForUs(files, understood) === undefined ? domainOf(name, files, passwd, understood) : undefined;
    },
    names: () => domainFolders(context.disk, root),
  };
}

function saneOr<T>(found: Understood<T> | undefined, otherwise: T): T {
  if (found === undefined) return otherwise;
  if ('settings' in found) return found.settings;
  throw new Fault('temporary', 'accounts can not be looked up just now', { cause: new Error(found.problem) });
}
