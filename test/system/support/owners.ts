/** Real users of the host, each with a domain of the own: what the predecessor's set-up looked like. Needs root. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { MailClient } from './mailClient.ts';
import { composed } from './numberedMail.ts';
import { Pop3Client } from './pop3Client.ts';
import { freePort, type Server, type ServerOptions, startServer, type Tree } from './server.ts';

export const needsRoot = process.getuid?.() === 0 ? false : 'needs root';

export interface UnixUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

/** A user made for this test and removed after it. One that an earlier run left behind is removed first. @param group name or number of a group that is there */
export function makeUser(t: TestContext, tree: Tree, { name, uid, group }: { name: string; uid: number; group: string }): UnixUser {
  const home = join(tree.folder, 'home', name);
  removeLeftover(name, uid);
  execFileSync(
    'useradd',
    ['--uid', String(uid), '--gid', group, '--no-create-home', '--home-dir', home, '--shell', '/usr/sbin/nologin', name],
    {
      stdio: 'pipe',
    },
  );
  t.after(() => execFileSync('userdel', ['--force', name], { stdio: 'pipe' }));
  const gid = Number(entryOf(name)?.[3]);
  const user = { name, uid, gid, home };
  makeFolder(user, home);
  return user;
}

/** Root's, as everything is that no owner has: `virtual` and `spool` for the domains, `home` for the users. */
export function makeOwnersTree(t: TestContext): Tree {
  const folder = mkdtempSync(join(tmpdir(), 'postkasse-'));
  chmodSync(folder, 0o755);
  for (const name of ['virtual', 'spool', 'home', 'mail']) mkdirSync(join(folder, name), { mode: 0o755 });
  const remove = () => rmSync(folder, { recursive: true, force: true });
  t.after(remove);
  return { folder, own() {}, remove };
}

/** A folder, and those missing above it, of this user's, mode 700. */
export function makeFolder({ uid, gid }: Pick<UnixUser, 'uid' | 'gid'>, path: string): void {
  mkdirSync(path, { recursive: true });
  chownSync(path, uid, gid);
  chmodSync(path, 0o700);
}

/** A file of this user's, mode 600. */
export function makeFile(user: Pick<UnixUser, 'uid' | 'gid'>, path: string, text: string | Buffer): void {
  makeFolder(user, dirname(path));
  writeFileSync(path, text);
  chownSync(path, user.uid, user.gid);
  chmodSync(path, 0o600);
}

/**
 * A domain that belongs to a user: `virtual/<domain>/passwd` leads to a file in the user's home, and the spool is the user's.
 * @param lines `UID` and `GID` in them become the user's
 */
export function makeDomain(tree: Tree, user: UnixUser, domain: string, lines: readonly string[]): void {
  const passwd = join(user.home, 'domains', domain, 'passwd');
  makeFolder(user, join(user.home, 'domains'));
  makeFile(user, passwd, lines.map((line) => `${line.replace('UID', String(user.uid)).replace('GID', String(user.gid))}\n`).join(''));
  makeFolder(user, join(tree.folder, 'virtual', domain));
  symlinkSync(passwd, join(tree.folder, 'virtual', domain, 'passwd'));
  makeFolder(user, join(tree.folder, 'spool', domain));
}

function removeLeftover(name: string, uid: number): void {
  const entry = entryOf(name);
  if (entry === undefined) return;
  if (entry[2] !== String(uid) || !entry[5]?.startsWith(join(tmpdir(), 'postkasse-')))
    throw new Error(`the host has a user ${name} already`);
  execFileSync('userdel', ['--force', name], { stdio: 'pipe' });
}

/** Fields of a line of the host's passwd file. */
function entryOf(name: string): string[] | undefined {
  return readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
    .find(([user]) => user === name);
}

/** Whose rights a process has: `Uid`, `Gid` and `Groups` of its status, real, effective, saved and for files. */
export function rightsOf(pid: number): { readonly uids: string; readonly gids: string; readonly groups: string } {
  const text = readFileSync(`/proc/${pid}/status`, 'latin1');
  const field = (name: string) => (new RegExp(`^${name}:(.*)$`, 'm').exec(text)?.[1] ?? '').trim().split(/\s+/).join(' ');
  return { uids: field('Uid'), gids: field('Gid'), groups: field('Groups') };
}

/** Who owns it and what its mode is: `601:8 600`. */
export function whose(path: string): string {
  const { uid, gid, mode } = statSync(path);
  return `${uid}:${gid} ${(mode & 0o7777).toString(8)}`;
}

