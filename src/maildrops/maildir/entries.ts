/** From names to messages-to-be: each file once, in the order of delivery. */
import type { Disk } from '../../os/disk.ts';
import type { Folders } from './folders.ts';
import { hashed, type NameFacts, readName } from './names.ts';

export interface Entry extends NameFacts {
  readonly name: string;
  readonly isNew: boolean;
  readonly isTwin: boolean;
}

/** By time of delivery, then by base name: as far as names tell, the order in which the messages came. */
export function entriesOf(disk: Disk, path: string, folders: Folders): Entry[] {
  const byId = new Map<string, Entry>();
  const twins: Entry[] = [];
  const take = (name: string, isNew: boolean): void => {
    const entry = { ...readName(name), name, isNew, isTwin: false };
    if (byId.has(entry.uniqueId)) twins.push(entry);
    else byId.set(entry.uniqueId, entry);
  };
  for (const name of folders.fresh) take(name, true);
  for (const name of folders.current) take(name, false);
  const entries = twins.length === 0 ? [...byId.values()] : [...withTwins(disk, path, byId, twins)];
  return entries.sort(byDelivery);
}

/**
 * Two names with one base: mostly a file that was renamed while we read, or a second link to it; then the later name counts. Two
 * different files are two messages all the same, and each gets a unique-id that no other file had.
 */
function withTwins(disk: Disk, path: string, byId: ReadonlyMap<string, Entry>, twins: readonly Entry[]): Iterable<Entry> {
  const groups = new Map<string, Entry[]>();
  for (const twin of twins) {
    const first = byId.get(twin.uniqueId);
    const group = groups.get(twin.uniqueId) ?? (first === undefined ? [] : [first]);
    group.push(twin);
    groups.set(twin.uniqueId, group);
  }
  const result = new Map(byId);
  for (const [uniqueId, group] of groups) {
    const byInode = new Map<bigint, Entry>();
    for (const entry of group) {
      const stats = disk.lstat(`${path}/${entry.isNew ? 'new' : 'cur'}/${entry.name}`);
      if (stats !== undefined) byInode.set(stats.ino, entry);
    }
    result.delete(uniqueId);
    for (const [inode, entry] of byInode) {
      const own = byInode.size === 1 ? uniqueId : hashed(`${uniqueId} ${inode}`);
      result.set(own, { ...entry, uniqueId: own, isTwin: byInode.size > 1 });
    }
  }
  return result.values();
}

function byDelivery(one: Entry, other: Entry): number {
  return (one.receivedAtUs ?? 0) - (other.receivedAtUs ?? 0) || (one.uniqueId < other.uniqueId ? -1 : 1);
}
