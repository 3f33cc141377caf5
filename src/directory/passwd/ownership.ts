/**
 * Which Unix user a domain belongs to, and so who acts for it: the owner of its passwd file, after links. Where that is root the file is
 * the host's own, and root's `domain.toml` beside it may name a user by `owner`; else the owner of all mail that has no other acts.
 *
 * Asked by root, who trusts nobody here. Files of owners are looked at and never opened. Whoever owns a folder or a link on the way decides
 * where it leads, so each of them must be root's or of the very user who will act, and closed to everybody else. On the way to a file of
 * root's all must be root's: an owner's link could lead to /etc/passwd, and its users would be let in by another.
 *
 * Between our look and the reading by the owner's process the way can be made another. That process looks again at the descriptor it reads
 * from, and can read nothing that its user can't.
 */
import { join } from 'node:path';
import { type DomainName, parseDomainName } from '../../model/address.ts';
import type { Identity } from '../../os/becomeUser.ts';
import { codeOf, type Disk, type FileStats, disk as realDisk } from '../../os/disk.ts';
import { writableByMore } from '../../os/openToOthers.ts';
import { walk } from '../../os/pathSteps.ts';
import { getgrouplist, getpwuid, type SystemUser } from '../../os/users.ts';
import { ownerNamed } from './ownerKey.ts';
import { Refusal, requireTrusted } from './trust.ts';

export type Ownership =
  | { readonly kind: 'owner'; readonly owner: Identity }
  /** Not a domain of ours. */
  | { readonly kind: 'none' }
  /** `reason`: one line for the host, that names the file. */
  | { readonly kind: 'refused'; readonly reason: string };

export interface OwnershipOptions {
  readonly root: string;
  /** Path of the passwd file below the domain's folder. */
  readonly passwdFile: string;
  /** Whose the domains of root's own passwd files are, where domain.toml names nobody. */
  readonly mailOwner: Identity;
  /** Who has a smaller uid owns no domain, the mail owner excepted. */
  readonly minUid: number;
  readonly disk?: Disk;
  readonly users?: HostLookups;
}

export interface HostLookups {
  getpwuid(uid: number): SystemUser | undefined;
  /** Groups of that user, `gid` among them. */
  getgrouplist(name: string, gid: number): readonly number[];
}

export interface DomainOwnership {
  /** Some system calls, none of which opens a file of an owner's. Never throws. */
  ownerOf(domain: DomainName): Ownership;
  /** Folders that may be domains. Empty where the root can't be read. */
  domains(): readonly DomainName[];
}

export function createOwnership(options: OwnershipOptions): DomainOwnership {
  const { root, passwdFile, mailOwner, minUid, disk = realDisk, users = { getpwuid, getgrouplist } } = options;
  const isAllowed = (uid: number): boolean => uid === mailOwner.uid || uid >= minUid;

  function identityOf(path: string, stats: FileStats): Identity {
    const { uid } = stats;
    if (uid === mailOwner.uid) return mailOwner;
    if (!isAllowed(uid)) throw new Refusal(`${path}: belongs to uid ${uid}, which is below ${minUid}`);
    const user = users.getpwuid(uid);
    // The file's group, where the user could have it without us.
    const isMember = user === undefined || (stats.gid !== 0 && users.getgrouplist(user.name, user.gid).includes(stats.gid));
    const gid = isMember ? stats.gid : user.gid;
    if (gid === 0) throw new Refusal(`${path}: belongs to uid ${uid}, and the group is root's`);
    return { uid, gid, name: user?.name };
  }

  function judge(domain: DomainName): Ownership {
    const folder = join(root, domain);
    const found = walk(disk, join(folder, passwdFile));
    if (found === undefined) return { kind: 'none' };
    const { path, stats } = found.end;
    if (!stats.isFile()) throw new Refusal(`${path}: not a regular file`);
    requireTrusted(found, stats.uid);
    requireClosed(disk, join(folder, 'accounts'));
    if (stats.uid !== 0) return { kind: 'owner', owner: identityOf(path, stats) };
    return { kind: 'owner', owner: ownerNamed(disk, join(folder, 'domain.toml'), isAllowed) ?? mailOwner };
  }

  return {
    ownerOf(domain) {
      try {
        return judge(domain);
      } catch (error) {
        if (error instanceof Refusal) return { kind: 'refused', reason: error.message };
        return { kind: 'refused', reason: `${join(root, domain)}: can't be looked at: ${codeOf(error) ?? error}` };
      }
    },
    domains: () => domainFolders(disk, root),
  };
}

/** Empty where the root can't be read. */
export function domainFolders(disk: Disk, root: string): readonly DomainName[] {
  try {
    return disk.readdir(root).flatMap((entry) => {
      const name = parseDomainName(entry);
      return name === entry ? [name] : [];
    });
  } catch {
    return [];
  }
}

/** Who can write in the folder of the accounts' settings could remove what keeps somebody out. @throws Refusal */
function requireClosed(disk: Disk, path: string): void {
  const stats = disk.stat(path);
  const writable = stats && writableByMore(stats);
  if (writable !== undefined) throw new Refusal(`${path}: ${writable}`);
}
