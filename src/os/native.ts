/**
 * C functions of the host's libraries through koffi. Loading koffi costs 20 ms, so it waits for the first call; where it can't be
 * loaded (no prebuilt binary for this C library or processor), or a library is missing, whoever asks gets one clear fault.
 */
import { createRequire } from 'node:module';
import type koffi from 'koffi';
import { Fault } from '../model/fault.ts';

export type Koffi = typeof koffi;
export type Library = ReturnType<Koffi['load']>;

const require = createRequire(import.meta.url);

let loaded: Koffi | undefined;
let failure: unknown;

/** @throws Fault temporary where there is no koffi for this machine */
export function native(): Koffi {
  if (loaded !== undefined) return loaded;
  if (failure === undefined) {
    try {
      loaded = require('koffi') as Koffi;
      return loaded;
    } catch (error) {
      failure = error;
    }
  }
  throw missing(`the npm package koffi has no binary that loads here (${process.platform} ${process.arch})`, failure);
}

/** The first of these libraries that is there. @throws Fault temporary naming them all when none is */
export function loadLibrary(names: readonly string[]): Library {
  const koffi = native();
  let last: unknown;
  for (const name of names) {
    try {
      return koffi.load(name);
    } catch (error) {
      last = error;
    }
  }
  throw missing(`no shared library ${names.join(' or ')}`, last);
}

/** `bind` is called once, at the first use; when it fails each use fails anew with the same clear fault. */
export function lazily<T>(bind: () => T): () => T {
  let bound: T | undefined;
  return () => {
    bound ??= bind();
    return bound;
  };
}

/** The C library, glibc's name first, then musl's. */
export const libc = lazily(() => loadLibrary(['libc.so.6', `libc.musl-${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}.so.1`]));

/** An error as Node makes them from a failed system call. */
export function systemError(call: string, errno: number): Error {
  const name = Object.entries(native().os.errno).find(([, number]) => number === errno)?.[0] ?? `errno ${errno}`;
  return Object.assign(new Error(`${name}: ${call}`), { code: name, errno: -errno, syscall: call });
}

function missing(what: string, cause: unknown): Fault {
  return new Fault('temporary', 'internal error', { cause: new Error(what, { cause }) });
}
