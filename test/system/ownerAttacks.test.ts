/**
 * Owners of domains who would act as somebody else, or read what isn't theirs. Each attack is made with the files that an owner can make,
 * against the functions of the supervisor (who owns a domain) and of the owner's worker, in a process that really is that user.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { kvt, mailOwner, mbox, type OwnerHouse, other, ownerHouse, root } from './support/ownerHouse.ts';
import type { Act } from './support/ownerProcess.ts';

/** Which waits for a writer when it is opened. */
function makePipe(house: OwnerHouse, path: string): void {
  execFileSync('mkfifo', ['-m', '600', join(house.top, path)]);
  fs.chownSync(join(house.top, path), kvt.uid, kvt.gid);
}

function makeLarge(house: OwnerHouse, path: string): void {
  house.put(path, kvt, 0o600, '');
  fs.truncateSync(join(house.top, path), 10_737_418_240);
}

const options = { skip: process.getuid?.() === 0 ? false : 'needs root' };

const login = (name: string, password = 'abcpasswd'): Act => ({ act: 'login', login: name, password });
const fetch = (name: string, password = 'abcpasswd'): Act => ({ act: 'fetch', login: name, password });
const lookUp = (address: string): Act => ({ act: 'look-up', address });
const deliver = (address: string): Act => ({ act: 'deliver', address });

const line = (user: string, { uid, gid }: { uid: number; gid: number }, home = '.') => `${user}:abcpasswd:${uid}:${gid}:${user}:${home}:\n`;

/** kvt.dk of kvt_dk, mode 700 throughout as the predecessor had it, with one mailbox; and a neighbour with another. */
function twoOwners(house: OwnerHouse, passwd = line('abc', kvt)): void {
  house.put('virtual/kvt.dk', kvt, 0o700);
  house.put('virtual/kvt.dk/passwd', kvt, 0o700, passwd);
  house.put('spool/kvt.dk', kvt, 0o700);
  house.put('spool/kvt.dk/abc', kvt, 0o600, mbox('mine'));
  house.put('home/kvt_dk', kvt, 0o700);
  house.put('virtual/other.dk', other, 0o755);
  house.put('virtual/other.dk/passwd', other, 0o644, line('abc', other));
  house.put('spool/other.dk', other, 0o755);
  // Readable by anybody: what keeps others from being served it isn't only the kernel.
  house.put('spool/other.dk/abc', other, 0o644, mbox('not yours'));
}

test('an owner is served by a process of his own, and reads his mail', options, async (t) => {
  const house = ownerHouse(t);
  twoOwners(house);
  assert.equal(house.ownerOf('kvt.dk'), '60001:60001');
  assert.equal(house.ownerOf('other.dk'), '60002:60002');
  const told = await house.act({ acts: [fetch('abc@kvt.dk'), login('abc@kvt.dk', 'wrong'), deliver('abc@kvt.dk'), fetch('abc@kvt.dk')] });
  assert.deepEqual(told, {
    outcomes: [
      'Subject: mine\n\nHello.\n',
      'auth: wrong password',
      'delivered',
      'Subject: mine\n\nHello.\n|Subject: delivered\n\nHello.\n',
    ],
    lines: [],
  });
});

test("a line with another uid, or with root's", options, async (t) => {
  const house = ownerHouse(t);
  twoOwners(house, line('abc', other) + line('null', { uid: 0, gid: 0 }) + line('good', kvt));
  const told = await house.act({
    acts: [login('abc@kvt.dk'), login('abc@kvt.dk', 'wrong'), login('null@kvt.dk'), login('good@kvt.dk'), deliver('null@kvt.dk')],
  });
  assert.deepEqual(told.outcomes, [
    'auth: uid not allowed',
    'auth: wrong password',
    'auth: uid not allowed',
    'good@kvt.dk',
    'temporary: null@kvt.dk: uid 0 never owns mail',
  ]);
  assert.deepEqual(told.lines, [
    'warn directory.refused-uid abc@kvt.dk /virtual/kvt.dk/passwd 1 uid 60002 is not the 60001 that this process runs as',
    'warn directory.refused-uid null@kvt.dk /virtual/kvt.dk/passwd 2 uid 0 never owns mail',
    'warn directory.refused-uid null@kvt.dk /virtual/kvt.dk/passwd 2 uid 0 never owns mail',
  ]);
});

