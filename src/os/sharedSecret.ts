/** A secret that all processes share and that outlives them: what is invented for users who don't exist must stay the same. */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { publishFile } from './publishFile.ts';

const OCTETS = 32;

/**
 * The octets in that file, made at first need with mode 0600. The file appears whole or not at all; of several processes that make it at the
 * same time one wins and all use it. @throws the system's error, or one that names the file when it isn't ours
 */
export function sharedSecret(path: string): Buffer {
  const there = read(path);
  if (there !== undefined) return there;
  publishFile(path, randomBytes(OCTETS));
  const made = read(path);
  if (made === undefined) throw new Error(`${path}: vanished while it was made`);
  return made;
}

function read(path: string): Buffer | undefined {
  try {
    const octets = readFileSync(path);
    if (octets.length !== OCTETS)
      throw new Error(`${path}: should have ${OCTETS} octets and has ${octets.length}; remove it to have it made anew`);
    return octets;
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw thrown;
  }
}
