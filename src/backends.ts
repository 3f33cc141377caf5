/** Which backend stands behind `Directory` and `MaildropStore`: for a front, for an owner's worker, and for the command line. */
import { randomBytes } from 'node:crypto';
import { reverse } from 'node:dns/promises';
import { join } from 'node:path';
import type { Settings } from './config/index.ts';
import type { HostUsers } from './directory/passwd/hostUsers.ts';
import { createPasswdDirectory } from './directory/passwd/index.ts';
import type { FilesOf } from './directory/passwd/ownFiles.ts';
import { loadToml } from './directory/passwd/toml.ts';
import type { ResolveRules } from './directory/resolve.ts';
import { loadArgon2 } from './directory/schemes/argon2.ts';
import { createDomainUsages } from './maildrops/domainUsages.ts';
import { createFileStore, type FileStore, locateMailbox, usageReader } from './maildrops/index.ts';
import { createOnceMemory } from './maildrops/onceMemory.ts';
import { createQuota } from './maildrops/quota.ts';
import { createQuotaWarning } from './maildrops/quotaWarning.ts';
import { createReceiptDesk, type OpenDesk } from './maildrops/receiptDesk.ts';
import { loadCompose } from './mdn/receipts.ts';
import type { Directory } from './model/directory.ts';
import type { Log } from './model/log.ts';
import type { Mailbox } from './model/mailbox.ts';
import type { Location, MaildropStore } from './model/maildrop.ts';
import type { OnceMemory } from './model/onceMemory.ts';
import type { DomainUsages, Inhabitants, Quota } from './model/quota.ts';
import type { Submission } from './model/submission.ts';
import { createReverseNames } from './net/reverseNames.ts';
import type { Identity } from './os/becomeUser.ts';
import { disk } from './os/disk.ts';
import { native } from './os/native.ts';
import { mayEnter } from './os/reach.ts';
import { sharedSecret } from './os/sharedSecret.ts';
import { loadSaslprep } from './sasl/saslprep.ts';
import { createSubmission, loadSmtp } from './submission/index.ts';
import type { Speaker } from './texts/speaker.ts';

export interface DirectoryParts {
  /** Of all processes that answer the same clients. Default: the one in state_dir. */
  readonly secret?: Buffer;
  /** How the host's own users log in, where it isn't as the settings say. */
  readonly systemUsers?: HostUsers | false;
  /** Whose files are read. Default: anyone's, as one Unix user has all mail. */
  readonly filesOf?: FilesOf;
}

/** Who exists and may log in, as the settings say. */
export function createDirectory(settings: Settings, log: Log, parts: DirectoryParts = {}): Directory & Inhabitants {
  const { directory, login, addresses } = settings;
  const reverseName = reverseNames(settings);
  const processUid = process.getuid?.() ?? 0;
  const groups = { own: process.getgid?.() ?? 0, all: new Set(process.getgroups?.()) };
  return createPasswdDirectory({
    root: directory.root,
    passwdFile: directory.passwdFile,
    defaultDomain: directory.defaultDomain,
    loginDelimiters: directory.loginDelimiters,
    loginOptions: login.loginOptions,
    passwordKind: directory.passwordKind,
    systemUsers: parts.systemUsers ?? directory.systemUsers,
    filesOf: parts.filesOf ?? 'anyone',
    minUid: directory.minUid,
    mechanisms: login.mechanisms,
    addresses,
    ...(reverseName && { reverseName }),
    secret: parts.secret ?? sharedSecret(join(settings.stateDir, 'secret')),
    processUid,
    ...(processUid !== 0 && { groups }),
    log,
    now: Date.now,
  });
}

/**
 * Where mail rests, as the settings say.
 * @param lockGid group that this process has aside for dot locks in the spool of the host's users
 */
export function createStore(settings: Settings, log: Log, lockGid?: number): FileStore {
  const { mailboxes, stateDir, runDir } = settings;
  return createFileStore({ ...mailboxes, stateDir, runDir, lockGid, disk, log, now: Date.now });
}

/** What was done once for a mailbox, remembered beside the rest of its owner's state. */
export function createOnce({ stateDir }: Settings): OnceMemory {
  return createOnceMemory({ folder: join(stateDir, 'once'), disk, now: Date.now });
}

/** Receipts that wait for their users, likewise. */
export function createDesk({ stateDir }: Settings): OpenDesk {
  return createReceiptDesk({ folder: join(stateDir, 'receipts'), disk, now: Date.now });
}

/** The way to the host's mail server. To be called as the user that this process is to be. */
export function createHostSubmission({ hostname, stateDir: folder, submission }: Settings): Submission {
  return createSubmission({ ...submission, hostname, disk, folder, name: () => randomBytes(12).toString('hex') });
}

export interface LocalQuota {
  readonly quota: Quota;
  readonly domains: DomainUsages;
}

/** Of who delivers: remembers whom it has told, and says it in their language. */
export interface QuotaParts {
  readonly once: OnceMemory;
  readonly speaker: Speaker;
  readonly log: Log;
}

/** How much may rest there, as the settings, domains and accounts say, where directory and store are of this process. Without `parts` nobody is warned. */
export function createLocalQuota(
  settings: Settings,
  directory: Directory & Inhabitants,
  store: Pick<MaildropStore, 'deliver' | 'usage'>,
  parts?: QuotaParts,
): LocalQuota {
  const { hostname, quota } = settings;
  const { account: mailboxOctets, domain: domainOctets, warnPercent: percent } = quota;
  const domains = createDomainUsages({ inhabitants: directory, store, clock: () => performance.now() });
  const limits = { store, directory, domains, mailboxOctets, domainOctets };
  if (parts === undefined) return { domains, quota: createQuota(limits) };
  const language = parts.speaker.match(settings.language) ?? 'en';
  const warning = createQuotaWarning({ ...parts, store, percent, language, hostname, now: Date.now });
  return { domains, quota: createQuota({ ...limits, warning }) };
}

/** How a login name and the way its client came in lead to a domain. */
export function resolveRules(settings: Settings): ResolveRules {
  const { directory, login, addresses } = settings;
  const { loginDelimiters: delimiters, defaultDomain } = directory;
  return { delimiters, options: login.loginOptions, defaultDomain, addresses, reverseName: reverseNames(settings) };
}

function reverseNames({ directory }: Settings): ((address: string) => Promise<string | undefined>) | undefined {
  return directory.reverseNames ? createReverseNames(reverse, Date.now) : undefined;
}

/** Which file or directory a mailbox is, without anything that only the server may do. */
export function locate(settings: Settings, mailbox: Mailbox): Location {
  return locateMailbox({ disk, places: settings.mailboxes, processUid: process.getuid?.() ?? 0 }, mailbox);
}

/** What mailboxes hold, likewise. */
export function usages(settings: Settings): Pick<MaildropStore, 'usage'> {
  return usageReader({ disk, places: settings.mailboxes, processUid: process.getuid?.() ?? 0 }, Date.now);
}

/**
 * What is otherwise loaded when it is first needed, while we may still read it: our own folder can be closed to whom we become.
 * `sends`: by SMTP too; `writes`: mail of our own.
 */
export async function loadModules(user: Identity, { sends = false, writes = false } = {}): Promise<void> {
  native();
  if (mayEnter(import.meta.dirname, user)) return;
  if (sends) await loadSmtp();
  if (writes) await loadCompose();
  loadSaslprep();
  loadToml();
  await loadArgon2();
}
