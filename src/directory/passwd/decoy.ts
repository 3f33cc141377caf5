/**
 * Work done for who doesn't exist: the same as for a wrong password of a neighbour, so that time doesn't tell who is there.
 * RFC 5802 section 9 says why for SCRAM; for passwords it is as old as login(1).
 */
import { modularVerifier } from '../schemes/crypt.ts';
import { clearText } from '../schemes/plain.ts';
import type { Verifier } from '../schemes/scheme.ts';
import type { PasswdLines } from './lines.ts';
import { type PasswordRule, storedPassword } from './storedPassword.ts';

/** Lines looked at to find out which scheme a domain mostly uses. */
const SAMPLE = 64;

export interface Decoys {
  /** The verifier of some account whose scheme is the usual one of this domain; of the house where it has none. */
  usual(passwd: PasswdLines | undefined, rule: PasswordRule): Verifier;
}

export function createDecoys(): Decoys {
  const found = new WeakMap<PasswdLines, { readonly kind: string; readonly verifier: Verifier | undefined }>();
  let lastSeen: Verifier | undefined;

  function usualOf(passwd: PasswdLines, rule: PasswordRule): Verifier | undefined {
    const counts = new Map<string, { count: number; verifier: Verifier }>();
    for (const line of passwd.first(SAMPLE)) {
      const { verifier } = storedPassword(line, rule);
      if (verifier === undefined) continue;
      const label = labelOf(line.password);
      const entry = counts.get(label) ?? { count: 0, verifier };
      entry.count += 1;
      counts.set(label, entry);
    }
    let usual: { count: number; verifier: Verifier } | undefined;
    for (const entry of counts.values()) if (usual === undefined || entry.count > usual.count) usual = entry;
    return usual?.verifier;
  }

  return {
    usual(passwd, rule) {
      if (passwd !== undefined) {
        const kind = `${rule.kind} ${rule.ofDomain}`;
        let entry = found.get(passwd);
        if (entry?.kind !== kind) {
          entry = { kind, verifier: usualOf(passwd, rule) };
          found.set(passwd, entry);
        }
        if (entry.verifier !== undefined) {
          lastSeen = entry.verifier;
          return entry.verifier;
        }
      }
      return lastSeen ?? (rule.kind === 'plain' ? anyClearText : anyHash);
    },
  };
}

const anyClearText = present(clearText(Buffer.from('nobody')));
const anyHash = present(modularVerifier(Buffer.from(`$6$nobodynobodynobo$${'.'.repeat(86)}`)));

function present(verifier: Verifier | undefined): Verifier {
  if (verifier === undefined) throw new Error('a decoy that is no verifier');
  return verifier;
}

/** `{SCHEME}`, or the kind of `$…$` with its cost: what decides how long a check takes. */
function labelOf(password: Buffer): string {
  return /^\{[^}]*\}|^\$[^$]*\$(?:rounds=\d+|\d\d\$|[a-z]\w{2}\$)?/.exec(password.toString('latin1'))?.[0] ?? '';
}