test('a line with a group that the owner is not in gives no right to it', options, async (t) => {
  const house = ownerHouse(t);
  twoOwners(house, line('abc', { uid: kvt.uid, gid: 0 }) + line('def', { uid: kvt.uid, gid: 42 }));
  const told = await house.act({ acts: [lookUp('abc@kvt.dk'), lookUp('def@kvt.dk'), lookUp('abc@kvt.dk'), fetch('abc@kvt.dk')] });
  assert.deepEqual(told.outcomes, [
    'abc@kvt.dk 60001:60001',
    'def@kvt.dk 60001:60001',
    'abc@kvt.dk 60001:60001',
    'Subject: mine\n\nHello.\n',
  ]);
  assert.deepEqual(told.lines, ['info directory.foreign-gid abc@kvt.dk /virtual/kvt.dk/passwd 1 0']);
});

test('names that climb: in a user, in a home', options, async (t) => {
  const house = ownerHouse(t);
  const homes = [`${house.top}/home/kvt_dk/../other`, `${house.top}/home/kvt_dk/../../spool/other.dk/abc/..`, '../other'];
  twoOwners(house, `${line('../other.dk/abc', kvt)}${line('..', kvt)}${homes.map((home, n) => line(`home${n}`, kvt, home)).join('')}`);
  house.put('home/other', other, 0o755);
  house.put('home/other/Mail/mailbox', other, 0o644, mbox('not yours'));
  house.put('spool/other.dk/Mail/mailbox', other, 0o644, mbox('not yours'));
  const told = await house.act({
    acts: [login('../other.dk/abc@kvt.dk'), login('..@kvt.dk'), fetch('home0@kvt.dk'), fetch('home1@kvt.dk'), fetch('home2@kvt.dk')],
  });
  assert.deepEqual(told, {
    outcomes: ['auth: no such user', 'auth: no such user', 'permanent', 'permanent', ''],
    lines: [
      'warn directory.skipped-line /virtual/kvt.dk/passwd 1 not a user name',
      'warn directory.skipped-line /virtual/kvt.dk/passwd 2 not a user name',
      'error maildrop.refused /home/other/Mail/mailbox belongs to uid 60002, not 60001',
      'error maildrop.refused /spool/other.dk/Mail/mailbox belongs to uid 60002, not 60001',
      'info maildrop.none',
    ],
  });
});

test("links from a mailbox to what is not the owner's", options, async (t) => {
  const house = ownerHouse(t);
  const names = ['mail', 'shadow', 'passwd', 'device', 'folder', 'home', 'dangling'];
  twoOwners(house, names.map((name) => line(name, kvt, name === 'home' ? `${house.top}/home/kvt_dk` : '.')).join(''));
  house.put('home/other/Mail/mailbox', other, 0o644, mbox('not yours'));
  house.link('home/kvt_dk/Mail', '/home/other/Mail', kvt);
  house.link('spool/kvt.dk/mail', '/spool/other.dk/abc', kvt);
  house.link('spool/kvt.dk/shadow', '/etc/shadow', kvt);
  house.link('spool/kvt.dk/passwd', '/etc/passwd', kvt);
  house.link('spool/kvt.dk/device', '/dev/zero', kvt);
  house.link('spool/kvt.dk/folder', '/etc', kvt);
  house.link('spool/kvt.dk/dangling', '/spool/other.dk/new', kvt);
  const told = await house.act({
    acts: [...names.map((name) => fetch(`${name}@kvt.dk`)), deliver('mail@kvt.dk'), deliver('dangling@kvt.dk')],
  });
  assert.deepEqual(told.outcomes, [...Array(6).fill('permanent'), '', 'temporary', 'temporary: /spool/kvt.dk/dangling: a link to nothing']);
  assert.deepEqual(told.lines, [
    'error maildrop.refused /spool/kvt.dk/mail belongs to uid 60002, not 60001',
    'error maildrop.refused /spool/kvt.dk/shadow belongs to uid 0, not 60001',
    'error maildrop.refused /spool/kvt.dk/passwd belongs to uid 0, not 60001',
    'error maildrop.refused /spool/kvt.dk/device neither a file nor a directory',
    'error maildrop.refused /spool/kvt.dk/folder belongs to uid 0, not 60001',
    'error maildrop.refused /home/kvt_dk/Mail/mailbox belongs to uid 60002, not 60001',
    'info maildrop.none',
    'error maildrop.refused /spool/kvt.dk/mail belongs to uid 60002, not 60001',
  ]);
  assert.equal(fs.readFileSync(join(house.top, 'spool/other.dk/abc'), 'latin1'), mbox('not yours'));
});

