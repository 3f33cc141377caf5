/**
 * Passwords of system users, checked by PAM. Its modules may start processes, wait for signals, need seconds and aren't made for
 * many threads: each check runs in a short-lived process of its own, which hands the password over and is told yes or no.
 */
import { spawn } from 'node:child_process';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Fault } from '../model/fault.ts';
import type { Question } from './pamConversation.ts';

/** Beside this file, as TypeScript in a checkout and as JavaScript in the package. */
const child = fileURLToPath(new URL(`./pamChild${extname(import.meta.url)}`, import.meta.url));

/** Exit statuses of the child. */
export const PAM_YES = 10;
export const PAM_NO = 11;

/** How long modules may take, the delay after a failure that some put in included. */
const TIMEOUT_MS = 30_000;
/** A flood of logins must not become a flood of processes. */
const AT_ONCE = 8;

let running = 0;
const waiting: (() => void)[] = [];

/**
 * Whether `service` (a file in /etc/pam.d, or in `configDir`) lets this user in with this password, account management (expired,
 * closed) included. An account without a password is never let in.
 * @throws Fault temporary where libpam is missing, or no answer came
 */
export async function pamAuthenticate(service: string, user: string, password: Buffer, configDir = ''): Promise<boolean> {
  if (!/^[\w-]+$/.test(service)) throw new Error(`not the name of a PAM service: ${service}`);
  if (user === '' || user.includes('\0') || password.includes(0)) return false;
  if (running >= AT_ONCE) await new Promise<void>((resolve) => waiting.push(resolve));
  else running += 1;
  try {
    return await ask({ service, user, password, configDir });
  } finally {
    const next = waiting.shift();
    if (next === undefined) running -= 1;
    else next();
  }
}

function ask(question: Question): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const asked = spawn(process.execPath, [child], {
      // Nothing of ours reaches the modules, and no library path of somebody else's.
      env: {},
      stdio: ['pipe', 'ignore', 'pipe'],
      timeout: TIMEOUT_MS,
      killSignal: 'SIGKILL',
    });
    let complaint = '';
    asked.stderr.setEncoding('utf8').on('data', (text: string) => {
      complaint = (complaint + text).slice(0, 2000);
    });
    asked.on('error', (error) => reject(new Fault('temporary', 'internal error', { cause: error })));
    asked.on('close', (status, signal) => {
      if (status === PAM_YES) resolve(true);
      else if (status === PAM_NO) resolve(false);
      else {
        const cause = new Error(`PAM: ${complaint.trim() || 'no answer'} (status ${status}, signal ${signal})`);
        reject(new Fault('temporary', 'internal error', { cause }));
      }
    });
    // A child that ended early has no ears left; its status tells why.
    asked.stdin.on('error', () => {});
    asked.stdin.write(`${question.service}\0${question.user}\0${question.configDir}\0`);
    asked.stdin.end(question.password);
  });
}

/** What `ask` wrote: three fields that end in NUL, then the password. */
export function readQuestion(octets: Buffer): Question {
  const fields: string[] = [];
  let start = 0;
  for (let end = octets.indexOf(0); end >= 0 && fields.length < 3; end = octets.indexOf(0, start)) {
    fields.push(octets.toString('utf8', start, end));
    start = end + 1;
  }
  const [service = '', user = '', configDir = ''] = fields;
  return { service, user, configDir, password: octets.subarray(start) };
}
