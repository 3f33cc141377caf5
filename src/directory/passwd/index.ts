/** Who exists, from the passwd files of the domains: `<root>/<domain>/passwd`. The process acts for one Unix user, who owns all mail, or that of some domains. */
import { type DomainName, parseDomainName } from '../../model/address.ts';
import { dayAt } from '../../model/day.ts';
import type { Directory, UnknownUsers } from '../../model/directory.ts';
import { Fault } from '../../model/fault.ts';
import { withoutUndefined } from '../../model/leftOut.ts';
import type { Log } from '../../model/log.ts';
import type { Inhabitants } from '../../model/quota.ts';
import { type Disk, disk as realDisk } from '../../os/disk.ts';
import { createResolver } from '../resolve.ts';
import { everyProof, passwordOnly } from '../schemes/scheme.ts';
import { createAccounts, type Found, type Groups } from './accounts.ts';
import { aliasOf } from './aliases.ts';
import { createAnnounced } from './announced.ts';
import { createAuthentication } from './authentication.ts';
import { createDomains } from './domains.ts';
import { explain } from './explain.ts';
import { type HostUsers, PAM_SERVICE, pamUsers, shadowUsers } from './hostUsers.ts';
import type { FilesOf } from './ownFiles.ts';
import { createRememberedPasswords } from './remembered.ts';
import { noDomainSettings } from './settings.ts';
import type { PasswordKind } from './storedPassword.ts';

export interface PasswdDirectoryOptions {
  readonly root: string;
  /** Path of the passwd file below the domain's folder. Default: passwd. */
  readonly passwdFile?: string;
  readonly defaultDomain: DomainName | undefined;
  /** Characters any of which parts user and domain. */
  readonly loginDelimiters: string;
  /** Take `s-` before a name as an option. Default: yes. */
  readonly loginOptions?: boolean;
  /** Of domains whose domain.toml doesn't say. */
  readonly passwordKind: PasswordKind;
  /** Of domains whose domain.toml doesn't say. Default: bounce. */
  readonly unknownUsers?: UnknownUsers;
  /** How the host's own users log in, if they may. */
  readonly systemUsers: false | 'shadow' | 'pam' | HostUsers;
  /** File in /etc/pam.d. Default: PAM_SERVICE. */
  readonly pamService?: string;
  /** Accounts with a smaller uid are refused; uid 0 always is. Default: 1. */
  readonly minUid?: number;
  /** SASL mechanisms that the host wants announced, whatever the accounts can honour. Default: `auto`, those that all of them can. */
  readonly mechanisms?: 'auto' | readonly string[];
  /** Local address → domain of bare names. */
  readonly addresses: ReadonlyMap<string, DomainName>;
  /** The name of a local address in DNS, where domains are to be found by it. */
  readonly reverseName?: (address: string) => Promise<string | undefined>;
  /** 32 octets, the same after a restart and in each front: salts that are invented come from it. */
  readonly secret: Buffer;
  /** Whom the process runs as when it touches mail: accounts of anybody else are refused. */
  readonly processUid: number;
  /** Of the process. A gid in a line that isn't among them is not used. Left out: lines' gids stand (root, and tools that only look). */
  readonly groups?: Groups;
  /** Whose files count. Default: anyone's. */
  readonly filesOf?: FilesOf;
  /** How long a password just verified needs no hashing. Default: five minutes. */
  readonly rememberMs?: number;
  readonly log: Log;
  /** ms since 1970, by the clock that file times come from. */
  readonly now: () => number;
  readonly disk?: Disk;
}

const REMEMBER_MS = 5 * 60_000;
const MOST_REMEMBERED = 20_000;
const LARGEST_PASSWD = 64 * 1024 * 1024;

