/** Each directory against the contract. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createMemoryDirectory } from '../../src/directory/memory/index.ts';
import { createPasswdDirectory } from '../../src/directory/passwd/index.ts';
import { silent } from '../../src/model/log.ts';
import { address, contractAccounts, directoryContract } from './directory.ts';

directoryContract('passwd', ({ defaultDomain, addresses }, t) => {
  const root = mkdtempSync(join(tmpdir(), 'directory-'));
  t.after(() => rmSync(root, { recursive: true }));
  const lines = Map.groupBy(contractAccounts, (account) => address(account.address).domain);
  for (const [domain, accounts] of lines) {
    mkdirSync(join(root, domain, 'accounts'), { recursive: true });
    writeFileSync(join(root, domain, 'passwd'), accounts.map((one) => `${address(one.address).user}:${one.password}\n`).join(''));
    for (const { address: name, services } of accounts) {
      if (services === undefined) continue;
      writeFileSync(join(root, domain, 'accounts', `${address(name).user}.toml`), `services = ${JSON.stringify(services)}\n`);
    }
  }
  return createPasswdDirectory({
    root,
    defaultDomain,
    addresses,
    loginDelimiters: '@%',
    passwordKind: 'plain',
    systemUsers: false,
    secret: Buffer.alloc(32, 7),
    processUid: 601,
    log: silent,
    now: Date.now,
  });
});

directoryContract('memory', (house) => {
  const accounts = contractAccounts.map(({ address: name, password, services }) => {
    const { user, domain } = address(name);
    const mailbox = { name: `${user}@${domain}`, user, domain, home: undefined, owner: undefined };
    return [mailbox.name, { mailbox, password, ...(services && { services: new Set(services) }) }] as const;
  });
  return createMemoryDirectory(new Map(accounts), house);
});