test('mailboxes that are pipes, or that others can write', options, async (t) => {
  const house = ownerHouse(t);
  twoOwners(
    house,
    ['fifo', 'open', 'sticky', 'maildir', 'new', 'loose']
      .map((name) => line(name, kvt, name === 'loose' ? `${house.top}/home/loose` : '.'))
      .join(''),
  );
  execFileSync('mkfifo', ['-m', '600', join(house.top, 'spool/kvt.dk/fifo')]);
  fs.chownSync(join(house.top, 'spool/kvt.dk/fifo'), kvt.uid, kvt.gid);
  house.put('spool/kvt.dk/open', kvt, 0o602, mbox('mine'));
  house.put('spool/kvt.dk/maildir/new', kvt, 0o700);
  house.put('spool/kvt.dk/maildir', kvt, 0o707);
  house.put('spool/kvt.dk/new/new', kvt, 0o703);
  house.put('home/loose/Mail/mailbox', kvt, 0o600, mbox('mine'));
  house.put('home/loose/Mail', kvt, 0o777);
  const acts = ['fifo', 'open', 'maildir', 'new', 'loose'].map((name) => fetch(`${name}@kvt.dk`));
  const told = await house.act({ acts: [...acts, deliver('open@kvt.dk')] });
  assert.deepEqual(told, {
    outcomes: [
      'permanent',
      'permanent',
      'permanent',
      'permanent: /spool/kvt.dk/new/new: others can write to it (mode 0703)',
      'permanent',
      'temporary',
    ],
    lines: [
      'error maildrop.refused /spool/kvt.dk/fifo neither a file nor a directory',
      'error maildrop.refused /spool/kvt.dk/open others can write to it (mode 0602)',
      'error maildrop.refused /spool/kvt.dk/maildir others can write to it (mode 0707)',
      'error maildrop.refused /home/loose/Mail/mailbox /home/loose/Mail: others can write to it (mode 0777)',
      'error maildrop.refused /spool/kvt.dk/open others can write to it (mode 0602)',
    ],
  });
  // As in some spools: others may add names there, but not take away or change this one.
  house.put('home/loose/Mail', kvt, 0o1777);
  assert.deepEqual(await house.act({ acts: [fetch('loose@kvt.dk')] }), { outcomes: ['Subject: mine\n\nHello.\n'], lines: [] });
});

test("a folder of a Maildir that is a link to another's", options, async (t) => {
  const house = ownerHouse(t);
  twoOwners(house);
  fs.unlinkSync(join(house.top, 'spool/kvt.dk/abc'));
  house.put('spool/other.dk/box/new/1.M1P1.host', other, 0o644, 'Subject: not yours\n\n');
  house.put('spool/kvt.dk/abc/cur', kvt, 0o700);
  house.link('spool/kvt.dk/abc/new', '/spool/other.dk/box/new', kvt);
  assert.deepEqual(await house.act({ acts: [fetch('abc@kvt.dk')] }), {
    outcomes: ['permanent: /spool/kvt.dk/abc/new: belongs to uid 60002, not 60001'],
    lines: [],
  });
  // A message that is a link is none.
  fs.unlinkSync(join(house.top, 'spool/kvt.dk/abc/new'));
  house.link('spool/kvt.dk/abc/cur/1.M1P1.host', '/spool/other.dk/box/new/1.M1P1.host', kvt);
  house.put('spool/kvt.dk/abc/cur/2.M2P2.host', kvt, 0o600, 'Subject: mine\n\n');
  assert.deepEqual(await house.act({ acts: [fetch('abc@kvt.dk')] }), { outcomes: ['Subject: mine\n\n'], lines: [] });
});