export function createPasswdDirectory(options: PasswdDirectoryOptions): Directory & Inhabitants {
  const { log, now, passwordKind, defaultDomain, disk = realDisk } = options;
  const hostUsers = hostUsersOf(options);
  const { processUid, groups, minUid = 1, filesOf = 'anyone' } = options;
  const context = { disk, now, log, limitOctets: LARGEST_PASSWD };
  const acting = { filesOf, processUid };
  const domains = createDomains(options.root, options.passwdFile ?? 'passwd', context, acting, () => announced.outdated());
  const accounts = createAccounts({ domains, hostUsers, passwordKind, processUid, groups, minUid, log });
  const { virtualUser, systemUser } = accounts;
  const resolver = createResolver<Found>(
    {
      delimiters: options.loginDelimiters,
      options: options.loginOptions ?? true,
      defaultDomain,
      addresses: options.addresses,
      reverseName: options.reverseName,
    },
    { hosted: async (name) => (await domains.find(name)) !== undefined, account: virtualUser, systemUser },
  );
  const announced = createAnnounced({
    domains,
    ruleOf: accounts.ruleOf,
    now,
    whenEmpty: passwordKind === 'plain' ? everyProof : passwordOnly,
    mechanisms: options.mechanisms ?? 'auto',
    hasSystemUsers: hostUsers !== undefined,
    domainOfAddress: resolver.domainOfAddress,
    hostedName(name) {
      const domain = parseDomainName(name);
      return domain !== undefined && domains.peek(domain) !== undefined ? domain : undefined;
    },
  });
  const remembered = createRememberedPasswords(options.rememberMs ?? REMEMBER_MS, MOST_REMEMBERED, now);
  const { authenticate, scramParameters } = createAuthentication({
    resolver,
    domains,
    accounts,
    hostUsers,
    defaultDomain,
    remembered,
    secret: options.secret,
  });

  const today = () => dayAt(now(), undefined);

  return {
    authenticate,
    scramParameters,
    mailboxes: accounts.mailboxes,
    proofKinds: (arrival) => announced.proofKinds(arrival),
    explain: (claim) => explain(claim, resolver, accounts, disk),

    async account(address) {
      const system = address.domain === defaultDomain ? systemUser(address.user) : undefined;
      if (system !== undefined) return accounts.accountOf(system, undefined);
      const found = await virtualUser(address);
      if (found === undefined) return undefined;
      const reason = accounts.refusedUid(found);
      if (reason === undefined) return accounts.accountOf(found, await found.domain.accountSettings(found.user));
      // Somebody's slip in a passwd file: the mail waits until it is put right, rather than bounce.
      accounts.logRefusedUid(found, reason);
      throw new Fault('temporary', 'accounts can not be looked up just now', { cause: new Error(`${found.mailbox.name}: ${reason}`) });
    },

    async domain(name) {
      const domain = await domains.find(name);
      if (domain === undefined && (hostUsers === undefined || name !== defaultDomain)) return undefined;
      const { settings } = domain ?? { settings: noDomainSettings };
      return withoutUndefined({
        name,
        unknownUsers: settings.unknownUsers ?? options.unknownUsers ?? { kind: 'bounce' },
        aliasOf: settings.aliasOf,
        foldsSubdomains: settings.foldsSubdomains,
        quotaOctets: settings.quotaOctets,
        rewritesSenders: settings.rewritesSenders,
        popBeforeSmtp: settings.popBeforeSmtp,
      });
    },

    async alias({ user, domain: name }) {
      const aliases = await (await domains.find(name))?.aliases();
      const line = aliases?.find(user);
      return line && aliasOf(line, name, today);
    },

    async pattern({ user, domain: name }) {
      const aliases = await (await domains.find(name))?.aliases();
      for (const line of aliases?.matching(user) ?? []) {
        const found = aliasOf(line, name, today);
        if (found !== undefined) return found;
      }
      return undefined;
    },
  };
}

function hostUsersOf({ systemUsers, pamService, now }: PasswdDirectoryOptions): HostUsers | undefined {
  if (systemUsers === false) return undefined;
  if (systemUsers === 'pam') return pamUsers(pamService ?? PAM_SERVICE);
  return systemUsers === 'shadow' ? shadowUsers(now) : systemUsers;
}
