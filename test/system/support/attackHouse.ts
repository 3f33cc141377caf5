/** One server for two owners of mail who are real users of the host: an honest one, whose files are watched, and one who tries things. Needs root. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chownSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { MailClient } from './mailClient.ts';
import { makeDomain, makeFile, makeFolder, makeOwnersTree, makeUser, type UnixUser } from './owners.ts';
import { Pop3Client } from './pop3Client.ts';
import { endedAfter } from './processes.ts';
import { type Server, type ServerOptions, startServer, type Tree } from './server.ts';

export const password = 'secret';

export interface Users {
  /** `honest.dk` with the mailbox `ada`, and files that anybody may read. */
  readonly honest: { readonly name: string; readonly uid: number };
  readonly attacker: { readonly name: string; readonly uid: number };
}

export class AttackHouse {
  readonly tree: Tree;
  readonly server: Server;
  readonly honest: UnixUser;
  readonly attacker: UnixUser;

  private constructor(tree: Tree, server: Server, honest: UnixUser, attacker: UnixUser) {
    this.tree = tree;
    this.server = server;
    this.honest = honest;
    this.attacker = attacker;
  }

  /** @param options `takenOver`: with the fronts and workers of attackFront.ts and attackWorker.ts, which look into the folder `attack` */
  static async open(
    t: TestContext,
    users: Users,
    { takenOver = false, ...options }: Pick<ServerOptions, 'settings'> & { readonly takenOver?: boolean } = {},
  ): Promise<AttackHouse> {
    const tree = makeOwnersTree(t);
    const honest = makeUser(t, tree, { ...users.honest, group: 'mail' });
    const attacker = makeUser(t, tree, { ...users.attacker, group: 'mail' });
    makeDomain(tree, honest, 'honest.dk', [lineOf('ada')]);
    makeFile(honest, join(tree.folder, 'spool', 'honest.dk', 'ada'), mbox('for ada alone'));
    for (const path of [honest.home, join(tree.folder, 'virtual', 'honest.dk'), join(tree.folder, 'spool', 'honest.dk')]) openForAll(path);
    const server = await startServer({
      tree,
      protocols: ['pop3', 'lmtp'],
      ...(takenOver && programTakenOver(tree, attacker)),
      settings: {
        ...options.settings,
        login: ['failure_delay_ms = 0', 'max_failures = 100', ...(options.settings?.login ?? [])],
        // As many as there are descriptors for, or a line in the log would say so.
        limits: ['connections = 1000', ...(options.settings?.limits ?? [])],
        throttle: ['exempt_networks = ["127.0.0.0/8"]'],
      },
    });
    return new AttackHouse(tree, endedAfter(t, server), honest, attacker);
  }

  path(...names: readonly string[]): string {
    return join(this.tree.folder, ...names);
  }

  /** A domain of the attacker's with these passwd lines and the mailbox `eve`. */
  domain(name: string, lines: readonly string[] = [lineOf('eve')]): void {
    makeDomain(this.tree, this.attacker, name, lines);
    this.file(['spool', name, 'eve'], mbox('for eve'));
  }

  /** The attacker's, mode 600. */
  file(at: readonly string[], text: string | Buffer): string {
    const path = this.path(...at);
    writeFileSync(path, text, { mode: 0o600 });
    chownSync(path, this.attacker.uid, this.attacker.gid);
    return path;
  }

  folder(...at: readonly string[]): string {
    const path = this.path(...at);
    makeFolder(this.attacker, path);
    return path;
  }

  /** A link of the attacker's in place of whatever was there. */
  link(at: readonly string[], target: string): string {
    const path = this.path(...at);
    rmSync(path, { recursive: true, force: true });
    symlinkSync(target, path);
    lchownSync(path, this.attacker.uid, this.attacker.gid);
    return path;
  }

  /** A file or folder of the honest owner's that anybody may read: it isn't only the kernel who is to keep others from being served it. */
  openForAll(path: string): void {
    openForAll(path);
  }

  /** `name uid:gid` of each file in a folder. */
  ownersIn(...at: readonly string[]): string[] {
    const folder = this.path(...at);
    return readdirSync(folder)
      .sort()
      .map((name) => `${name} ${lstatSync(join(folder, name)).uid}:${lstatSync(join(folder, name)).gid}`);
  }

  async login(user: string, given = password): Promise<string> {
    const client = await Pop3Client.connect(this.server.ports.pop3);
    await client.ok(`USER ${user}`);
    const reply = await client.command(`PASS ${given}`);
    await client.command('QUIT');
    await client.drop();
    return reply;
  }