test('a mailbox that changes between the look and the opening', options, async (t) => {
  const house = ownerHouse(t);
  twoOwners(house);
  const at = join(house.top, 'spool/kvt.dk/abc');
  const away = join(house.top, 'spool/kvt.dk/away');

  // Another's file, moved to where the owner's was: one that the kernel keeps from us, and one that it doesn't.
  house.put('spool/kvt.dk/away', other, 0o644, mbox('not yours'));
  assert.deepEqual(await house.act({ acts: [fetch('abc@kvt.dk')], swap: [at, away] }), {
    outcomes: ["temporary: EACCES: permission denied, open '/spool/kvt.dk/abc'"],
    lines: [],
  });
  fs.unlinkSync(at);
  house.put('spool/kvt.dk/abc', kvt, 0o600, mbox('mine'));
  house.put('spool/kvt.dk/away', { uid: other.uid, gid: kvt.gid }, 0o660, mbox('not yours'));
  assert.deepEqual(await house.act({ acts: [fetch('abc@kvt.dk')], swap: [at, away] }), {
    outcomes: ['permanent: /spool/kvt.dk/abc: belongs to uid 60002, not 60001'],
    lines: [],
  });

  fs.unlinkSync(at);
  house.put('spool/kvt.dk/abc', kvt, 0o600, mbox('mine'));
  house.link('spool/kvt.dk/away', '/spool/other.dk/abc', kvt);
  assert.deepEqual(await house.act({ acts: [fetch('abc@kvt.dk')], swap: [at, away] }), {
    outcomes: ['permanent: /spool/kvt.dk/abc: a link that uid 60001 made to a file of uid 60002'],
    lines: [],
  });

  fs.unlinkSync(at);
  house.put('spool/kvt.dk/abc', kvt, 0o600, mbox('mine'));
  execFileSync('mkfifo', ['-m', '644', away]);
  fs.chownSync(away, kvt.uid, kvt.gid);
  assert.deepEqual(await house.act({ acts: [fetch('abc@kvt.dk')], swap: [at, away] }), {
    outcomes: ['permanent: /spool/kvt.dk/abc: not a regular file'],
    lines: [],
  });

  // A mailbox that another program has rewritten meanwhile is no attack.
  fs.unlinkSync(at);
  house.put('spool/kvt.dk/abc', kvt, 0o600, mbox('mine'));
  house.put('spool/kvt.dk/away', kvt, 0o600, mbox('mine, rewritten'));
  assert.deepEqual(await house.act({ acts: [fetch('abc@kvt.dk')], swap: [at, away] }), {
    outcomes: ['Subject: mine, rewritten\n\nHello.\n'],
    lines: [],
  });
});

test("hard links: of another's mailbox, and of one's own", options, async (t) => {
  const house = ownerHouse(t);
  twoOwners(house, line('abc', kvt) + line('def', kvt));
  fs.linkSync(join(house.top, 'spool/other.dk/abc'), join(house.top, 'spool/kvt.dk/def'));
  fs.linkSync(join(house.top, 'spool/kvt.dk/abc'), join(house.top, 'home/kvt_dk/backup'));
  const told = await house.act({ acts: [fetch('def@kvt.dk'), deliver('def@kvt.dk'), fetch('abc@kvt.dk'), deliver('abc@kvt.dk')] });
  assert.deepEqual(told, {
    outcomes: ['permanent', 'temporary', 'Subject: mine\n\nHello.\n', 'temporary: /spool/kvt.dk/abc: has 2 hard links'],
    lines: [
      'error maildrop.refused /spool/kvt.dk/def belongs to uid 60002, not 60001',
      'error maildrop.refused /spool/kvt.dk/def belongs to uid 60002, not 60001',
    ],
  });
});

