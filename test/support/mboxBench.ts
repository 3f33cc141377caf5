/** An mbox in a folder of its own, and backends onto it. */
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { createMboxBackend, type MboxBackend, type MboxOptions } from '../../src/maildrops/mbox/index.ts';
import type { Log, LogFields } from '../../src/model/log.ts';
import type { Maildrop } from '../../src/model/maildrop.ts';
import { type Disk, disk as hostDisk } from '../../src/os/disk.ts';
import { envelope, mailboxNamed } from './mail.ts';
import { whole } from './mailOctets.ts';

const mailbox = mailboxNamed('abc@kvt.dk');

export class MboxBench {
  readonly folder: string;
  readonly path: string;
  readonly stateDir: string;
  /** Names of events, with what they said. */
  readonly events: [name: string, fields: LogFields][] = [];
  /** Calls to the disc since the last `forget`. */
  readonly calls: string[] = [];
  /** Octets written since then. */
  written = 0;
  readonly #backends: MboxBackend[] = [];

  constructor(t: TestContext, content?: string) {
    this.folder = fs.mkdtempSync(join(tmpdir(), 'postkasse-mbox-'));
    this.path = join(this.folder, 'abc');
    this.stateDir = join(this.folder, 'state');
    fs.mkdirSync(this.stateDir);
    if (content !== undefined) this.put(content);
    t.after(async () => {
      for (const backend of this.#backends) await backend.close();
      fs.rmSync(this.folder, { recursive: true });
    });
  }

  /** With nothing in memory. What was changed long ago is what most mailboxes are: `settled` makes this one so. */
  backend(options: Partial<MboxOptions> = {}): MboxBackend {
    const backend = createMboxBackend({
      disk: this.disk,
      log: this.log,
      now: Date.now,
      stateDir: this.stateDir,
      statusHeader: 'rewrite',
      lockTimeoutMs: 2000,
      ...options,
    });
    this.#backends.push(backend);
    return backend;
  }

  open(backend: MboxBackend, noStatus = false): Promise<Maildrop> {
    return backend.open({ path: this.path, mailbox }, { noStatus });
  }

  deliver(backend: MboxBackend, message: string | Buffer, sender = envelope.sender): Promise<void> {
    const octets = typeof message === 'string' ? Buffer.from(message, 'latin1') : message;
    return backend.deliver({ path: this.path, mailbox }, [octets], { ...envelope, sender });
  }

  /** The mailbox, one character an octet. */
  get content(): string {
    return fs.readFileSync(this.path, 'latin1');
  }
  put(content: string): void {
    fs.writeFileSync(this.path, content, 'latin1');
  }

  /** As another program does that makes a new file and renames it. */
  replace(content: string): void {
    fs.writeFileSync(`${this.path}.other`, content, 'latin1');
    fs.renameSync(`${this.path}.other`, this.path);
  }

  forget(): void {
    this.calls.length = 0;
    this.written = 0;
  }

  readonly log: Log = {
    debug: (name, fields = {}) => void this.events.push([name, fields]),
    info: (name, fields = {}) => void this.events.push([name, fields]),
    warn: (name, fields = {}) => void this.events.push([name, fields]),
    error: (name, fields = {}) => void this.events.push([name, fields]),
  };

  readonly disk: Disk = new Proxy(hostDisk, {
    get: (target, name, receiver) => {
      const call = Reflect.get(target, name, receiver) as (...args: unknown[]) => unknown;
      return (...args: unknown[]) => {
        this.calls.push(String(name));
        if (name === 'write' || name === 'writeLater') this.written += (args[1] as Buffer).length;
        return call(...args);
      };
    },
  });
}

/** What a session serves: octets as they rest, one character each. */
export async function served(maildrop: Maildrop): Promise<string[]> {
  const all: string[] = [];
  for (const message of maildrop.messages) all.push((await whole(maildrop.retrieve(message))).toString('latin1'));
  return all;
}
