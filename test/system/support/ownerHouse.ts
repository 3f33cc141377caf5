/** A host with domains of several owners in a folder of the test's own, and the processes of those owners. */
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { promisify } from 'node:util';
import { createOwnership } from '../../../src/directory/passwd/ownership.ts';
import { parseDomainName } from '../../../src/model/address.ts';
import type { Job, Told } from './ownerProcess.ts';

/** Users that are numbers only: kvt_dk with kvt.dk, the owner of other.dk, and who owns the mail of all that belongs to root. */
export const kvt = { uid: 60001, gid: 60001 };
export const other = { uid: 60002, gid: 60002 };
export const mailOwner = { uid: 60008, gid: 60008 };

export interface OwnerHouse {
  readonly top: string;
  /** A file with this text, or a folder. What is missing above is of the same owner, with mode 0755. */
  put(path: string, owner: { uid: number; gid: number }, mode: number, text?: string): void;
  /** Targets that begin with /home or /spool are below the folder of the test. */
  link(path: string, target: string, owner: { uid: number; gid: number }): void;
  /** What the supervisor answers: `uid:gid`, `none`, or the reason. */
  ownerOf(domain: string): string;
  /** What that owner's process makes of it; paths without the folder of the test. */
  act(job: Partial<Job> & Pick<Job, 'acts'>): Promise<Told>;
}

export const root = { uid: 0, gid: 0 };

export function ownerHouse(t: TestContext): OwnerHouse {
  const top = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), 'owners-')));
  t.after(() => fs.rmSync(top, { recursive: true }));
  fs.chmodSync(top, 0o755);

  function makeFolders(path: string, { uid, gid }: { uid: number; gid: number }): void {
    if (fs.existsSync(path)) return;
    makeFolders(dirname(path), { uid, gid });
    fs.mkdirSync(path);
    fs.chownSync(path, uid, gid);
    fs.chmodSync(path, 0o755);
  }

  const house: OwnerHouse = {
    top,
    put(path, owner, mode, text) {
      const whole = join(top, path);
      makeFolders(text === undefined ? whole : dirname(whole), owner);
      if (text !== undefined) fs.writeFileSync(whole, text);
      fs.chownSync(whole, owner.uid, owner.gid);
      fs.chmodSync(whole, mode);
    },
    link(path, target, owner) {
      makeFolders(dirname(join(top, path)), owner);
      fs.symlinkSync(/^\/(home|spool|virtual)/.test(target) ? join(top, target) : target, join(top, path));
      fs.lchownSync(join(top, path), owner.uid, owner.gid);
    },
    ownerOf(domain) {
      const ownership = createOwnership({ root: join(top, 'virtual'), passwdFile: 'passwd', mailOwner, minUid: 1 });
      const name = parseDomainName(domain);
      if (name === undefined) throw new Error(`not a domain: ${domain}`);
      const found = ownership.ownerOf(name);
      if (found.kind === 'owner') return `${found.owner.uid}:${found.owner.gid}`;
      return found.kind === 'none' ? 'none' : found.reason.replaceAll(top, '');
    },
    async act(job) {
      const whole: Job = { identity: kvt, filesOf: 'owner', top, ...job };
      const program = join(import.meta.dirname, 'ownerProcess.ts');
      const { stdout } = await promisify(execFile)(process.execPath, [program, JSON.stringify(whole)], { timeout: 180_000 });
      return JSON.parse(stdout.replaceAll(top, '')) as Told;
    },
  };
  house.put('virtual', root, 0o755);
  house.put('spool', root, 0o755);
  house.put('home', root, 0o755);
  for (const one of [kvt, other, mailOwner]) house.put(`state/${one.uid}`, one, 0o700);
  return house;
}

export function mbox(subject: string): string {
  return `From ada@example.org Thu Nov 24 18:22:48 1986\nSubject: ${subject}\n\nHello.\n\n`;
}
