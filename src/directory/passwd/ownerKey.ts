/** `owner` in a domain.toml of root's: whom the host has given the domain to. */
import { constants } from 'node:fs';
import type { Identity } from '../../os/becomeUser.ts';
import type { Disk } from '../../os/disk.ts';
import { walk } from '../../os/pathSteps.ts';
import { findGroup, findUser } from '../../os/users.ts';
import { BadToml, readToml } from './toml.ts';
import { Refusal, requireTrusted } from './trust.ts';

const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
const LARGEST = 1 << 20;

/**
 * For a domain whose passwd file is root's own. @param isAllowed whether a uid may be named
 * @returns `undefined`: nobody is named, or not by root. @throws Refusal for a mistake in it; Error with `code`
 */
export function ownerNamed(disk: Disk, path: string, isAllowed: (uid: number) => boolean): Identity | undefined {
  const found = walk(disk, path);
  if (found === undefined || found.end.stats.uid !== 0) return undefined;
  requireTrusted(found, 0);
  try {
    const toml = readToml(readOwn(disk, found.end.path));
    const text = toml.text('owner');
    const owner = text === undefined ? undefined : parseOwner(text);
    if (typeof owner === 'string') throw toml.bad('owner', owner);
    if (owner !== undefined && !isAllowed(owner.uid)) throw toml.bad('owner', `uid ${owner.uid} must not own mail`);
    return owner;
  } catch (error) {
    if (error instanceof BadToml) throw new Refusal(`${path}:${error.line}: ${error.message}`);
    throw error;
  }
}

/** `kvt_dk`, `kvt_dk:mail`, `601` or `601:100`. @returns a text: what is wrong with it */
export function parseOwner(text: string): Identity | string {
  const [name = '', group, ...more] = text.split(':');
  if (more.length > 0) return 'must be "user" or "user:group"';
  const user = findUser(name);
  if (user === undefined) return `the host has no user ${name}`;
  const gid = group === undefined ? user.gid : findGroup(group);
  if (gid === undefined) return `the host has no group ${group}`;
  if (user.uid === 0 || gid === 0) return 'mail is never handled as root';
  return { uid: user.uid, gid, name: user.name };
}

/** A file that only root can have put there. */
function readOwn(disk: Disk, path: string): Buffer {
  const fd = disk.open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  try {
    const stats = disk.fstat(fd);
    if (!stats.isFile()) throw new Refusal(`${path}: not a regular file`);
    if (stats.size > LARGEST) throw new Refusal(`${path}: larger than ${LARGEST} octets`);
    const octets = Buffer.alloc(stats.size);
    return octets.subarray(0, disk.read(fd, octets, 0, octets.length, 0));
  } finally {
    disk.close(fd);
  }
}
