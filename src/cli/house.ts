/** What the server has, for commands that look at it or work on it. As root they become whom it becomes: so they see what it sees. */
import { randomBytes } from 'node:crypto';
import { statSync } from 'node:fs';
import type { LocalQuota } from '../backends.ts';
import type { Settings } from '../config/index.ts';
import { createResolver } from '../directory/resolve.ts';
import type { FileStore } from '../maildrops/index.ts';
import type { OpenDesk } from '../maildrops/receiptDesk.ts';
import { type Address, formatAddress, parseAddress } from '../model/address.ts';
import type { Account, Claim, Directory, Step } from '../model/directory.ts';
import { Fault } from '../model/fault.ts';
import type { Location } from '../model/maildrop.ts';
import type { Inhabitants } from '../model/quota.ts';
import type { Submission } from '../model/submission.ts';
import { createLineWriter, createLog } from '../observe/index.ts';
import { becomeUser, type Identity } from '../os/becomeUser.ts';
import * as exitCodes from '../os/exitCodes.ts';
import { identityOf } from '../processes/grounds.ts';
import { makeOwnerFolders, ownerSettings, prepareGrounds } from '../processes/ownerGrounds.ts';
import { createOwners, modeOf } from '../processes/ownership.ts';
import type { Owner } from '../processes/workers.ts';
import { ExitWith, type Terminal } from './terminal.ts';

export interface HouseTools {
  readonly directory: Directory & Inhabitants;
  /** Whose process would act, where there are many owners. */
  readonly steps: readonly Step[];
  locate(account: Account): Location;
  /** What there is and what may be. */
  readonly quota: LocalQuota;
  /** These need the rights of the server: to lock, and to write in its folders. */
  store(): FileStore;
  desk(): OpenDesk;
  submission(): Submission;
}

/**
 * @param about what the command looks at: with many owners it decides whom we become
 * @param works the command needs `store`, `desk` or `submission`, and folders for them: they are made where the server has never run
 * @throws StartFailure, Fault
 */
export async function openHouse(settings: Settings, about: Claim | Pick<Address, 'domain'>, works = false): Promise<HouseTools> {
  // Loaded first: afterwards the program's own folder can be closed to us.
  const { createDesk, createDirectory, createHostSubmission, createLocalQuota, createStore, locate, resolveRules, usages } = await import(
    '../backends.ts'
  );
  const mailOwner = identityOf(settings);
  const owner = mailOwner === undefined ? undefined : await ownerOf(settings, mailOwner);
  if (works && owner !== undefined) {
    prepareGrounds(settings, mailOwner, 'many');
    makeOwnerFolders(settings, owner.identity);
  }
  const own = owner === undefined ? ownFolders(settings) : ownerSettings(settings, owner.identity);
  const identity = owner?.identity ?? mailOwner;
  if (identity !== undefined) becomeUser(identity);
  process.umask(0o077);
  const log = createLog({ level: 'warn', format: 'line', writer: createLineWriter(2) });
  const filesOf = owner === undefined ? 'anyone' : owner.isMailOwner ? 'mail-owner' : 'owner';
  // Nobody logs in here, so the secret of the server isn't needed, which an ordinary user can't read.
  const directory = createDirectory(own, log, { secret: randomBytes(32), filesOf });
  return {
    directory,
    quota: createLocalQuota(own, directory, { ...usages(own), deliver: () => Promise.reject(new Error('only looks')) }),
    steps: owner === undefined ? [] : [{ rule: 'owner', outcome: described(owner.identity) }],
    locate: ({ mailbox }) => locate(own, mailbox),
    store: () => createStore(own, log, owner?.identity.lockGid),
    desk: () => createDesk(own),
    submission: () => createHostSubmission(own),
  };

  /** `undefined`: one owner has all mail, or nobody would act for this name. */
  async function ownerOf(whole: Settings, ofAllMail: Identity): Promise<Owner | undefined> {
    if (modeOf(whole, ofAllMail) === 'one') return undefined;
    const owners = createOwners(whole, ofAllMail);
    if ('domain' in about) return orRefused(() => owners.ofDomain(about.domain));
    const resolver = createResolver<Owner>(resolveRules(whole), {
      hosted: async (name) => orRefused(() => owners.ofDomain(name)) !== undefined,
      account: async ({ domain }) => orRefused(() => owners.ofDomain(domain)),
      systemUser: (user) => owners.ofSystemUser(user),
    });
    return (await resolver.resolve(about)).found;
  }
}

/** The account that an address on the command line names, or the end. */
export async function accountOf(
  settings: Settings,
  name: string,
  terminal: Terminal,
  works = false,
): Promise<HouseTools & { readonly account: Account }> {
  const address = parseAddress(name);
  if (address === undefined) {
    terminal.error(terminal.say('{name} is not an address', { name }));
    throw new ExitWith(exitCodes.EX_USAGE);
  }
  const house = await openHouse(settings, address, works);
  const account = await house.directory.account(address);
  if (account !== undefined) return { ...house, account };
  terminal.error(terminal.say('no such mailbox: {name}', { name: formatAddress(address) }));
  throw new ExitWith(exitCodes.EX_NOUSER);
}

/** An owner who isn't root looks after the own mail: with many owners the server keeps what it knows of it in folders of theirs. */
function ownFolders(settings: Settings): Settings {
  const uid = process.getuid?.() ?? 0;
  const own = ownerSettings(settings, { uid, gid: process.getgid?.() ?? 0 });
  return uid !== 0 && statSync(own.stateDir, { throwIfNoEntry: false })?.uid === uid ? own : settings;
}

function orRefused<T>(look: () => T): T {
  try {
    return look();
  } catch (thrown) {
    throw new Fault('permanent', 'nobody may act for this domain', { cause: thrown });
  }
}

function described({ uid, gid, name }: Identity): string {
  return `${name ?? 'no name'} (uid ${uid}, gid ${gid})`;
}
