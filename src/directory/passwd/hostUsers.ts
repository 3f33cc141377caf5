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

/** File in /etc/pam.d. */
export const PAM_SERVICE = 'postkasse';

/** By PAM: `/etc/pam.d/<service>` decides. */
export function pamUsers(service: string): HostUsers {
  return { find: getpwnam, check: (name, password) => pamAuthenticate(service, name, password) };
}

/** By the hash in the shadow file, where the process may read it; accounts that have expired are refused. */
export function shadowUsers(now: () => number, lookups = { getpwnam, getspnam }): HostUsers {
  return {
    find: lookups.getpwnam,
    check: async (name, password) => admits(shadowEntry(name, lookups.getspnam), password, now()),
  };
}

/** For tests. */
export interface OwnUserMeans {
  readonly now?: () => number;
  readonly getpwnam?: (name: string) => SystemUser | undefined;
  readonly pam?: (name: string, password: Buffer) => Promise<boolean>;
}

/**
 * In a process that runs as this user of the host for good: nobody else exists here.
 * @param entry asks whoever may read the shadow file for this user's line of it; `undefined`: PAM decides, by /etc/pam.d/postkasse. Its
 * pam_unix has unix_chkpwd read the shadow file, which lets each user ask for their own line, and which needs its set-group-id bit: in a
 * process with the kernel's no_new_privs (systemd's NoNewPrivileges) it can't read it, and each check is a fault.
 */
export function ownUser(name: string, entry: (() => Promise<ShadowEntry | undefined>) | undefined, means: OwnUserMeans = {}): HostUsers {
  const { now = Date.now, getpwnam: lookUp = getpwnam, pam = (user, password) => pamAuthenticate(PAM_SERVICE, user, password) } = means;
  return {
    find: (asked) => (asked === name ? lookUp(name) : undefined),
    async check(asked, password) {
      // Whatever name it is, the work is that of a wrong password of this user.
      const holds = entry === undefined ? await pam(name, password) : await admits(await entry(), password, now());
      return holds && asked === name;
    },
  };
}

const DAY_MS = 86_400_000;
const nobody = Buffer.from(`$6$nobodynobodynobo$${'.'.repeat(86)}`);

async function admits(entry: ShadowEntry | undefined, password: Buffer, nowMs: number): Promise<boolean> {
  const verifier = entry && anyCryptVerifier(Buffer.from(entry.hash, 'latin1'));
  const holds = await (verifier ?? anyCryptVerifier(nobody))?.password(password);
  return holds === true && verifier !== undefined && entry !== undefined && !hasExpired(entry, nowMs);
}

function hasExpired({ expireDay, lastChangeDay, maxDays, inactiveDays }: ShadowEntry, nowMs: number): boolean {
  const today = nowMs / DAY_MS;
  if (expireDay !== undefined && today >= expireDay) return true;
  if (lastChangeDay === undefined || maxDays === undefined || inactiveDays === undefined) return false;
  return today > lastChangeDay + maxDays + inactiveDays;
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
