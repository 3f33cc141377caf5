/**
 * Certificates and keys: one for everybody, and one for each name that clients ask for (SNI). Files that change are taken up at the next
 * connection; files that don't fit together leave the old ones in use, with one line in the log.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { statSync } from 'node:fs';
import type { Socket } from 'node:net';
import { createSecureContext, type SecureContext, TLSSocket } from 'node:tls';
import type { Log } from '../model/log.ts';
import { readRegularFile } from '../os/regularFile.ts';

/** Paths of PEM files: the certificate with its chain, and its key. They may be the same file. */
export interface CertificateFiles {
  readonly certificate: string;
  readonly key: string;
}

export interface CertificatesOptions {
  readonly default: CertificateFiles;
  /** By lower-case name; `*.example.org` stands for each name one label below. */
  readonly names: ReadonlyMap<string, CertificateFiles>;
  readonly log: Log;
  /** Wall clock in ms. */
  readonly clock: () => number;
  /** Oldest TLS version to speak; 1.2 when left out. RFC 8997: older ones are not to be. */
  readonly minVersion?: '1.2' | '1.3';
  /** Whether files that change are taken up without being told; true when left out. Not where this process may no longer read them. */
  readonly watches?: boolean;
}

interface Pair {
  readonly files: CertificateFiles;
  context: SecureContext;
  /** Which state of the files was looked at last, good or bad. */
  stamp: string;
  lookedAt: number;
}

/** Far longer than any chain. */
export const mostOctets = 1_048_576;

/** Files are looked at no more often than this. */
const lookAgainMs = 1000;

export class Certificates {
  readonly #log: Log;
  readonly #clock: () => number;
  readonly #minVersion: '1.2' | '1.3';
  readonly #watches: boolean;
  readonly #default: Pair;
  readonly #names: ReadonlyMap<string, Pair>;

  /** @throws an Error that names the file, where a certificate can't be used */
  constructor(options: CertificatesOptions) {
    this.#log = options.log;
    this.#clock = options.clock;
    this.#minVersion = options.minVersion ?? '1.2';
    this.#watches = options.watches ?? true;
    this.#default = this.#load(options.default);
    this.#names = this.#loadNames(options.names);
  }

  /** What is shown to a client that asks for this name. */
  context(name?: string): SecureContext {
    const pair = this.#pairFor(name);
    if (this.#watches && Math.abs(this.#clock() - pair.lookedAt) >= lookAgainMs) this.#refresh(pair);
    return pair.context;
  }

  /** TLS over a connection, as the server. A handshake that fails closes the returned socket with an 'error'. */
  secure(plain: Socket, secured: (socket: TLSSocket) => void): TLSSocket {
    const socket = new TLSSocket(plain, { isServer: true, secureContext: this.context(), SNICallback: this.#chooseByName });
    socket.once('secure', () => secured(socket));
    return socket;
  }

  readonly #chooseByName = (name: string, chosen: (error: Error | null, context?: SecureContext) => void): void => {
    chosen(null, this.context(name));
  };

  #pairFor(name: string | undefined): Pair {
    if (name === undefined || this.#names.size === 0) return this.#default;
    const asked = name.toLowerCase();
    return this.#names.get(asked) ?? this.#names.get(`*${asked.slice(Math.max(0, asked.indexOf('.')))}`) ?? this.#default;
  }

  #loadNames(names: ReadonlyMap<string, CertificateFiles>): Map<string, Pair> {
    return new Map(Array.from(names, ([name, files]) => [name, this.#load(files)]));
  }

  #load(files: CertificateFiles): Pair {
    const stamp = stampOf(files);
    return { files, context: readContext(files, this.#minVersion), stamp, lookedAt: this.#clock() };
  }

  #refresh(pair: Pair): void {
    pair.lookedAt = this.#clock();
    const stamp = stampOf(pair.files);
    if (stamp === pair.stamp) return;
    // Also when they are no good: said once, and tried again when they change again.
    pair.stamp = stamp;
    try {
      pair.context = readContext(pair.files, this.#minVersion);
      this.#log.info('tls.certificate-loaded', { file: pair.files.certificate });
    } catch (thrown) {
      this.#log.error('tls.certificate-refused', { file: pair.files.certificate, error: (thrown as Error).message });
    }
  }
}

/** Changes whenever one of the files does, or whether they may be read at all: the rights that read them first may be gone by now. */
function stampOf(files: CertificateFiles): string {
  return `${stampOfFile(files.certificate)} ${stampOfFile(files.key)}`;
}

function stampOfFile(path: string): string {
  try {
    const stat = statSync(path, { bigint: true });
    return `${stat.dev}:${stat.ino}:${stat.size}:${stat.mtimeNs}`;
  } catch (thrown) {
    return String((thrown as NodeJS.ErrnoException).code);
  }
}

/** @throws an Error that names the file */
function readContext(files: CertificateFiles, minVersion: '1.2' | '1.3'): SecureContext {
  const certificate = readRegularFile(files.certificate, mostOctets);
  const key = readRegularFile(files.key, mostOctets);
  const first = readPart(files.certificate, () => new X509Certificate(certificate));
  const secret = readPart(files.key, () => createPrivateKey(key));
  if (!first.checkPrivateKey(secret)) throw new Error(`${files.key} is not the key of ${files.certificate}`);
  return readPart(files.certificate, () => createSecureContext({ cert: certificate, key, minVersion: `TLSv${minVersion}` }));
}

function readPart<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (thrown) {
    throw new Error(`${path}: ${(thrown as Error).message}`, { cause: thrown });
  }
}
