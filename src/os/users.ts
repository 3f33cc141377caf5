/** Users and groups of the host, by whatever nsswitch.conf names (files, LDAP …). A call waits for that service: not for a busy event loop. */
import fs from 'node:fs';
import { lazily, libc, native, systemError } from './native.ts';

const SHADOW = '/etc/shadow';
/** NGROUPS_MAX of Linux. */
const MOST_GROUPS = 65_536;

export interface SystemUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly gecos: string;
  readonly home: string;
  readonly shell: string;
}

export interface SystemGroup {
  readonly name: string;
  readonly gid: number;
}

/** A line of the shadow file. Days count from 1970-01-01; `undefined` where the field is empty. */
export interface ShadowEntry {
  readonly name: string;
  /** crypt(3) hash; `!` or `*` at its start: no password fits. */
  readonly hash: string;
  readonly lastChangeDay: number | undefined;
  readonly maxDays: number | undefined;
  readonly inactiveDays: number | undefined;
  /** From this day the account may not be used. */
  readonly expireDay: number | undefined;
}

interface Passwd {
  pw_name: string;
  pw_uid: number;
  pw_gid: number;
  pw_gecos: string | null;
  pw_dir: string | null;
  pw_shell: string | null;
}
interface Group {
  gr_name: string;
  gr_gid: number;
}
interface Spwd {
  sp_namp: string;
  sp_pwdp: string | null;
  sp_lstchg: number;
  sp_max: number;
  sp_inact: number;
  sp_expire: number;
}

type Lookup<Key, Found> = (key: Key, into: Partial<Found>, room: Buffer, octets: number, result: unknown[]) => number;

const calls = lazily(() => {
  const koffi = native();
  const library = libc();
  const passwd = koffi.struct({
    pw_name: 'const char *',
    pw_passwd: 'void *',
    pw_uid: 'uint32_t',
    pw_gid: 'uint32_t',
    pw_gecos: 'const char *',
    pw_dir: 'const char *',
    pw_shell: 'const char *',
  });
  const group = koffi.struct({ gr_name: 'const char *', gr_passwd: 'void *', gr_gid: 'uint32_t', gr_mem: 'void *' });
  const spwd = koffi.struct({
    sp_namp: 'const char *',
    sp_pwdp: 'const char *',
    sp_lstchg: 'long',
    sp_min: 'long',
    sp_max: 'long',
    sp_warn: 'long',
    sp_inact: 'long',
    sp_expire: 'long',
    sp_flag: 'unsigned long',
  });
  const lookup = <Key, Found>(name: string, key: string, found: typeof passwd): Lookup<Key, Found> =>
    library.func(name, 'int', [key, koffi.out(koffi.pointer(found)), 'void *', 'size_t', koffi.out(koffi.pointer('void *'))]);
  return {
    getpwnam: lookup<string, Passwd>('getpwnam_r', 'const char *', passwd),
    getpwuid: lookup<number, Passwd>('getpwuid_r', 'uint32_t', passwd),
    getgrnam: lookup<string, Group>('getgrnam_r', 'const char *', group),
    getgrgid: lookup<number, Group>('getgrgid_r', 'uint32_t', group),
    getspnam: lookup<string, Spwd>('getspnam_r', 'const char *', spwd),
    getgrouplist: library.func('getgrouplist', 'int', ['const char *', 'uint32_t', 'void *', koffi.inout(koffi.pointer('int'))]),
  };
});

export function getpwnam(name: string): SystemUser | undefined {
  return isName(name) ? toUser(find('getpwnam', calls().getpwnam, name)) : undefined;
}

export function getpwuid(uid: number): SystemUser | undefined {
  return toUser(find('getpwuid', calls().getpwuid, uid));
}

export function getgrnam(name: string): SystemGroup | undefined {
  return isName(name) ? toGroup(find('getgrnam', calls().getgrnam, name)) : undefined;
}

export function getgrgid(gid: number): SystemGroup | undefined {
  return toGroup(find('getgrgid', calls().getgrgid, gid));
}

