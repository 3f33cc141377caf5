/** Whether one Unix user has all mail or there are many owners, and who acts for a domain or a user of the host. Only root asks. */
import { statSync } from 'node:fs';
import type { Settings } from '../config/index.ts';
import { createOwnership, type DomainOwnership } from '../directory/passwd/ownership.ts';
import { type DomainName, parseDomainName, parseUserName, type UserName } from '../model/address.ts';
import type { Identity } from '../os/becomeUser.ts';
import { EX_CONFIG } from '../os/exitCodes.ts';
import { StartFailure } from '../os/startFailure.ts';
import { getpwnam } from '../os/users.ts';
import type { Owner } from './workers.ts';

export type Mode = 'one' | 'many';

function ownershipOf({ directory }: Settings, mailOwner: Identity): DomainOwnership {
  const { root, passwdFile, minUid } = directory;
  return createOwnership({ root, passwdFile, mailOwner, minUid });
}

/**
 * What `owners.mode` comes to on this host. Users of the host who may log in are owners of their mail.
 * @param mailOwner `undefined`: not started by root, so there is nobody else to be
 * @throws StartFailure
 */
export function modeOf(settings: Settings, mailOwner: Identity | undefined): Mode {
  const { mode } = settings.owners;
  if (mailOwner === undefined) {
    if (mode === 'many') throw new StartFailure('owners.mode = "many" needs a start by root', {}, EX_CONFIG);
    return 'one';
  }
  if (mode !== 'auto') return mode;
  if (settings.directory.systemUsers !== false) return 'many';
  const ownership = ownershipOf(settings, mailOwner);
  const isElsewhere = (name: DomainName) => {
    const found = ownership.ownerOf(name);
    return found.kind === 'owner' && found.owner.uid !== mailOwner.uid;
  };
  return ownership.domains().some(isElsewhere) ? 'many' : 'one';
}

/** Who a question is about. Fronts talk to strangers: their word is parsed again. `undefined`: nobody of ours. @throws Error */
export function ownerAskedFor(question: { readonly domain: string } | { readonly user: string }, owners: Owners): Owner | undefined {
  return 'user' in question
    ? owners.ofSystemUser(parsed(question.user, parseUserName))
    : owners.ofDomain(parsed(question.domain, parseDomainName));
}

export interface Owners {
  /** `undefined`: not a domain of ours. @throws Error that says why nobody may act for it */
  ofDomain(name: DomainName): Owner | undefined;
  /** `undefined`: there is none of this name who may log in. */
  ofSystemUser(user: UserName): Owner | undefined;
}

export function createOwners(settings: Settings, mailOwner: Identity): Owners {
  const ownership = ownershipOf(settings, mailOwner);
  const { systemUsers, minUid } = settings.directory;
  return {
    ofDomain(name) {
      const found = ownership.ownerOf(name);
      if (found.kind === 'refused') throw new Error(found.reason);
      if (found.kind === 'none') return undefined;
      return { identity: found.owner, systemUser: undefined, isMailOwner: found.owner.uid === mailOwner.uid };
    },
    ofSystemUser(user) {
      const found = systemUsers === false ? undefined : getpwnam(user);
      if (found === undefined || found.uid === 0 || found.gid === 0 || found.uid < minUid) return undefined;
      const { uid, gid, name } = found;
      return { identity: { uid, gid, name, lockGid: spoolGroup(settings) }, systemUser: name, isMailOwner: false };
    },
  };
}

/** The group that may make lock files in the spool of the host's users: `mail`, where that folder is closed to others. */
function spoolGroup({ mailboxes: { systemSpool } }: Settings): number | undefined {
  const folder = statSync(systemSpool, { throwIfNoEntry: false });
  if (folder === undefined || folder.gid === 0 || folder.uid !== 0) return undefined;
  return (folder.mode & 0o022) === 0o020 ? folder.gid : undefined;
}

function parsed<T extends string>(raw: unknown, parse: (raw: string) => T | undefined): T {
  const name = typeof raw === 'string' ? parse(raw) : undefined;
  if (name === undefined || name !== raw) throw new Error('a front asked for what is no name');
  return name;
}