/** Hands a file, or a folder with all that is in it, to somebody, as `chown -R` does. */
export function give(path: string, { uid, gid }: Pick<UnixUser, 'uid' | 'gid'>): void {
  lchownSync(path, uid, gid);
  if (!lstatSync(path).isDirectory()) return;
  for (const entry of readdirSync(path, { withFileTypes: true, recursive: true })) lchownSync(join(entry.parentPath, entry.name), uid, gid);
}

export interface Process {
  readonly pid: number;
  /** `postkasse front 0`. */
  readonly title: string;
}

/** The supervisor's children that are there now, in order of their titles. */
export function childrenOf(server: Server): readonly Process[] {
  const all = server.fronts().flatMap((pid) => {
    const title = titleOf(pid);
    return title === undefined ? [] : [{ pid, title }];
  });
  return all.sort((one, other) => (one.title < other.title ? -1 : 1));
}

export function workersOf(server: Server): readonly Process[] {
  return childrenOf(server).filter(({ title }) => title.startsWith('postkasse owner '));
}

/** `undefined`: it is gone. */
export function titleOf(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1').replace(/\0+$/, '');
  } catch {
    return undefined;
  }
}

/** Whom all mail belongs to that is nobody else's: vm-pop3d's user, and group mail. */
export const mailUser = { uid: 8, gid: 8 };

export interface Account {
  readonly address: string;
  readonly password: string;
  /** Below the folder of the tree. */
  readonly mailbox: string;
  readonly format: 'mbox' | 'maildir';
  /** Whose the mailbox is. */
  readonly owner: Pick<UnixUser, 'uid' | 'gid'>;
}

/**
 * A host as the predecessor's were, REQUIREMENTS A46 to A55 and B18: kvt.dk of kvt_dk with mode 700 throughout; a second owner, whose mail is in
 * Maildirs; a domain of vm-pop3d, whose passwd file is root's and whose mail is uid 8's; and one whose passwd file is root's and that root has given to a user.
 */
export interface PredecessorHost {
  readonly tree: Tree;
  readonly kvt: UnixUser;
  readonly lene: UnixUser;
  readonly given: UnixUser;
  readonly accounts: readonly Account[];
  /** Where a bare name is one of kvt.dk. */
  readonly kvtAddress: string;
  /** Where a bare name is one of vm.example. */
  readonly vmAddress: string;
  /** POP3 there; the server of `start` listens on both. */
  readonly addressPort: number;
  /** With POP3, POP3S and LMTP. */
  start(options?: Omit<ServerOptions, 'tree' | 'protocols'>): Promise<Server>;
}

/** As htpasswd and perl's crypt made it, of despasswd. */
const des = 'abBqlsEpN6XLk';

