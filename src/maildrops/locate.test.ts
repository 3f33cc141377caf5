/** Where a mailbox is looked for, REQUIREMENTS A35 to A39 and A51. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type DomainName, parseDomainName, parseUserName, type UserName } from '../model/address.ts';
import type { Mailbox } from '../model/mailbox.ts';
import { disk } from '../os/disk.ts';
import { findMailbox, type Locator } from './locate.ts';

const uid = process.getuid?.() ?? 0;

interface House {
  readonly folder: string;
  readonly locator: Locator;
  mailbox(user: string, domain: string | undefined, home?: string): Mailbox;
  file(path: string): void;
  directory(path: string): void;
  /** Path found, below the folder, and what it is. */
  find(mailbox: Mailbox): string;
}

function house(t: TestContext, home = 'Mail/mailbox'): House {
  const folder = fs.mkdtempSync(join(tmpdir(), 'postkasse-locate-'));
  t.after(() => fs.rmSync(folder, { recursive: true }));
  const places = { root: join(folder, 'virtual'), home, systemSpool: join(folder, 'mail'), format: 'mbox' } as const;
  const locator = { disk, places, processUid: uid };
  const directory = (path: string): void => {
    fs.mkdirSync(join(folder, path), { recursive: true });
  };
  return {
    folder,
    locator,
    mailbox: (user, domain, at) => ({
      name: user,
      user: parseUserName(user) as UserName,
      domain: domain === undefined ? undefined : (parseDomainName(domain) as DomainName),
      home: at === undefined ? undefined : join(folder, at),
      owner: undefined,
    }),
    directory,
    file(path) {
      directory(join(path, '..'));
      fs.writeFileSync(join(folder, path), '');
    },
    find(mailbox) {
      const { path, format, exists, refused } = findMailbox(locator, mailbox);
      return [path.slice(folder.length + 1), format, exists ? 'exists' : 'new', ...(refused === undefined ? [] : [refused])].join(' ');
    },
  };
}

test('the first place that has something is the mailbox', (t) => {
  const { find, file, directory, mailbox } = house(t);
  const kvt = mailbox('kvt', 'kvt.dk', 'home/kvt_dk/');
  directory('virtual/kvt.dk/kvt');
  assert.equal(find(kvt), 'virtual/kvt.dk/kvt maildir exists');
  file('home/kvt_dk/Mail/mailbox');
  assert.equal(find(kvt), 'home/kvt_dk/Mail/mailbox mbox exists');
});

test('a virtual user never gets the spool of the system user with the same name', (t) => {
  const { find, file, mailbox } = house(t);
  file('mail/root');
  assert.equal(find(mailbox('root', 'kvt.dk')), 'virtual/kvt.dk/root mbox new');
  assert.equal(find(mailbox('root', undefined)), 'mail/root mbox exists');
});

test('a new mailbox is made below the home where there is one, else in the spool', (t) => {
  const { find, file, directory, mailbox } = house(t);
  directory('home/kvt_dk');
  file('home/file');
  assert.equal(find(mailbox('kvt', 'kvt.dk', 'home/kvt_dk')), 'home/kvt_dk/Mail/mailbox mbox new');
  assert.equal(find(mailbox('abc', 'kvt.dk')), 'virtual/kvt.dk/abc mbox new');
  assert.equal(find(mailbox('abc', 'kvt.dk', 'home/nobody')), 'virtual/kvt.dk/abc mbox new');
  assert.equal(find(mailbox('abc', 'kvt.dk', 'home/file')), 'virtual/kvt.dk/abc mbox new');
  assert.equal(find(mailbox('jens', undefined)), 'mail/jens mbox new');
  assert.equal(find(mailbox('jens', undefined, 'home/kvt_dk')), 'home/kvt_dk/Mail/mailbox mbox new');
});

test('a home of another user gets no mailbox', { skip: uid === 0 ? false : 'needs root to make one' }, (t) => {
  const { folder, find, directory, mailbox } = house(t);
  directory('home/other');
  fs.chownSync(join(folder, 'home/other'), 12345, 12345);
  assert.equal(find(mailbox('abc', 'kvt.dk', 'home/other')), 'virtual/kvt.dk/abc mbox new');
});

