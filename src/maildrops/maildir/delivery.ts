/**
 * A message into a Maildir: written and synced in tmp/, then renamed into new/, where it is whole or not at all. Several deliveries under
 * way share the sync of new/. A process that is stopped leaves at most a file in tmp/, which nobody reads.
 */
import fs from 'node:fs';
import type { Octets } from '../../model/octets.ts';
import { codeOf, type Disk } from '../../os/disk.ts';
import { unwritable } from '../faults.ts';
import { makeFolder, makeFolders, type Owner } from '../folders.ts';
import { RestForm } from './restForm.ts';

export interface DeliveryContext {
  readonly disk: Disk;
  readonly syncShared: (directory: string) => Promise<void>;
  /** Whom a new file is given to; `undefined`: it stays the process's own. */
  readonly owner: Owner | undefined;
}

const CREATE = fs.constants.O_WRONLY | fs.constants.O_CREAT | fs.constants.O_EXCL;
/** What is gathered before it is written: nearly every message is one write. */
const GATHERED = 262_144;

/** @param name as names.ts makes it, new. @throws Fault temporary, and what reading `message` throws; then the Maildir is as it was */
export async function deliver(context: DeliveryContext, path: string, name: string, message: Octets): Promise<void> {
  const { disk } = context;
  const draft = `${path}/tmp/${name}`;
  const fd = await create(context, path, draft);
  let place = draft;
  try {
    const form = new RestForm();
    try {
      await write(context, fd, message, form);
    } finally {
      disk.close(fd);
    }
    place = await publish(context, path, draft, `${name},S=${form.size},W=${form.octets}`);
    await context.syncShared(`${path}/new`);
  } catch (error) {
    // After a failed sync nobody knows whether the message would last. The sender keeps it, so ours goes, or it would be there twice.
    discard(disk, place);
    throw codeOf(error) === undefined ? error : unwritable(error);
  }
}

async function create(context: DeliveryContext, path: string, draft: string): Promise<number> {
  try {
    return await orInNewMaildir(context, path, () => context.disk.openLater(draft, CREATE, 0o600));
  } catch (error) {
    throw unwritable(error);
  }
}

async function write({ disk, owner }: DeliveryContext, fd: number, message: Octets, form: RestForm): Promise<void> {
  if (owner !== undefined) disk.fchown(fd, owner.uid, owner.gid);
  let gathered: Buffer[] = [];
  let length = 0;
  const gather = (octets: Buffer): void => {
    gathered.push(octets);
    length += octets.length;
  };
  for await (const piece of message) {
    gather(form.take(piece));
    if (length < GATHERED) continue;
    await disk.writeLater(fd, Buffer.concat(gathered));
    gathered = [];
    length = 0;
  }
  gather(form.end());
  disk.write(fd, Buffer.concat(gathered));
  await disk.sync(fd);
}

async function publish(context: DeliveryContext, path: string, draft: string, name: string): Promise<string> {
  const place = `${path}/new/${name}`;
  await orInNewMaildir(context, path, () => context.disk.renameLater(draft, place));
  return place;
}

/** Does it; where a folder of the Maildir is missing, makes them and does it again. So that the ordinary delivery needn't look. */
async function orInNewMaildir<T>({ disk, owner }: DeliveryContext, path: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
  await makeFolders(disk, path, owner);
  for (const folder of ['tmp', 'new', 'cur']) makeFolder(disk, `${path}/${folder}`, owner);
  await disk.syncDirectory(path);
  return act();
}

function discard(disk: Disk, path: string): void {
  try {
    disk.unlink(path);
  } catch {
    // What made the delivery fail is the error that counts; a draft is removed by a later open.
  }
}
