/** A tree of domains in a folder of its own, and a directory over it whose log can be read. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { parseDomainName } from '../../model/address.ts';
import type { Arrival, Proof, Service } from '../../model/directory.ts';
import { Fault } from '../../model/fault.ts';
import type { LogFields } from '../../model/log.ts';
import { createPasswdDirectory, type PasswdDirectoryOptions } from './index.ts';

export const nowhere: Arrival = { localAddress: undefined, serverName: undefined };

export interface House {
  readonly root: string;
  readonly directory: ReturnType<typeof createPasswdDirectory>;
  /** Events of the log, file names without the root. */
  readonly events: LogFields[];
  write(path: string, text: string | Buffer): void;
  /** The name of the mailbox, `s-` before it where that option was taken, or kind and cause of the fault. */
  login(name: string, password: string | Proof, arrival?: Arrival, service?: Service): Promise<string>;
}

export function openHouse(t: TestContext, files: Record<string, string>, changes: Partial<PasswdDirectoryOptions> = {}): House {
  const root = mkdtempSync(join(tmpdir(), 'directory-'));
  t.after(() => rmSync(root, { recursive: true }));
  const events: LogFields[] = [];
  const note = (event: string, fields: LogFields = {}) => {
    const file = typeof fields.file === 'string' ? { file: fields.file.replace(`${root}/`, '') } : {};
    events.push({ event, ...fields, ...file });
  };
  const house = { root, events, write };
  for (const [path, text] of Object.entries(files)) write(path, text);
  const directory = createPasswdDirectory({
    root,
    defaultDomain: parseDomainName('kvt.dk'),
    loginDelimiters: '@%',
    passwordKind: 'auto',
    systemUsers: false,
    addresses: new Map(),
    secret: Buffer.alloc(32, 7),
    processUid: 601,
    log: { debug() {}, info: note, warn: note, error: note },
    now: Date.now,
    ...changes,
  });

  function write(path: string, text: string | Buffer): void {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }

  return {
    ...house,
    directory,
    async login(name, password, arrival = nowhere, service = 'pop3') {
      const proof: Proof = typeof password === 'string' ? { kind: 'password', password: Buffer.from(password) } : password;
      try {
        const { account, noStatus } = await directory.authenticate({ login: name, arrival }, proof, service);
        return (noStatus ? 's-' : '') + account.mailbox.name;
      } catch (thrown) {
        const { kind, cause } = Fault.from(thrown);
        return `${kind}: ${String(cause instanceof Error ? cause.message : cause).replaceAll(`${root}/`, '')}`;
      }
    },
  };
}
