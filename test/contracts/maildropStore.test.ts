import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { createFileStore, type FileStore, type FileStoreOptions } from '../../src/maildrops/index.ts';
import { createMemoryStore } from '../../src/maildrops/memory/index.ts';
import { silent } from '../../src/model/log.ts';
import type { Mailbox } from '../../src/model/mailbox.ts';
import { disk } from '../../src/os/disk.ts';
import { maildropStoreContract, type StoreUnderTest } from './maildropStore.ts';

maildropStoreContract('memory', async () => {
  const store = createMemoryStore();
  return { store, again: () => store };
});

maildropStoreContract('Maildir', async (t) => onDisc(t, 'maildir', removeFileWith));
maildropStoreContract('mbox', async (t) => onDisc(t, 'mbox', removeFromMboxWith));

function onDisc(t: TestContext, format: FileStoreOptions['format'], removeWith: (path: string, text: string) => void): StoreUnderTest {
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
      removeElsewhere: (mailbox, text) => removeWith(pathOf(mailbox), text),
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

/** Into a new file that takes the old one's name, as most programs do. */
function removeFromMboxWith(mbox: string, text: string): void {
  const messages = fs.readFileSync(mbox, 'latin1').split(/(?<=\n\n)(?=From )/);
  fs.writeFileSync(`${mbox}.other`, messages.filter((message) => !message.includes(text)).join(''), 'latin1');
  fs.renameSync(`${mbox}.other`, mbox);
}
