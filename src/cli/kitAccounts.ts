/** Domains with their accounts, for `postkasse postfix`: each read by a process of its owner, as nobody else may read what is the owner's. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import type { Settings } from '../config/index.ts';
import { aliasOf, parseAliases } from '../directory/passwd/aliases.ts';
import { parsePasswd } from '../directory/passwd/lines.ts';
import { domainFolders } from '../directory/passwd/ownership.ts';
import { type DomainName, formatAddress, parseDomainName, parseUserName } from '../model/address.ts';
import { type Account, type Directory, noAccountRules, type UnknownUsers } from '../model/directory.ts';
import { Fault } from '../model/fault.ts';
import type { Location } from '../model/maildrop.ts';
import { disk } from '../os/disk.ts';
import { getpwuid } from '../os/users.ts';
import type { KitDomain, KitOwner } from '../postfix/kit/domains.ts';
import { identityOf } from '../processes/grounds.ts';
import { createOwners, modeOf } from '../processes/ownership.ts';

/** One word without anything that could end a line or a field of a table. */
const word = z.string().regex(/^[^\s\p{Cc}]+$/u);
/** In quotes it may hold blanks. */
const target = z.string().regex(/^\P{Cc}+$/u);
const alias = z.object({ name: z.string().regex(/^\P{Cc}+$/u), targets: z.array(target) });
const account = z.object({
  user: z.string().refine((user) => parseUserName(user) === user),
  uid: z.number().int().positive(),
  gid: z.number().int().nonnegative(),
  path: z.string().regex(/^\/\P{Cc}*$/u),
  format: z.enum(['mbox', 'maildir']),
  receives: z.boolean(),
  forward: z.array(target),
  keepsCopy: z.boolean(),
  hasRules: z.boolean(),
});
const readDomain = z.object({
  name: z.string().refine((name) => parseDomainName(name) === name),
  accounts: z.array(account),
  aliases: z.array(alias),
  patterns: z.array(alias),
  unknownUsers: word,
  aliasOf: z.string().optional(),
  foldsSubdomains: z.boolean(),
  problems: z.array(z.object({ account: z.string(), detail: z.string() })),
});
const failedDomain = z.object({ name: z.string(), detail: z.string() });
const answer = z.union([readDomain, failedDomain]);

type ReadDomain = z.infer<typeof readDomain>;
type FailedDomain = z.infer<typeof failedDomain>;

export interface FoundDomains {
  /** Without their style. */
  readonly domains: readonly (Omit<KitDomain, 'style'> & Pick<ReadDomain, 'problems'>)[];
  readonly failed: readonly FailedDomain[];
}

