/** A certificate of our own making, for a house that has none yet: encryption works at once, and only the client's trust is missing. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { publishFile } from '../os/publishFile.ts';
import { readRegularFile } from '../os/regularFile.ts';
import { type CertificateFiles, mostOctets } from './certificates.ts';

const years = 10;

/**
 * `self-signed.pem` in `stateDir`, made at first need and kept from then on. Certificate and key are in one file, mode 0600, which appears
 * whole or not at all: of several processes that make one at the same time, one wins and all use it.
 */
export async function selfSignedFiles(stateDir: string, hostname: string, now: Date): Promise<CertificateFiles> {
  const path = join(stateDir, 'self-signed.pem');
  if (!isThere(path)) {
    mkdirSync(stateDir, { recursive: true, mode: 0o700 });
    publishFile(path, await make(hostname, now));
  }
  return { certificate: path, key: path };
}

function isThere(path: string): boolean {
  try {
    // Root reads it here, in a folder that is not root's: whoever has it may have put something else there.
    return readRegularFile(path, mostOctets).length > 0;
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw thrown;
  }
}

async function make(hostname: string, now: Date): Promise<string> {
  // Needed once in the life of a house, and slow to load.
  const { generate } = await import('selfsigned');
  const notAfterDate = new Date(now);
  notAfterDate.setFullYear(now.getFullYear() + years);
  const pem = await generate([{ name: 'commonName', value: hostname.slice(0, 64) }], {
    keyType: 'ec',
    curve: 'P-256',
    algorithm: 'sha256',
    notBeforeDate: now,
    notAfterDate,
    extensions: [
      { name: 'basicConstraints', cA: false, critical: true },
      { name: 'keyUsage', digitalSignature: true, critical: true },
      { name: 'extKeyUsage', serverAuth: true },
      {
        name: 'subjectAltName',
        altNames: [
          ...new Set([hostname, 'localhost']).values().map((value) => ({ type: 2 as const, value })),
          { type: 7, ip: '127.0.0.1' },
          { type: 7, ip: '::1' },
        ],
      },
    ],
  });
  return `${pem.cert.trim()}\n${pem.private.trim()}\n`;
}
