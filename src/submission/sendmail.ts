/**
 * By the mail server's own program. It takes the end of its input for the end of the message, so it never reads from us: were we killed in
 * the middle, it would send half of one. It reads a file that is whole before it starts.
 */
import { isAscii } from 'node:buffer';
import { spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { join } from 'node:path';
import { transform } from '../message/transform.ts';
import type { Octets } from '../model/octets.ts';
import type { SubmissionEnvelope } from '../model/submission.ts';
import { codeOf } from '../os/disk.ts';
import { EX_DATAERR, EX_NOHOST, EX_NOUSER, EX_OK } from '../os/exitCodes.ts';
import { notNow, refused } from './faults.ts';
import { LfEnds } from './lfEnds.ts';
import type { SubmissionOptions } from './options.ts';

type Parts = Pick<SubmissionOptions, 'sendmail' | 'disk' | 'folder' | 'name'> & { readonly timeoutMs: number };

const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' };
/** Octets kept of what the program has to say. */
const MOST_SAID = 2000;
/** How long after its end what it said is waited for. */
const LAST_WORDS_MS = 1000;
/** The message and its recipients are what is wrong; with anything else another try may help. */
const final = new Set([EX_DATAERR, EX_NOUSER, EX_NOHOST]);

/** @throws Fault temporary, permanent; what reading `message` throws */
export async function submitBySendmail(message: Octets, envelope: SubmissionEnvelope, parts: Parts): Promise<void> {
  const { disk } = parts;
  const fd = unnamedFile(parts);
  try {
    let at = 0;
    let plain = true;
    // Postfix and others want the line ends of the host here.
    for await (const piece of transform(message, () => new LfEnds())) {
      plain &&= isAscii(piece);
      await writeAt(disk, fd, piece, at);
      at += piece.length;
    }
    await run(fd, argumentsFor(envelope, plain), parts);
  } finally {
    disk.close(fd);
  }
}

/** Nothing an address says is taken for an option: the sender is the value of one, the recipients stand after `--`. */
function argumentsFor({ sender, recipients }: SubmissionEnvelope, plain: boolean): string[] {
  return [
    // A line that is a dot is no end.
    '-i',
    // Undeclared 8-bit text is sent on as it is by some, and not at all by others.
    ...(plain ? [] : ['-B8BITMIME']),
    '-f',
    sender === '' ? '<>' : sender,
    '--',
    ...recipients,
  ];
}

function unnamedFile({ disk, folder, name }: Parts): number {
  const path = join(folder, `outgoing-${name()}`);
  try {
    const fd = disk.open(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600);
    disk.unlink(path);
    return fd;
  } catch (cause) {
    throw notNow(cause);
  }
}

/** At an offset of ours: the program begins where the descriptor stands, which is the start. */
async function writeAt(disk: Parts['disk'], fd: number, piece: Uint8Array, at: number): Promise<void> {
  try {
    await disk.writeLater(fd, piece, at);
  } catch (cause) {
    throw notNow(cause);
  }
}

function run(input: number, args: readonly string[], { sendmail, timeoutMs }: Parts): Promise<void> {
  return new Promise((resolve, reject) => {
    // In a group of its own: Postfix' postdrop, which it starts, would go on trying for ever where it lacks the rights.
    const child = spawn(sendmail, args, { stdio: [input, 'ignore', 'pipe'], cwd: '/', env, detached: true });
    let said = '';
    let late = false;
    const limit = setTimeout(() => {
      late = true;
      killGroup(child.pid);
    }, timeoutMs);
    child.stderr?.on('data', (octets: Buffer) => {
      if (said.length < MOST_SAID) said += octets.toString('latin1').slice(0, MOST_SAID - said.length);
    });
    child.on('error', (cause) => {
      clearTimeout(limit);
      reject(notNow(cause));
    });
    child.on('exit', () => {
      clearTimeout(limit);
      // What the program leaves running may hold the pipe for as long as it likes.
      setTimeout(() => child.stderr?.destroy(), LAST_WORDS_MS).unref();
    });
    child.on('close', (code, signal) => {
      if (code === EX_OK) resolve();
      else if (code !== null && isFinal(code, said)) reject(refused(said));
      else reject(notNow(new Error(`${sendmail}: ${late ? 'took too long' : `ended with ${signal ?? code}`}: ${said.trim()}`)));
    });
  });
}

function killGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch (thrown) {
    if (codeOf(thrown) !== 'ESRCH') throw thrown;
  }
}

/** Postfix gives a message that is larger than it takes the status of what passes, EX_TEMPFAIL or EX_UNAVAILABLE, and says so in words. */
function isFinal(code: number, said: string): boolean {
  return final.has(code) || said.includes('message file too big');
}
