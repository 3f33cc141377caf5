/** The person at the keyboard: what is said to them, in their language, and what they type. */
import type { Text, Values } from '../texts/index.ts';
import { createSpeaker } from '../texts/speaker.ts';

export interface Terminal {
  out(line: string): void;
  error(line: string): void;
  say(text: Text, values?: Values): string;
  /** One line of standard input, without its line end; not shown while it is typed. `undefined` at end of input. */
  secret(prompt: string): Promise<Buffer | undefined>;
}

/** Ends the command with a status, everything having been said. */
export class ExitWith extends Error {
  readonly status: number;
  constructor(status: number) {
    super(`exit ${status}`);
    this.status = status;
  }
}

/** What a shell says of a program that SIGINT ended. */
const INTERRUPTED = 130;

const speaker = createSpeaker();
const language = localeOf(process.env) ?? 'en';

export const terminal: Terminal = {
  out: (line) => void process.stdout.write(`${line}\n`),
  error: (line) => void process.stderr.write(`${line}\n`),
  say: (text, values = {}) => speaker.say(text, values, language),
  secret: readSecret,
};

/** `da_DK.UTF-8` in the first of the variables that POSIX names; `undefined`: a language we don't have. */
function localeOf(env: NodeJS.ProcessEnv): string | undefined {
  const locale = env.LC_ALL || env.LC_MESSAGES || env.LANG || '';
  return speaker.match(locale.replace(/[.@].*$/, '').replace('_', '-'));
}

/** What came with the line before. */
let ahead: Buffer = Buffer.alloc(0);

async function readSecret(prompt: string): Promise<Buffer | undefined> {
  const { stdin, stderr } = process;
  const line = new SecretLine(stdin.isTTY === true);
  if (stdin.isTTY) {
    // In this order: what is typed at the sight of the prompt isn't shown any more.
    stdin.setRawMode(true);
    stderr.write(prompt);
  }
  try {
    return await new Promise<Buffer | undefined>((resolve, reject) => {
      const take = (octets: Buffer): void => {
        ahead = Buffer.alloc(0);
        for (const [at, octet] of octets.entries()) {
          const state = line.type(octet);
          if (state === 'typing') continue;
          ahead = octets.subarray(at + 1);
          if (state === 'interrupted') reject(new ExitWith(INTERRUPTED));
          else resolve(line.octets);
          return;
        }
      };
      stdin.on('data', take);
      stdin.once('error', reject);
      stdin.once('end', () => resolve(line.octets));
      if (ahead.length > 0) take(ahead);
      else stdin.resume();
    });
  } finally {
    stdin.removeAllListeners('data').removeAllListeners('end').removeAllListeners('error').pause();
    if (stdin.isTTY) {
      stdin.setRawMode(false);
      stderr.write('\n');
    }
  }
}

/** A line as it grows; in a terminal the keys that correct or end it are ours to understand, as it is in raw mode. */
export class SecretLine {
  readonly #keys: boolean;
  #typed: number[] = [];
  #ended = false;

  constructor(keys: boolean) {
    this.#keys = keys;
  }

  /** `undefined`: nothing was typed, not even a line end. */
  get octets(): Buffer | undefined {
    return this.#typed.length > 0 || this.#ended ? Buffer.from(this.#typed) : undefined;
  }

  type(octet: number): 'typing' | 'done' | 'interrupted' {
    const typed = this.#typed;
    if (octet === 0x0a || (octet === 0x0d && this.#keys)) {
      // A file from elsewhere has CRLF at its line ends.
      if (!this.#keys && typed.at(-1) === 0x0d) typed.pop();
      this.#ended = true;
      return 'done';
    }
    if (!this.#keys) typed.push(octet);
    else if (octet === 0x03) return 'interrupted';
    else if (octet === 0x04) return 'done';
    else if (octet === 0x15) this.#typed = [];
    else if (octet === 0x7f || octet === 0x08) {
      // The whole of a character in UTF-8.
      while (((typed.at(-1) ?? 0) & 0xc0) === 0x80) typed.pop();
      typed.pop();
    } else typed.push(octet);
    return 'typing';
  }
}