test('a mailbox of a user of the host is dot-locked in a folder of root and mail, by a process that is not in mail', options, async (t) => {
  const house = ownerHouse(t);
  const mail = { uid: 0, gid: 60012 };
  house.put('mail', mail, 0o2775);
  house.put('mail/kvt_dk', { uid: kvt.uid, gid: mail.gid }, 0o660, mbox('mine'));
  house.put('mail/other', { uid: other.uid, gid: mail.gid }, 0o660, mbox('not yours'));
  const acts: Act[] = ['kvt_dk', 'other', 'new'].map((user) => ({ act: 'deliver-system', user }));
  const refused = 'error maildrop.refused /mail/other belongs to uid 60002, not 60001';
  // Nothing but lock files is made so: a mailbox that isn't there is for the host to make.
  const notMade = "temporary: EACCES: permission denied, open '/mail/new'";
  assert.deepEqual(await house.act({ acts, identity: { ...kvt, lockGid: mail.gid } }), {
    outcomes: ['made /mail/kvt_dk.lock, removed /mail/kvt_dk.lock', 'temporary', notMade],
    lines: [refused],
  });
  assert.deepEqual(await house.act({ acts }), { outcomes: ['', 'temporary', notMade], lines: [refused] });
  assert.deepEqual(fs.readdirSync(join(house.top, 'mail')).sort(), ['kvt_dk', 'other']);
  const { uid, gid, mode } = fs.statSync(join(house.top, 'mail/kvt_dk'));
  assert.deepEqual([uid, gid, mode & 0o7777], [kvt.uid, mail.gid, 0o660]);
});

test("a passwd file that is not the owner's: refused by who asks whose it is, and by who reads it", options, async (t) => {
  const house = ownerHouse(t);
  twoOwners(house);
  const file = 'virtual/kvt.dk/passwd';
  const acts = [login('abc@kvt.dk'), lookUp('abc@kvt.dk'), login('root@kvt.dk'), login('abc@kvt.dk')];
  const table: [string, string, string][] = [
    [
      '/virtual/other.dk/passwd',
      '/virtual/kvt.dk: a folder of uid 60001 on the way to a file of uid 60002',
      'belongs to uid 60002, not 60001',
    ],
    [
      '/etc/passwd',
      '/virtual/kvt.dk: a folder of uid 60001 on the way to a file of uid 0',
      "belongs to root, who hasn't given it to uid 60001",
    ],
    [
      '/etc/shadow',
      '/virtual/kvt.dk: a folder of uid 60001 on the way to a file of uid 0',
      "EACCES: permission denied, open '/virtual/kvt.dk/passwd'",
    ],
  ];
  for (const [target, bySupervisor, byWorker] of table) {
    fs.unlinkSync(join(house.top, file));
    house.link(file, target, kvt);
    assert.equal(house.ownerOf('kvt.dk'), bySupervisor);
    // Not the words for a wrong password: the domain may have another owner by now, and who has the right one shall try again.
    assert.deepEqual(await house.act({ acts }), {
      outcomes: Array(4).fill(`temporary: /virtual/kvt.dk/passwd: ${byWorker}`),
      lines: [`error directory.unreadable /virtual/kvt.dk/passwd ${byWorker}`],
    });
  }
  // The owner of all mail that is nobody else's takes root's files; root's path to them is for the supervisor to see.
  const mails = await house.act({ identity: mailOwner, filesOf: 'mail-owner', acts: [lookUp('abc@other.dk')] });
  assert.deepEqual(mails, {
    outcomes: ['temporary: /virtual/other.dk/passwd: belongs to uid 60002, not 60008'],
    lines: ['error directory.unreadable /virtual/other.dk/passwd belongs to uid 60002, not 60008'],
  });
});

test("a passwd file of root's is for whom root's domain.toml names, and for nobody else", options, async (t) => {
  const house = ownerHouse(t);
  twoOwners(house);
  house.put('virtual/roots.dk', root, 0o755);
  house.put('virtual/roots.dk/passwd', root, 0o644, 'abc:abcpasswd\n');
  const acts = [login('abc@roots.dk')];
  const refused = (reason: string) => ({
    outcomes: [`temporary: /virtual/roots.dk/passwd: ${reason}`],
    lines: [`error directory.unreadable /virtual/roots.dk/passwd ${reason}`],
  });
  const admitted = { outcomes: ['abc@roots.dk'], lines: [] };
  const asMailOwner = { identity: mailOwner, filesOf: 'mail-owner' } as const;

  assert.equal(house.ownerOf('roots.dk'), '60008:60008');
  assert.deepEqual(await house.act({ acts, ...asMailOwner }), admitted);
  assert.deepEqual(await house.act({ acts }), refused("belongs to root, who hasn't given it to uid 60001"));

  house.put('virtual/roots.dk/domain.toml', root, 0o644, 'owner = "60001"\n');
  assert.equal(house.ownerOf('roots.dk'), '60001:60001');
  assert.deepEqual(await house.act({ acts }), admitted);
  assert.deepEqual(await house.act({ acts, ...asMailOwner }), refused('belongs to root, who has given it to uid 60001, not 60008'));

  // Not root's word: the owner of one domain gives himself no other.
  house.put('virtual/roots.dk/domain.toml', kvt, 0o644, 'owner = "60001"\n');
  assert.equal(house.ownerOf('roots.dk'), '60008:60008');
  assert.deepEqual(await house.act({ acts }), refused("belongs to root, who hasn't given it to uid 60001"));
});

