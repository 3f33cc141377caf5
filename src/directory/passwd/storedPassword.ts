/**
 * What a password field means. What is ambiguous is never guessed: a clear-text password may look like a hash, and a hash taken for
 * clear text would be a password to whoever has read it.
 *
 * | field | `auto` | `plain` | `crypt` |
 * |---|---|---|---|
 * | empty | refused | refused | refused |
 * | begins with `!` or `*` | locked | locked | locked |
 * | `{SCHEME}…`, `$kind$…` | that | that | that |
 * | `x` alone: it is in a shadow file | refused | refused | refused |
 * | thirteen of `./0-9A-Za-z`, line of two fields | crypt(3) | crypt(3) | crypt(3) |
 * | the same, line of seven | refused | clear text | crypt(3) |
 * | `_` and nineteen of them | refused | clear text | crypt(3) |
 * | anything else | refused | clear text | refused |
 *
 * Two fields are what vm-pop3d and htpasswd write; vm-pop3d hands each password to crypt(3) and knows no clear text, so there the
 * oldest hash is no guess. A domain whose own domain.toml says `password_kind = "plain"` has clear text in two fields, too.
 * A clear-text password that looks like something else is written `{PLAIN}…`.
 */
import { anyCryptVerifier, desForm } from '../schemes/crypt.ts';
import { storedVerifier } from '../schemes/index.ts';
import { clearText } from '../schemes/plain.ts';
import type { Verifier } from '../schemes/scheme.ts';
import type { PasswdLine } from './lines.ts';

export type PasswordKind = 'auto' | 'plain' | 'crypt';

export interface PasswordRule {
  readonly kind: PasswordKind;
  /** The domain says so itself, not only the settings of the house. */
  readonly ofDomain: boolean;
}

export type StoredPassword =
  | { readonly verifier: Verifier }
  /** `hint`: what the host could do about it; absent for what is meant to keep people out. */
  | { readonly verifier: undefined; readonly reason: 'empty' | 'locked' | 'not understood'; readonly hint?: string };

const empty: StoredPassword = { verifier: undefined, reason: 'empty' };
const locked: StoredPassword = { verifier: undefined, reason: 'locked' };

export function storedPassword(line: PasswdLine, rule: PasswordRule): StoredPassword {
  const { password } = line;
  const first = password[0];
  if (first === undefined) return empty;
  if (first === 0x21 || first === 0x2a) return locked;
  if (first === 0x7b || looksModular(password)) {
    return understood(storedVerifier(password), 'unknown or malformed, or too dear to check; if it is clear text, write {PLAIN} before it');
  }
  if (password.length === 1 && first === 0x78) return refused('the hash is in a shadow file; write it here');
  if (line.twoFields && password.length === 13 && !(rule.kind === 'plain' && rule.ofDomain) && desForm.test(password.toString('latin1'))) {
    return understood(anyCryptVerifier(password), '');
  }
  if (rule.kind === 'plain') return understood(clearText(password), '');
  if (rule.kind === 'crypt') return understood(anyCryptVerifier(password), 'no hash of crypt(3)');
  return refused('neither {SCHEME} nor $…$; password_kind = "plain" or "crypt" in domain.toml says what it is');
}

/** `$` and another `$` somewhere behind it. */
function looksModular(password: Buffer): boolean {
  return password[0] === 0x24 && password.indexOf(0x24, 1) > 1;
}

function understood(verifier: Verifier | undefined, hint: string): StoredPassword {
  return verifier === undefined ? refused(hint) : { verifier };
}

function refused(hint: string): StoredPassword {
  return { verifier: undefined, reason: 'not understood', hint };
}
