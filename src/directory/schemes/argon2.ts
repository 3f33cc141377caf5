/** {ARGON2ID}, {ARGON2I}: `$argon2id$v=19$m=…,t=…,p=…$salt$hash`, RFC 9106. Off the event loop, by the package @node-rs/argon2. */
import { passwordOnly, passwordVerifier, type Random, type Scheme, type Verifier } from './scheme.ts';
import { turns } from './turns.ts';

/** Each takes its memory while it runs. */
const inTurn = turns(2);

const MOST_MEMORY_KIB = 1 << 20;
/** Passes over one KiB: a few seconds of work. */
const MOST_WORK = 1 << 22;

const form = /^\$argon2(?:i|d|id)\$(?:v=\d{1,2}\$)?m=(\d{1,7}),t=(\d{1,6}),p=(\d{1,3})\$[A-Za-z0-9+/]{8,}\$[A-Za-z0-9+/]{8,}$/;

let library: Promise<typeof import('@node-rs/argon2')> | undefined;

/** At first use, as most hosts have no such password; before that by who is about to give up the right to read it. */
export function loadArgon2(): Promise<typeof import('@node-rs/argon2')> {
  library ??= import('@node-rs/argon2');
  return library;
}

/** `undefined`: not well-formed, or more memory or work than a login may cost. */
export function argon2Verifier(stored: Buffer): Verifier | undefined {
  const text = stored.toString('latin1');
  const match = form.exec(text);
  if (match === null) return undefined;
  const [memory, passes, lanes] = match.slice(1).map(Number);
  if (!memory || !passes || !lanes || memory > MOST_MEMORY_KIB || memory * passes > MOST_WORK || lanes > 64) return undefined;
  return passwordVerifier(async (password) => {
    const { verify } = await loadArgon2();
    return inTurn(() => verify(text, password)).catch(() => false); // parameters that the library finds to contradict each other
  }, true);
}

async function make(algorithm: 'argon2i' | 'argon2id', password: Buffer, random: Random): Promise<Buffer> {
  const { hash } = await loadArgon2();
  // RFC 9106 section 4 offers more memory than a small host can give each login; this is what OWASP recommends.
  const cost = { memoryCost: 19456, timeCost: 2, parallelism: 1, salt: random(16) };
  return Buffer.from(await inTurn(() => hash(password, { ...cost, algorithm: algorithm === 'argon2i' ? 1 : 2 })));
}

const text = { encoding: 'text', proves: passwordOnly, verifier: argon2Verifier } as const;

export const argon2: readonly Scheme[] = [
  { names: ['ARGON2ID'], ...text, make: (password, random) => make('argon2id', password, random) },
  { names: ['ARGON2I'], ...text, make: (password, random) => make('argon2i', password, random) },
];