test(
  'files of the domain that others can write, or that are no files: as a wrong password to who logs in, and said once',
  options,
  async (t) => {
    const house = ownerHouse(t);
    const acts = [login('abc@kvt.dk'), login('abc@kvt.dk', 'wrong'), login('nobody@kvt.dk'), lookUp('abc@kvt.dk')];
    const refused = (what: string, reason = `/virtual/kvt.dk/${what}`) => [...Array(3).fill(`auth: ${reason}`), `temporary: ${reason}`];
    const passwd = join(house.top, 'virtual/kvt.dk/passwd');
    twoOwners(house);

    const table: [string, number, string][] = [
      ['passwd', 0o602, 'passwd: others can write to it (mode 0602)'],
      ['passwd', 0o660, 'passwd: group 60001 can write to it (mode 0660)'],
    ];
    for (const [what, mode, reason] of table) {
      fs.chmodSync(passwd, mode);
      assert.deepEqual(await house.act({ acts }), {
        outcomes: refused(reason),
        lines: [`error directory.unreadable /virtual/kvt.dk/${what} ${reason.slice(what.length + 2)}`],
      });
    }
    fs.chmodSync(passwd, 0o600);
    fs.chmodSync(join(house.top, 'virtual/kvt.dk'), 0o703);
    assert.equal(house.ownerOf('kvt.dk'), '/virtual/kvt.dk: others can write to it (mode 0703)');
    assert.deepEqual((await house.act({ acts })).outcomes, refused('passwd: /virtual/kvt.dk: others can write to it (mode 0703)'));
    fs.chmodSync(join(house.top, 'virtual/kvt.dk'), 0o700);

    // Ten gigabytes that take no room: not a single octet is read.
    fs.truncateSync(passwd, 10_737_418_240);
    assert.equal(house.ownerOf('kvt.dk'), '60001:60001');
    assert.deepEqual((await house.act({ acts })).outcomes, refused('passwd: larger than 67108864 octets'));

    fs.unlinkSync(passwd);
    execFileSync('mkfifo', ['-m', '600', passwd]);
    fs.chownSync(passwd, kvt.uid, kvt.gid);
    assert.equal(house.ownerOf('kvt.dk'), '/virtual/kvt.dk/passwd: not a regular file');
    assert.deepEqual((await house.act({ acts })).outcomes, refused('passwd: not a regular file'));
    fs.unlinkSync(passwd);
    house.link('virtual/kvt.dk/passwd', '/dev/zero', kvt);
    assert.equal(house.ownerOf('kvt.dk'), '/dev/zero: not a regular file');
    assert.deepEqual((await house.act({ acts })).outcomes, refused('passwd: not a regular file'));
  },
);

test('settings of a domain and of an account that somebody else has written', options, async (t) => {
  const house = ownerHouse(t);
  twoOwners(house, line('abc', kvt) + line('def', kvt));
  house.put('virtual/kvt.dk/accounts/abc.toml', kvt, 0o600, 'disabled = false\n');
  house.put('virtual/kvt.dk/accounts/abc.toml', other, 0o644, 'verifiers = ["{PLAIN}mine"]\n');
  const acts = [login('abc@kvt.dk'), login('abc@kvt.dk', 'mine'), lookUp('abc@kvt.dk'), login('def@kvt.dk')];
  const file = '/virtual/kvt.dk/accounts/abc.toml';
  const reason = 'belongs to uid 60002, not 60001';
  assert.deepEqual(await house.act({ acts }), {
    outcomes: [`auth: ${file}: ${reason}`, `auth: ${file}: ${reason}`, `temporary: ${file}: ${reason}`, 'def@kvt.dk'],
    lines: [`error directory.unreadable ${file} ${reason}`],
  });
  house.put('virtual/kvt.dk/accounts/abc.toml', root, 0o644, 'disabled = true\n');
  house.put('virtual/kvt.dk/domain.toml', other, 0o644, 'unknown_users = "postmaster"\n');
  assert.deepEqual(await house.act({ acts: [login('def@kvt.dk')] }), {
    outcomes: [`auth: /virtual/kvt.dk/domain.toml: ${reason}`],
    lines: [`error directory.unreadable /virtual/kvt.dk/domain.toml ${reason}`],
  });
  house.put('virtual/kvt.dk/domain.toml', kvt, 0o600, '');
  assert.deepEqual(await house.act({ acts: [login('abc@kvt.dk'), login('def@kvt.dk')] }), {
    outcomes: ['auth: disabled', 'def@kvt.dk'],
    lines: [],
  });
});

