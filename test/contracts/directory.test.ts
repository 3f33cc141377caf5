/** Each directory against the contract. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createMemoryDirectory } from '../../src/directory/memory/index.ts';
import { createPasswdDirectory } from '../../src/directory/passwd/index.ts';
import { createMemoryStore } from '../../src/maildrops/memory/index.ts';
import { silent } from '../../src/model/log.ts';
import { ownerHouse } from '../support/ownerWorkers.ts';
import { address, contractAccounts, directoryContract } from './directory.ts';

const passwdOptions = {
  loginDelimiters: '@%',
  passwordKind: 'plain',
  systemUsers: false,
  secret: Buffer.alloc(32, 7),
  processUid: 601,
  log: silent,
  now: Date.now,
} as const;

directoryContract('passwd', ({ defaultDomain, addresses }, t) => {
  const root = mkdtempSync(join(tmpdir(), 'directory-'));
  t.after(() => rmSync(root, { recursive: true }));
  writeDomains(root, contractAccounts);
  return createPasswdDirectory({ ...passwdOptions, root, defaultDomain, addresses });
});

directoryContract(
  'passwd with the workers of two owners',
  ({ defaultDomain, addresses }, t) => {
    const root = mkdtempSync(join(tmpdir(), 'directory-'));
    t.after(() => rmSync(root, { recursive: true }));
    const ofDomain = Map.groupBy(contractAccounts, (account) => address(account.address).domain);
    const owners = Array.from(ofDomain, ([name, accounts]) => {
      const ownRoot = join(root, 'of', name);
      writeDomains(ownRoot, accounts);
      const directory = createPasswdDirectory({ ...passwdOptions, root: ownRoot, defaultDomain, addresses: new Map() });
      return { domains: [name], directory, store: createMemoryStore() };
    });
    const rules = { delimiters: '@%', options: true, defaultDomain, addresses };
    return ownerHouse(t, owners, { rules }).directory;
  },
  { knowsTheHouse: false },
);

directoryContract('memory', (house) => {
  const accounts = contractAccounts.map(({ address: name, password, services }) => {
    const { user, domain } = address(name);
    const mailbox = { name: `${user}@${domain}`, user, domain, home: undefined, owner: undefined };
    return [mailbox.name, { mailbox, password, ...(services && { services: new Set(services) }) }] as const;
  });
  return createMemoryDirectory(new Map(accounts), house);
});

function writeDomains(root: string, accounts: typeof contractAccounts): void {
  for (const [domain, ofDomain] of Map.groupBy(accounts, (account) => address(account.address).domain)) {
    mkdirSync(join(root, domain, 'accounts'), { recursive: true });
    writeFileSync(join(root, domain, 'passwd'), ofDomain.map((one) => `${address(one.address).user}:${one.password}\n`).join(''));
    for (const { address: name, services } of ofDomain) {
      if (services === undefined) continue;
      writeFileSync(join(root, domain, 'accounts', `${address(name).user}.toml`), `services = ${JSON.stringify(services)}\n`);
    }
  }
}