/** Three names and uids that no other test has. */
export async function predecessorHost(
  t: TestContext,
  users: readonly [kvt: readonly [string, number], lene: readonly [string, number], given: readonly [string, number]],
): Promise<PredecessorHost> {
  const tree = makeOwnersTree(t);
  const [kvt, lene, given] = [0, 1, 2].map((n) => {
    const [name, uid] = users[n] ?? ['', 0];
    return makeUser(t, tree, { name, uid, group: ['mail', 'users', 'games'][n] ?? '' });
  }) as [UnixUser, UnixUser, UnixUser];
  const inTree = (...path: string[]) => join(tree.folder, ...path);

  // The line's gid is 100, as the predecessor's page has it, and kvt_dk's group is another.
  const lines = [
    `abc:abcpasswd:${kvt.uid}:100:abcname:.:`,
    `kvt:kvtpasswd:${kvt.uid}:100:kvtname:${kvt.home}/:`,
    `ny:nypasswd:${kvt.uid}:100:nyname:.:`,
  ];
  makeFile(kvt, join(kvt.home, 'passwd'), `${lines.join('\n')}\n`);
  chmodSync(join(kvt.home, 'passwd'), 0o700);
  makeFolder(kvt, join(kvt.home, 'Mail'));
  makeFolder(kvt, inTree('spool', 'kvt.dk'));
  makeFile(kvt, inTree('virtual', 'kvt.dk', 'domain.toml'), 'password_kind = "plain"\n');
  symlinkSync(join(kvt.home, 'passwd'), inTree('virtual', 'kvt.dk', 'passwd'));
  lchownSync(inTree('virtual', 'kvt.dk', 'passwd'), kvt.uid, kvt.gid);

  makeFile(lene, inTree('virtual', 'lene.example', 'passwd'), 'lene:{PLAIN}lenepasswd\nto:{PLAIN}topasswd\n');
  makeFolder(lene, inTree('spool', 'lene.example'));

  for (const [domain, text, user] of [
    ['vm.example', `jens:${des}\nny:${des}\n`, mailUser],
    ['given.example', 'post:{PLAIN}postpasswd\n', given],
  ] as const) {
    makeFile({ uid: 0, gid: user.gid }, inTree('virtual', domain, 'passwd'), text);
    chmodSync(inTree('virtual', domain, 'passwd'), 0o640);
    chmodSync(inTree('virtual', domain), 0o755);
    makeFolder(user, inTree('spool', domain));
  }
  writeFileSync(inTree('virtual', 'given.example', 'domain.toml'), `owner = "${given.name}"\n`, { mode: 0o644 });

  const [kvtAddress, vmAddress] = ['127.0.0.2', '127.0.0.3'];
  const addressPort = await freePort();
  return {
    tree,
    kvt,
    lene,
    given,
    kvtAddress,
    vmAddress,
    addressPort,
    accounts: [
      { address: 'abc@kvt.dk', password: 'abcpasswd', mailbox: 'spool/kvt.dk/abc', format: 'mbox', owner: kvt },
      { address: 'kvt@kvt.dk', password: 'kvtpasswd', mailbox: `home/${kvt.name}/Mail/mailbox`, format: 'mbox', owner: kvt },
      { address: 'lene@lene.example', password: 'lenepasswd', mailbox: 'spool/lene.example/lene', format: 'maildir', owner: lene },
      { address: 'jens@vm.example', password: 'despasswd', mailbox: 'spool/vm.example/jens', format: 'mbox', owner: mailUser },
      { address: 'post@given.example', password: 'postpasswd', mailbox: 'spool/given.example/post', format: 'mbox', owner: given },
    ],
    start({ settings = {}, ...more } = {}) {
      const further = [kvtAddress, vmAddress].map((address) => `[[listen]]\nprotocol = "pop3"\naddress = "${address}:${addressPort}"`);
      const addresses = [`"${kvtAddress}" = "kvt.dk"`, `"${vmAddress}" = "vm.example"`, ...further];
      const top = ['hostname = "localhost"', ...(settings[''] ?? [])];
      return startServer({ ...more, tree, protocols: ['pop3', 'pop3s', 'lmtp'], settings: { ...settings, '': top, addresses } });
    },
  };
}

/** Its mailbox `abc` is an mbox in the spool, and its password `secret`. */
export interface NumberedOwner {
  readonly uid: number;
  readonly gid: number;
  readonly domain: string;
  /** `abc@<domain>`. */
  readonly address: string;
  readonly passwd: string;
  readonly mailbox: string;
}

/** An owner who is a number and has no name on the host, with a domain. @param further lines of the passwd file */
export function makeNumberedOwner(tree: Tree, uid: number, domain: string, further: readonly string[] = []): NumberedOwner {
  const owner = { uid, gid: uid };
  const passwd = join(tree.folder, 'virtual', domain, 'passwd');
  makeFile(owner, passwd, ['abc:{PLAIN}secret', ...further].map((line) => `${line}\n`).join(''));
  makeFolder(owner, join(tree.folder, 'spool', domain));
  return { ...owner, domain, address: `abc@${domain}`, passwd, mailbox: join(tree.folder, 'spool', domain, 'abc') };
}

/** @param password default: that of numbered owners */
export async function loggedIn({ ports }: Server, address: string, password = 'secret'): Promise<Pop3Client> {
  const client = await Pop3Client.login(ports.pop3, address, password);
  if (client === undefined) throw new Error(`${address} is in use`);
  return client;
}

/** The whole of it: what PASS is told, and where that is +OK, STAT and QUIT. */
export async function visit({ ports }: Server, address: string, password = 'secret'): Promise<readonly string[]> {
  const client = await Pop3Client.connect(ports.pop3);
  await client.ok(`USER ${address}`);
  const replies = [await client.command(`PASS ${password}`)];
  if (replies[0]?.startsWith('+OK')) replies.push(await client.command('STAT'), await client.command('QUIT'));
  await client.drop();
  return replies;
}

/** One message by LMTP, `Subject: <name>` and what belongs to it. @returns the reply to RCPT where it is refused, else the last one */
export async function delivered({ ports }: Server, address: string, name: string): Promise<string> {
  const client = await MailClient.connect('lmtp', { port: ports.lmtp, host: '127.0.0.1' });
  const { recipients, replies } = await client.send({ from: 'ada@example.org', to: [address], content: composed(name) });
  await client.close();
  return replies[0] ?? recipients[0] ?? '';
}