test('settings of a domain and of an account that are no files, or far too large', options, async (t) => {
  const house = ownerHouse(t);
  const acts = [login('abc@kvt.dk'), login('abc@kvt.dk', 'wrong'), lookUp('abc@kvt.dk')];
  twoOwners(house);
  house.put('virtual/kvt.dk/accounts', kvt, 0o700);
  const denied = (file: string) => `EACCES: permission denied, open '/${file}'`;
  const ways: [make: (file: string) => void, outcome: 'auth' | 'temporary', reason: (file: string) => string][] = [
    [(file) => makePipe(house, file), 'auth', () => 'not a regular file'],
    [(file) => house.link(file, '/dev/zero', kvt), 'auth', () => 'not a regular file'],
    [(file) => house.put(file, kvt, 0o700), 'auth', () => 'not a regular file'],
    [(file) => house.link(file, '/etc/shadow', kvt), 'temporary', denied],
    // Ten gigabytes that take no room: not a single octet is read.
    [(file) => makeLarge(house, file), 'auth', () => 'larger than 1048576 octets'],
  ];
  for (const file of ['virtual/kvt.dk/domain.toml', 'virtual/kvt.dk/accounts/abc.toml']) {
    for (const [make, outcome, reason] of ways) {
      make(file);
      const why = `/${file}: ${reason(file)}`;
      assert.deepEqual(await house.act({ acts }), {
        outcomes: [`${outcome}: ${why}`, `${outcome}: ${why}`, `temporary: ${why}`],
        lines: [`error directory.unreadable /${file} ${reason(file)}`],
      });
      assert.equal(house.ownerOf('kvt.dk'), '60001:60001');
      fs.rmSync(join(house.top, file), { recursive: true });
    }
  }
});

test('a passwd file that changes between the look and the opening', options, async (t) => {
  const house = ownerHouse(t);
  twoOwners(house);
  const at = join(house.top, 'virtual/kvt.dk/passwd');
  const away = join(house.top, 'virtual/kvt.dk/away');
  const acts = [login('abc@kvt.dk', 'other'), login('abc@kvt.dk', 'other')];
  const swaps: [() => void, string][] = [
    [
      () => house.put('virtual/kvt.dk/away', other, 0o644, 'abc:other\n'),
      'temporary: /virtual/kvt.dk/passwd: belongs to uid 60002, not 60001',
    ],
    [() => house.put('virtual/kvt.dk/away', kvt, 0o646, 'abc:other\n'), 'auth: /virtual/kvt.dk/passwd: others can write to it (mode 0646)'],
    [
      () => house.link('virtual/kvt.dk/away', '/etc/passwd', kvt),
      "temporary: /virtual/kvt.dk/passwd: belongs to root, who hasn't given it to uid 60001",
    ],
    [() => house.link('virtual/kvt.dk/away', '/dev/zero', kvt), 'auth: /virtual/kvt.dk/passwd: not a regular file'],
    [() => execFileSync('mkfifo', ['-m', '644', away]), 'auth: /virtual/kvt.dk/passwd: not a regular file'],
  ];
  for (const [make, expected] of swaps) {
    fs.unlinkSync(at);
    house.put('virtual/kvt.dk/passwd', kvt, 0o600, line('abc', kvt));
    make();
    const { outcomes, lines } = await house.act({ acts, swap: [at, away] });
    assert.deepEqual([outcomes, lines.length], [[expected, expected], 1]);
  }
});
