/** crypt(3) of the host's libcrypt: every kind of hash that the host's own passwd files may hold. */
import { availableParallelism } from 'node:os';
import { lazily, loadLibrary } from './native.ts';

/** Larger than any libcrypt's struct crypt_data: libxcrypt has 32 kB, the old glibc 131,232 octets. */
const CRYPT_DATA_OCTETS = 1 << 18;

type CryptR = {
  async(key: Buffer, setting: Buffer, data: Buffer, done: (error: unknown, hash: string | null) => void): void;
};

const cryptR = lazily(
  () =>
    loadLibrary(['libcrypt.so.1', 'libcrypt.so.2']).func('const char *crypt_r(const void *key, const void *setting, void *data)') as CryptR,
);

/** Hashing shares Node's thread pool of four with fsync; at least one thread stays free for mail. */
const atOnce = Math.min(availableParallelism(), 3);
let running = 0;
const waiting: (() => void)[] = [];
/** One struct crypt_data for each call under way; each is zeros when it rests here. */
const spare: Buffer[] = [];

/**
 * The hash of `password` by the kind, cost and salt that `setting` names; a stored hash is its own setting, so
 * `await crypt(p, stored) === stored` is the check (in constant time, please). Runs off the event loop.
 * @returns `undefined` where libcrypt doesn't know or allow this setting, or the password holds a NUL, which C would end it at
 * @throws Fault temporary where the host has no libcrypt
 */
export async function crypt(password: Buffer, setting: string): Promise<string | undefined> {
  const hash = cryptR();
  if (password.includes(0) || setting.includes('\0')) return undefined;
  if (running >= atOnce) await new Promise<void>((resolve) => waiting.push(resolve));
  else running += 1;
  const key = Buffer.alloc(password.length + 1);
  password.copy(key);
  const data = spare.pop() ?? Buffer.alloc(CRYPT_DATA_OCTETS);
  try {
    const hashed = await new Promise<string | null>((resolve, reject) => {
      hash.async(key, Buffer.from(`${setting}\0`, 'latin1'), data, (error, result) => (error ? reject(error) : resolve(result)));
    });
    return hashed === null || hashed.startsWith('*') ? undefined : hashed;
  } finally {
    key.fill(0);
    data.fill(0);
    spare.push(data);
    const next = waiting.shift();
    if (next === undefined) running -= 1;
    else next();
  }
}

/** Whether the host has a libcrypt that can be called from here. Asked once: the answer costs loading it. */
export const cryptAvailable = lazily((): boolean => {
  try {
    cryptR();
    return true;
  } catch {
    return false;
  }
});
