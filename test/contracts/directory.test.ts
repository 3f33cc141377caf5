/** Each directory against the contract. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createMemoryDirectory } from '../../src/directory/memory/index.ts';
import { createPasswdDirectory } from '../../src/directory/passwd/index.ts';
import { createMemoryStore } from '../../src/maildrops/memory/index.ts';
import { silent } from '../../src/model/log.ts';
import { ownerHouse } from '../support/ownerWorkers.ts';
import { address, contractAccounts, contractDomain, contractRules, directoryContract, domain } from './directory.ts';

/** `contractDomain.rules` and `contractRules.rules`, as their owner writes them. */
const domainToml = `
alias_of = "KVT.dk"
fold_subdomains = true
quota = "5 MB"
srs = false
pop_before_smtp = true
`;
const accountToml = `
forward = ["abc", "x@elsewhere.example"]
keep_copy = false
quota = 1_000_000
receipts = "ask"
expire_days = 30

[vacation]
from = 2026-12-24
until = "2027-01-02"
time_zone = "Europe/Copenhagen"
subject = "Væk"
text = "Jeg er væk.\\n"
interval_days = 3
addresses = ["Info@kvt.dk"]
`;

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
    const rules = name === contractRules.address ? { rules: contractRules.rules } : {};
    return [mailbox.name, { mailbox, password, ...(services && { services: new Set(services) }), ...rules }] as const;
  });
  const other = domain(contractDomain.name);
  return createMemoryDirectory(new Map(accounts), {
    ...house,
    aliases: new Map([[other, contractDomain.aliases]]),
    rules: new Map([[other, { ...contractDomain.rules, aliasOf: domain(contractDomain.rules.aliasOf) }]]),
  });
});

function writeDomains(root: string, accounts: typeof contractAccounts): void {
  for (const [name, ofDomain] of Map.groupBy(accounts, (account) => address(account.address).domain)) {
    mkdirSync(join(root, name, 'accounts'), { recursive: true });
    writeFileSync(join(root, name, 'passwd'), ofDomain.map((one) => `${address(one.address).user}:${one.password}\n`).join(''));
    if (name === contractDomain.name) {
      writeFileSync(join(root, name, 'domain.toml'), domainToml);
      writeFileSync(join(root, name, 'aliases'), contractDomain.aliases);
    }
    for (const { address: whole, services } of ofDomain) {
      const path = join(root, name, 'accounts', `${address(whole).user}.toml`);
      if (services !== undefined) writeFileSync(path, `services = ${JSON.stringify(services)}\n`);
      if (whole === contractRules.address) writeFileSync(path, accountToml);
    }
  }
}