/** @param settingsFile as on the command line */
export async function findDomains(settings: Settings, settingsFile: string | undefined): Promise<FoundDomains> {
  const names = domainFolders(disk, settings.directory.root);
  const mailOwner = identityOf(settings);
  const failed: FailedDomain[] = [];
  const groups = new Map<string, { owner: KitOwner; names: DomainName[] }>();
  const owners = mailOwner !== undefined && modeOf(settings, mailOwner) === 'many' ? createOwners(settings, mailOwner) : undefined;
  const self = mailOwner ?? { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  for (const name of names) {
    try {
      const identity = owners === undefined ? self : owners.ofDomain(name)?.identity;
      if (identity === undefined) continue;
      const key = `${identity.uid}:${identity.gid}`;
      const group = groups.get(key) ?? { owner: ownerOf(identity), names: [] };
      group.names.push(name);
      groups.set(key, group);
    } catch (error) {
      failed.push({ name, detail: error instanceof Error ? error.message : String(error) });
    }
  }
  const domains: FoundDomains['domains'][number][] = [];
  const waiting = groups.values();
  const atWork = async () => {
    for (const { owner, names: theirs } of waiting) {
      for (const read of await askOwner(theirs, settingsFile)) {
        if ('detail' in read) failed.push(read);
        else domains.push({ ...read, owner, aliasOf: read.aliasOf });
      }
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, atWork));
  return { domains: domains.sort((one, other) => (one.name < other.name ? -1 : 1)), failed };
}

function ownerOf({ uid, gid }: { uid: number; gid: number }): KitOwner {
  const user = getpwuid(uid);
  return { uid, gid, name: user?.name, home: user !== undefined && isOwnHome(user.home, uid) ? user.home : undefined };
}

/** A folder, and in the hands of this user: what lies there is only theirs to say then. */
function isOwnHome(home: string, uid: number): boolean {
  const stats = home.startsWith('/') ? disk.stat(home) : undefined;
  return stats?.isDirectory() === true && stats.uid === uid;
}

/** All of them belong to the same user. What comes back is that user's word: it is looked at before it is used. */
async function askOwner(names: readonly DomainName[], settingsFile: string | undefined): Promise<(ReadDomain | FailedDomain)[]> {
  const [program = ''] = process.argv.slice(1);
  const config = settingsFile === undefined ? [] : ['--config', settingsFile];
  const child = spawn(process.execPath, [...process.execArgv, program, 'postfix', 'accounts', ...config], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  child.stdin.on('error', () => {});
  child.stdin.end(names.map((name) => `${name}\n`).join(''));
  const pieces: Buffer[] = [];
  child.stdout.on('data', (piece: Buffer) => pieces.push(piece));
  const [status] = (await once(child, 'close')) as [number | null];
  const found = new Map<string, ReadDomain | FailedDomain>();
  for (const line of Buffer.concat(pieces).toString().split('\n').slice(0, -1)) {
    const { data } = answer.safeParse(parsed(line));
    if (data !== undefined) found.set(data.name, data);
  }
  return names.map((name) => found.get(name) ?? { name, detail: `no answer (status ${status})` });
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

/** Said by the owner's process. */
export async function readDomainFiles(
  { directory: { root, passwdFile }, delivery, quota }: Settings,
  name: DomainName,
  { directory, locate }: { directory: Directory; locate(account: Account): Location },
): Promise<ReadDomain | FailedDomain> {
  try {
    const hosted = await directory.domain(name);
    if (hosted === undefined) return { name, detail: 'no such domain' };
    const hasQuota = [hosted.quotaOctets, quota.domain, quota.account].some((octets) => octets !== undefined);
    const accounts: ReadDomain['accounts'] = [];
    const problems: ReadDomain['problems'] = [];
    for (const user of parsePasswd(readFileSync(join(root, name, passwdFile))).names()) {
      try {
        const found = await directory.account({ user, domain: name });
        if (found !== undefined) accounts.push(kitAccount(user, found, locate(found), hasQuota));
      } catch (thrown) {
        problems.push({ account: formatAddress({ user, domain: name }), detail: detailOf(thrown) });
      }
    }
    return {
      name,
      accounts,
      ...(await readAliases(join(root, name, 'aliases'), name, directory)),
      unknownUsers: unknownUsersOf(name, hosted.unknownUsers),
      ...(hosted.aliasOf !== undefined && { aliasOf: hosted.aliasOf }),
      foldsSubdomains: hosted.foldsSubdomains ?? delivery.foldSubdomains,
      problems,
    };
  } catch (thrown) {
    return { name, detail: detailOf(thrown) };
  }
}

async function readAliases(path: string, domain: DomainName, directory: Directory): Promise<Pick<ReadDomain, 'aliases' | 'patterns'>> {
  if (!existsSync(path)) return { aliases: [], patterns: [] };
  const file = parseAliases(readFileSync(path));
  const aliases: ReadDomain['aliases'] = [];
  for (const user of file.names()) {
    const found = await directory.alias({ user, domain });
    if (found !== undefined) aliases.push({ name: user, targets: [...found.targets] });
  }
  const today = () => new Date().toISOString().slice(0, 10);
  const patterns = [...file.patterns()].flatMap((line) => aliasOf(line, domain, today) ?? []);
  return { aliases, patterns: patterns.map(({ name, targets }) => ({ name, targets: [...targets] })) };
}

function kitAccount(
  user: string,
  { mailbox, services, rules = noAccountRules }: Account,
  { path, format }: Location,
  hasQuota: boolean,
): ReadDomain['accounts'][number] {
  const { uid, gid } = mailbox.owner ?? { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  return {
    user,
    uid,
    gid,
    path,
    format: format === 'maildir' ? 'maildir' : 'mbox',
    receives: services.has('receive'),
    forward: [...rules.forward],
    keepsCopy: rules.keepsCopy,
    hasRules: hasQuota || rules.vacation !== undefined || rules.quotaOctets !== undefined,
  };
}

function unknownUsersOf(name: DomainName, rule: UnknownUsers): string {
  if (rule.kind === 'bounce') return 'bounce';
  return rule.kind === 'postmaster' ? `postmaster@${name}` : formatAddress(rule.address);
}

function detailOf(thrown: unknown): string {
  const { cause, message } = Fault.from(thrown);
  return cause instanceof Error ? cause.message : message;
}
