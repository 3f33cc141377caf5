/** What the server has, for commands that look at it or work on it. As root they become whom it becomes: so they see what it sees. */
import { randomBytes } from 'node:crypto';
import type { Settings } from '../config/index.ts';
import type { FileStore } from '../maildrops/index.ts';
import { formatAddress, parseAddress } from '../model/address.ts';
import type { Account, Directory } from '../model/directory.ts';
import type { Location } from '../model/maildrop.ts';
import { createLineWriter, createLog } from '../observe/index.ts';
import { becomeUser } from '../os/becomeUser.ts';
import * as exitCodes from '../os/exitCodes.ts';
import { identityOf } from '../processes/grounds.ts';
import { ExitWith, type Terminal } from './terminal.ts';

export interface HouseTools {
  readonly directory: Directory;
  locate(account: Account): Location;
  /** Needs the rights of the server: to lock, and to write in its folders. */
  store(): FileStore;
}

/** @throws StartFailure, Fault */
export async function openHouse(settings: Settings): Promise<HouseTools> {
  // Loaded first: afterwards the program's own folder can be closed to us.
  const { createDirectory, createStore, locate } = await import('../main.ts');
  const identity = identityOf(settings);
  if (identity !== undefined) becomeUser(identity);
  process.umask(0o077);
  const log = createLog({ level: 'warn', format: 'line', writer: createLineWriter(2) });
  return {
    // Nobody logs in here, so the secret of the server isn't needed, which an ordinary user can't read.
    directory: createDirectory(settings, log, randomBytes(32)),
    locate: ({ mailbox }) => locate(settings, mailbox),
    store: () => createStore(settings, log),
  };
}

/** The account that an address on the command line names, or the end. */
export async function accountOf(directory: Directory, name: string, terminal: Terminal): Promise<Account> {
  const address = parseAddress(name);
  if (address === undefined) {
    terminal.error(terminal.say('{name} is not an address', { name }));
    throw new ExitWith(exitCodes.EX_USAGE);
  }
  const account = await directory.account(address);
  if (account !== undefined) return account;
  terminal.error(terminal.say('no such mailbox: {name}', { name: formatAddress(address) }));
  throw new ExitWith(exitCodes.EX_NOUSER);
}