  /** Replies to each of these. */
  async session(user: string, ...commands: readonly string[]): Promise<string[]> {
    const client = await Pop3Client.connect(this.server.ports.pop3);
    const replies: string[] = [];
    for (const command of [`USER ${user}`, `PASS ${password}`, ...commands]) replies.push(await client.command(command));
    await client.drop();
    return replies.slice(1);
  }

  /** The last reply to a message for this address: to RCPT where that is refused. */
  async deliver(to: string): Promise<string> {
    const client = await MailClient.connect('lmtp', { port: this.server.ports.lmtp, host: '127.0.0.1' });
    const { recipients, replies } = await client.send({ from: '', to: [to], content: Buffer.from('Subject: x\r\n\r\nx\r\n') });
    await client.close();
    return replies[0] ?? recipients[0] ?? '';
  }

  /** The honest owner is served as ever: the mail is there, and the password is needed. */
  async allIsWell(): Promise<void> {
    const replies = await this.session('ada@honest.dk', 'LIST 1', 'QUIT');
    assert.deepEqual(replies, ['+OK 1 message (34 octets)', '+OK 1 34', '+OK goodbye (1 message left)']);
    assert.equal(await this.login('ada@honest.dk', 'wrong'), '-ERR [AUTH] authentication failed');
  }

  /**
   * What is said in the log of files while `attack` goes on; each line once, without its time. What was said to clients is not among it.
   * Nothing of the honest owner's, and none of the host's own files of users, may change meanwhile.
   */
  async during(attack: () => Promise<void>): Promise<string[]> {
    const before = this.#untouchable();
    const start = this.server.log().length;
    await attack();
    await this.allIsWell();
    assert.deepEqual(this.#untouchable(), before);
    const lines = this.server
      .log()
      .slice(start)
      .split('\n')
      .filter((line) => /^\S+ (?:(?:warn|error) +(?!\s|pop3\.|lmtp\.)|info +directory\.)/.test(line));
    return lines.map((line) => line.replace(/^\S+ \w+ +/, '').replaceAll(this.tree.folder, ''));
  }

  /** Owner, mode and content of each file, and when it was last changed; in folders lock files come and go. */
  #untouchable(): string[] {
    const roots = [this.honest.home, this.path('virtual', 'honest.dk'), this.path('spool', 'honest.dk')];
    // Other tests add users to the host meanwhile, but none that look like mail.
    const hostFiles = ['/etc/passwd', '/etc/shadow'].map((path) => `${path} ${/^(?:From|Subject:) /m.test(readFileSync(path, 'latin1'))}`);
    return [...hostFiles, ...roots.flatMap((root) => filesIn(root)).map(describe)];
  }
}

/** The program that has the supervisor of attackSupervisor.ts, and what it is told. */
function programTakenOver({ folder }: Tree, { uid }: UnixUser): Pick<ServerOptions, 'program' | 'env'> {
  const attack = join(folder, 'attack');
  mkdirSync(attack, { mode: 0o755 });
  writeFileSync(join(attack, 'answers.json'), '{}', { mode: 0o644 });
  const program = join(attack, 'postkasse');
  writeFileSync(program, `#!/bin/sh\nexec '${process.execPath}' '${join(import.meta.dirname, 'attackSupervisor.ts')}' "$@"\n`, {
    mode: 0o755,
  });
  return { program, env: { POSTKASSE_ATTACK: attack, POSTKASSE_ATTACKER: String(uid) } };
}

export function lineOf(user: string, { uid = 'UID', gid = 'GID', home = '.' }: { uid?: string; gid?: string; home?: string } = {}): string {
  return `${user}:{PLAIN}${password}:${uid}:${gid}::${home}:`;
}

export function mbox(subject: string): string {
  return `From ada@example.org Thu Nov 24 18:22:48 1986\nSubject: ${subject}\n\nHello.\n\n`;
}

function openForAll(path: string): void {
  execFileSync('chmod', ['-R', 'a+rX', path]);
}

function filesIn(path: string): string[] {
  if (!lstatSync(path).isDirectory()) return [path];
  return [path, ...readdirSync(path).flatMap((name) => filesIn(join(path, name)))];
}

function describe(path: string): string {
  const stats = lstatSync(path, { bigint: true });
  const what = [path, stats.ino, stats.uid, stats.gid, stats.mode];
  if (stats.isDirectory()) return what.join(' ');
  const content = stats.isSymbolicLink() ? readlinkSync(path) : createHash('sha256').update(readFileSync(path)).digest('hex');
  return [...what, stats.nlink, stats.mtimeNs, stats.ctimeNs, content].join(' ');
}