/** Numbers of the groups that this user is in, `gid` (mostly the one of the passwd line) among them. */
export function getgrouplist(name: string, gid: number): number[] {
  if (!isName(name)) return [gid];
  for (let room = 64; room <= MOST_GROUPS; room *= 4) {
    const groups = new Uint32Array(room);
    const count = [room];
    if (calls().getgrouplist(name, gid, groups, count) >= 0) return [...groups.subarray(0, count[0] ?? 0)];
  }
  throw new Error(`getgrouplist: ${name} is in more groups than the kernel knows`);
}

/** @throws Error with code EACCES where the process may not read the shadow file */
export function getspnam(name: string): ShadowEntry | undefined {
  // To the C library a file it may not read is one without this user, and systemd's service makes up a locked root then.
  if (fs.existsSync(SHADOW)) fs.accessSync(SHADOW, fs.constants.R_OK);
  const found = isName(name) ? find('getspnam', calls().getspnam, name) : undefined;
  if (found === undefined) return undefined;
  return {
    name: found.sp_namp,
    hash: found.sp_pwdp ?? '',
    lastChangeDay: day(found.sp_lstchg),
    maxDays: day(found.sp_max),
    inactiveDays: day(found.sp_inact),
    expireDay: day(found.sp_expire),
  };
}

/** `mail` or `601`: a setting may give a user either way; a number needs no line in the passwd file, and is its own group then. */
export function findUser(nameOrNumber: string): { name: string | undefined; uid: number; gid: number } | undefined {
  const number = decimal(nameOrNumber);
  const user = number === undefined ? getpwnam(nameOrNumber) : getpwuid(number);
  if (user !== undefined) return { name: user.name, uid: user.uid, gid: user.gid };
  return number === undefined ? undefined : { name: undefined, uid: number, gid: number };
}

/** The number of a group that a setting gives by name or number. */
export function findGroup(nameOrNumber: string): number | undefined {
  return decimal(nameOrNumber) ?? getgrnam(nameOrNumber)?.gid;
}

function toUser(found: Passwd | undefined): SystemUser | undefined {
  if (found === undefined) return undefined;
  return {
    name: found.pw_name,
    uid: found.pw_uid,
    gid: found.pw_gid,
    gecos: found.pw_gecos ?? '',
    home: found.pw_dir ?? '',
    shell: found.pw_shell ?? '',
  };
}

function toGroup(found: Group | undefined): SystemGroup | undefined {
  return found && { name: found.gr_name, gid: found.gr_gid };
}

/** The room for the strings grows until the entry fits: groups with thousands of members exist. */
function find<Key, Found>(call: string, lookup: Lookup<Key, Found>, key: Key): Found | undefined {
  const { ERANGE, EINTR, ENOENT, ESRCH, EBADF, EPERM } = native().os.errno;
  for (let octets = 4096; ; ) {
    const entry: Partial<Found> = {};
    const result: unknown[] = [null];
    const errno = lookup(key, entry, Buffer.alloc(octets), octets, result);
    // Where an entry is missing, services differ in what they return: getpwnam(3), ERRORS.
    if (errno === 0) return result[0] === null ? undefined : (entry as Found);
    if (errno === ENOENT || errno === ESRCH || errno === EBADF || errno === EPERM) return undefined;
    if (errno === ERANGE && octets < 1 << 24) octets *= 4;
    else if (errno !== EINTR) throw systemError(call, errno);
  }
}

/** C would end the name at a NUL and find somebody else. */
function isName(name: string): boolean {
  return name !== '' && !name.includes('\0');
}

/** Ids are 32 bits, the last of which means "none" to chown(2). */
function decimal(text: string): number | undefined {
  if (!/^\d{1,10}$/.test(text)) return undefined;
  const number = Number(text);
  return number < 0xffff_ffff ? number : undefined;
}

function day(value: number | bigint): number | undefined {
  const number = Number(value);
  return number < 0 ? undefined : number;
}