test('with home empty nothing is looked for there', (t) => {
  const { find, file, mailbox } = house(t, '');
  file('home/kvt_dk/Mail/mailbox');
  assert.equal(find(mailbox('kvt', 'kvt.dk', 'home/kvt_dk')), 'virtual/kvt.dk/kvt mbox new');
});

test('what belongs to somebody else, or is no mailbox, is refused and not passed over', (t) => {
  const { folder, locator, find, file, directory, mailbox } = house(t);
  file('home/kvt_dk/Mail/mailbox');
  file('virtual/kvt.dk/kvt');
  const other = { ...mailbox('kvt', 'kvt.dk', 'home/kvt_dk'), owner: { uid: uid + 1, gid: 100 } };
  assert.equal(find(other), `home/kvt_dk/Mail/mailbox mbox exists belongs to uid ${uid}, not ${uid + 1}`);

  directory('mail');
  fs.symlinkSync('/dev/null', join(folder, 'mail/null'));
  assert.equal(find(mailbox('null', undefined)), 'mail/null mbox exists neither a file nor a directory');

  fs.symlinkSync('loop', join(folder, 'mail/loop'));
  assert.equal(find(mailbox('loop', undefined)), "mail/loop mbox exists can't be looked at: ELOOP");
  assert.equal(findMailbox(locator, mailbox('kvt', 'kvt.dk')).refused, undefined);
});

test('what others can write is refused: the mailbox, or the folder that it lies in', (t) => {
  const { folder, find, file, directory, mailbox } = house(t);
  file('virtual/kvt.dk/abc');
  fs.chmodSync(join(folder, 'virtual/kvt.dk/abc'), 0o646);
  assert.equal(find(mailbox('abc', 'kvt.dk')), 'virtual/kvt.dk/abc mbox exists others can write to it (mode 0646)');
  directory('virtual/kvt.dk/maildir');
  fs.chmodSync(join(folder, 'virtual/kvt.dk/maildir'), 0o757);
  assert.equal(find(mailbox('maildir', 'kvt.dk')), 'virtual/kvt.dk/maildir maildir exists others can write to it (mode 0757)');

  file('mail/jens');
  // As /var/mail is: the group is the host's business, and so are mailboxes that it may write to.
  fs.chmodSync(join(folder, 'mail/jens'), 0o660);
  for (const mode of [0o2775, 0o1777]) {
    fs.chmodSync(join(folder, 'mail'), mode);
    assert.equal(find(mailbox('jens', undefined)), 'mail/jens mbox exists', mode.toString(8));
  }
  fs.chmodSync(join(folder, 'mail'), 0o777);
  const reason = `${folder}/mail: others can write to it (mode 0777)`;
  assert.equal(find(mailbox('jens', undefined)), `mail/jens mbox exists ${reason}`);
  assert.equal(find(mailbox('new', undefined)), `mail/new mbox new ${reason}`);
});

test('a link to a mailbox is that mailbox', (t) => {
  const { folder, find, file, directory, mailbox } = house(t);
  file('home/kvt_dk/mbox');
  directory('virtual/kvt.dk');
  fs.symlinkSync(join(folder, 'home/kvt_dk/mbox'), join(folder, 'virtual/kvt.dk/abc'));
  assert.equal(find(mailbox('abc', 'kvt.dk')), 'virtual/kvt.dk/abc mbox exists');
});

test('the trace names each place and what was there', (t) => {
  const { folder, locator, directory, mailbox } = house(t);
  directory('virtual/kvt.dk/kvt');
  const tried: string[] = [];
  findMailbox(locator, mailbox('kvt', 'kvt.dk', 'home/kvt_dk'), (place, found) => tried.push(`${place.slice(folder.length)}: ${found}`));
  assert.deepEqual(tried, ['/home/kvt_dk/Mail/mailbox: nothing', '/virtual/kvt.dk/kvt: maildir']);
});
