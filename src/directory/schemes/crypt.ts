/** crypt(3) in all the kinds that the host's libcrypt knows, plus the two that it doesn't: `$apr1$` and `$argon2…$`. */
import { crypt } from '../../os/crypt.ts';
import { apr1Verifier } from './apr1.ts';
import { argon2Verifier } from './argon2.ts';
import { passwordOnly, passwordVerifier, type Random, type Scheme, same, type Verifier } from './scheme.ts';

/** Thirteen characters, the first two the salt. A clear-text password may look like this, too: only ever asked where that is excluded. */
export const desForm = /^[./0-9A-Za-z]{13}$/;
const bsdiForm = /^_[./0-9A-Za-z]{19}$/;
/** Modular crypt format: a kind, perhaps its parameters, a salt, a hash. */
const modularForm = /^\$(1|2[abxy]?|3|5|6|7|y|gy|md5|sha1)[$,][\x21-\x7e]*$/;

/** `$…$`: `undefined` where it isn't one of the kinds known to be hashes, or costs more than a login may. */
export function modularVerifier(stored: Buffer): Verifier | undefined {
  const text = stored.toString('latin1');
  if (text.startsWith('$apr1$')) return apr1Verifier(stored);
  if (text.startsWith('$argon2')) return argon2Verifier(stored);
  return modularForm.test(text) && affordable(text) ? cryptVerifier(text) : undefined;
}

/** Any hash of crypt(3), the traditional DES one included. */
export function anyCryptVerifier(stored: Buffer): Verifier | undefined {
  const text = stored.toString('latin1');
  return desForm.test(text) || bsdiForm.test(text) ? cryptVerifier(text) : modularVerifier(stored);
}

function cryptVerifier(stored: string): Verifier {
  return passwordVerifier(async (password) => {
    const computed = await crypt(password, stored);
    return computed !== undefined && same(Buffer.from(computed, 'latin1'), Buffer.from(stored, 'latin1'));
  }, true);
}

/** No more than about two seconds for one check: whoever may write a passwd file must not be able to stop the logins of all others. */
function affordable(setting: string): boolean {
  const rounds = /^\$(?:5|6)\$rounds=(\d+)\$|^\$sha1\$(\d+)\$|^\$md5,rounds=(\d+)/.exec(setting);
  if (rounds !== null) return Number(rounds[1] ?? rounds[2] ?? rounds[3]) <= 5_000_000;
  const blowfish = /^\$2[abxy]?\$(\d\d)\$/.exec(setting);
  if (blowfish !== null) return Number(blowfish[1]) <= 15;
  // The logarithm of the memory, one character in the order of `./0-9A-Za-z`: 'D' is 2^16 blocks for yescrypt, 2^15 for scrypt.
  const memory = /^\$(?:y|gy)\$[./0-9A-Za-z]([./0-9A-Za-z])|^\$7\$([./0-9A-Za-z])/.exec(setting);
  return memory === null || /[./0-9A-D]/.test(memory[1] ?? memory[2] ?? '');
}

/** Characters of a salt: any of 64 letters will do for each kind. */
function salt(random: Random, characters: number): string {
  return random(characters).toString('base64').replaceAll('+', '.').slice(0, characters);
}

function scheme(name: string, setting: (random: Random) => string): Scheme {
  return {
    names: [name],
    encoding: 'text',
    proves: passwordOnly,
    verifier: anyCryptVerifier,
    bare: name !== 'DES-CRYPT',
    async make(password, random) {
      const made = await crypt(password, setting(random));
      if (made === undefined) throw new Error(`the host's libcrypt makes no ${name}`);
      return Buffer.from(made, 'latin1');
    },
  };
}

/** 13 ms of work for who guesses; a password just verified is remembered, so a mailbox that is polled doesn't pay it each time. */
const sha512 = (random: Random) => `$6$rounds=50000$${salt(random, 16)}`;

export const crypts: readonly Scheme[] = [
  scheme('SHA512-CRYPT', sha512),
  scheme('SHA256-CRYPT', (random) => `$5$rounds=50000$${salt(random, 16)}`),
  scheme('BLF-CRYPT', (random) => `$2y$10$${salt(random, 22)}`),
  scheme('CRYPT', sha512),
  scheme('MD5-CRYPT', (random) => `$1$${salt(random, 8)}`),
  scheme('DES-CRYPT', (random) => salt(random, 2)),
];
