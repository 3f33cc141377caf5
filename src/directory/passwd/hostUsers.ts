/** Users of the host itself, who may log in where the settings say so. */
import type { UserName } from '../../model/address.ts';
import { Fault } from '../../model/fault.ts';
import { codeOf } from '../../os/disk.ts';
import { pamAuthenticate } from '../../os/pam.ts';
import { getpwnam, getspnam, type ShadowEntry, type SystemUser } from '../../os/users.ts';
import { anyCryptVerifier } from '../schemes/crypt.ts';

export interface HostUsers {
  find(name: UserName): SystemUser | undefined;
  /** Also of a name that doesn't exist, in the time that an existing one takes. @throws Fault temporary */
  check(name: UserName, password: Buffer): Promise<boolean>;
}

/** By PAM: `/etc/pam.d/<service>` decides. */
export function pamUsers(service: string): HostUsers {
  return { find: getpwnam, check: (name, password) => pamAuthenticate(service, name, password) };
}

const DAY_MS = 86_400_000;
const nobody = Buffer.from(`$6$nobodynobodynobo$${'.'.repeat(86)}`);

/** By the hash in the shadow file, where the process may read it; accounts that have expired are refused. */
export function shadowUsers(now: () => number, lookups = { getpwnam, getspnam }): HostUsers {
  return {
    find: lookups.getpwnam,
    async check(name, password) {
      const entry = shadowEntry(name, lookups.getspnam);
      const verifier = entry && anyCryptVerifier(Buffer.from(entry.hash, 'latin1'));
      const today = now() / DAY_MS;
      const expired =
        (entry?.expireDay !== undefined && today >= entry.expireDay) ||
        (entry?.lastChangeDay !== undefined &&
          entry.maxDays !== undefined &&
          entry.inactiveDays !== undefined &&
          today > entry.lastChangeDay + entry.maxDays + entry.inactiveDays);
      const holds = await (verifier ?? anyCryptVerifier(nobody))?.password(password);
      return holds === true && verifier !== undefined && !expired;
    },
  };
}

function shadowEntry(name: UserName, getspnam: (name: string) => ShadowEntry | undefined): ShadowEntry | undefined {
  try {
    return getspnam(name);
  } catch (error) {
    throw new Fault('temporary', 'accounts can not be looked up just now', {
      cause: new Error(`shadow file: ${codeOf(error)}`, { cause: error }),
    });
  }
}
