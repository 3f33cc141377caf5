/** What keeps passwords, which are in our memory while they are checked, from ending up in a file or under somebody's debugger. */
import { lazily, libc, native, systemError } from './native.ts';

const PR_SET_DUMPABLE = 4;
const RLIMIT_CORE = 4;
const RLIMIT_NOFILE = 7;

const calls = lazily(() => {
  const library = libc();
  return {
    prctl: library.func('int prctl(int option, unsigned long value, unsigned long b, unsigned long c, unsigned long d)'),
    getrlimit: library.func('int getrlimit(int resource, void *limits)'),
    setrlimit: library.func('int setrlimit(int resource, void *limits)'),
  };
});

/**
 * To be called as early as possible: what is made is ours alone, and nobody sees into our memory. The limit on core dumps is kept by every
 * process started from here.
 */
export function harden(): void {
  process.umask(0o077);
  const none = Buffer.alloc(16);
  if (calls().setrlimit(RLIMIT_CORE, none) !== 0) throw systemError('setrlimit', native().errno());
  closeMemory();
}

/**
 * No core dumps, also where they go to a program (core_pattern with a pipe), which doesn't ask for the limit; no debugger of the same user.
 * The kernel decides anew when a process becomes another user, so it is called again then.
 * What is left to a process without root of its own /proc/self: everything but the files that are for the owner only (environ, mem).
 */
export function closeMemory(): void {
  if (calls().prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) !== 0) throw systemError('prctl', native().errno());
}

/** Descriptors this process may have open. Node has raised the soft limit to the hard one when it started. */
export function descriptorLimit(): number {
  const limits = Buffer.alloc(16);
  if (calls().getrlimit(RLIMIT_NOFILE, limits) !== 0) throw systemError('getrlimit', native().errno());
  return Number(limits.readBigUInt64LE(0));
}
