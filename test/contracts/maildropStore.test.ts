import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { createFileStore, type FileStore, type FileStoreOptions } from '../../src/maildrops/index.ts';
import { createMemoryStore } from '../../src/maildrops/memory/index.ts';
import type { Proof } from '../../src/model/directory.ts';
import { silent } from '../../src/model/log.ts';
import type { Mailbox } from '../../src/model/mailbox.ts';
import type { MaildropStore } from '../../src/model/maildrop.ts';
import { disk } from '../../src/os/disk.ts';
import { directoryOf, ownerHouse } from '../support/ownerWorkers.ts';
import { maildropStoreContract, type StoreUnderTest } from './maildropStore.ts';

maildropStoreContract('memory', async () => inMemory());

maildropStoreContract('Maildir', async (t) => onDisc(t, 'maildir', maildirElsewhere));
maildropStoreContract('mbox', async (t) => onDisc(t, 'mbox', mboxElsewhere));

for (const [name, make] of [
  ['memory', inMemory],
  ['Maildir', (t: TestContext) => onDisc(t, 'maildir', maildirElsewhere)],
  ['mbox', (t: TestContext) => onDisc(t, 'mbox', mboxElsewhere)],
] as const) {
  maildropStoreContract(`${name} with its owner's worker`, async (t) => {
    const under = make(t);
    return { ...under, store: atWorker(t, under.store), again: () => atWorker(t, under.again()) };
  });
}

function inMemory(): StoreUnderTest {
  const store = createMemoryStore();
  return { store, again: () => store };
}

/** The same through a worker of its own. A maildrop elsewhere is opened for who has logged in. */
function atWorker(t: TestContext, store: MaildropStore): MaildropStore {
  const owner = { domains: ['kvt.dk'], directory: directoryOf('abc@kvt.dk', 'kvt@kvt.dk'), store };
  const { directory, store: remote } = ownerHouse(t, [owner]);
  return {
    ...remote,
    async open({ name }, options) {
      const login = options?.noStatus === true ? `s-${name}` : name;
      const proof: Proof = { kind: 'password', password: Buffer.from('secret') };
      const { account } = await directory.authenticate(
        { login, arrival: { localAddress: undefined, serverName: undefined } },
        proof,
        'pop3',
      );
      return remote.open(account.mailbox);
    },
  };
}

function onDisc(t: TestContext, format: FileStoreOptions['format'], elsewhere: Elsewhere): StoreUnderTest {
  const folder = fs.mkdtempSync(join(tmpdir(), 'postkasse-store-'));
  const stores: FileStore[] = [];
  for (const name of ['root', 'spool', 'state', 'run']) fs.mkdirSync(join(folder, name));
  t.after(() => {
    for (const store of stores) store.close();
    fs.rmSync(folder, { recursive: true });
  });
  const again = (): FileStore => {
    const store = createFileStore({
      root: join(folder, 'root'),
      home: 'Mail/mailbox',
      systemSpool: join(folder, 'spool'),
      format,
      statusHeader: 'rewrite',
      stateDir: join(folder, 'state'),
      runDir: join(folder, 'run'),
      disk,
      log: silent,
      now: Date.now,
    });
    stores.push(store);
    return store;
  };
  const pathOf = ({ user, domain }: Mailbox): string => join(folder, 'root', domain ?? '', user);
  return {
    store: again(),
    again,
    files: {
      fingerprint: (mailbox) => fingerprint(pathOf(mailbox)),
      removeElsewhere: (mailbox, text) => elsewhere.remove(pathOf(mailbox), text),
      addElsewhere: (mailbox, message) => elsewhere.add(pathOf(mailbox), message),
      octets: (mailbox) => elsewhere.octets(pathOf(mailbox)),
    },
  };
}

function fingerprint(path: string): unknown {
  const { ino, size, mtimeNs, ctimeNs } = fs.statSync(path, { bigint: true });
  const below = fs.statSync(path).isDirectory() ? fs.readdirSync(path).sort() : [];
  return { path, ino, size, mtimeNs, ctimeNs, below: below.map((name) => fingerprint(join(path, name))) };
}

function removeFileWith(maildir: string, text: string): void {
  for (const folder of ['new', 'cur']) {
    for (const name of fs.readdirSync(join(maildir, folder))) {
      const file = join(maildir, folder, name);
      if (fs.readFileSync(file, 'latin1').includes(text)) fs.unlinkSync(file);
    }
  }
}

/** What other programs do, and what they see. */
interface Elsewhere {
  remove(path: string, text: string): void;
  add(path: string, message: Buffer): void;
  octets(path: string): number;
}

const maildirElsewhere: Elsewhere = {
  remove: removeFileWith,
  // As Postfix's virtual(8) names it: without a size.
  add: (maildir, message) => fs.writeFileSync(join(maildir, 'new', '1790000000.Vfe01I2a3b4cM123456.mail'), message),
  octets(maildir) {
    const files = ['new', 'cur'].flatMap((folder) => fs.readdirSync(join(maildir, folder)).map((name) => join(maildir, folder, name)));
    return files.reduce((sum, file) => sum + fs.statSync(file).size, 0);
  },
};

const mboxElsewhere: Elsewhere = {
  remove: removeFromMboxWith,
  add: (mbox, message) =>
    fs.appendFileSync(mbox, `From ada@example.org Thu Jan  1 00:00:00 2026\n${message.toString().replaceAll('\r\n', '\n')}\n`),
  octets: (mbox) => fs.statSync(mbox).size,
};

/** Into a new file that takes the old one's name, as most programs do. */
function removeFromMboxWith(mbox: string, text: string): void {
  const messages = fs.readFileSync(mbox, 'latin1').split(/(?<=\n\n)(?=From )/);
  fs.writeFileSync(`${mbox}.other`, messages.filter((message) => !message.includes(text)).join(''), 'latin1');
  fs.renameSync(`${mbox}.other`, mbox);
}
