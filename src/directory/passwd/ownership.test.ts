/** Whose domain is whose, and each way in which an owner might have it otherwise. Needs root to make files of others. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type DomainName, parseDomainName } from '../../model/address.ts';
import { type Disk, disk } from '../../os/disk.ts';
import type { SystemUser } from '../../os/users.ts';
import { createOwnership, type OwnershipOptions } from './ownership.ts';

const skip = process.getuid?.() === 0 ? false : 'needs root';

/** kvt_dk is in mail (8) by the host's group file; other has no line in the passwd file; rootgroup's primary group is root's. */
const [kvt, other, rootgroup] = [60001, 60002, 60003];
const users: ReadonlyMap<number, Partial<SystemUser> & { groups: readonly number[] }> = new Map([
  [kvt, { name: 'kvt_dk', uid: kvt, gid: 60101, groups: [60101, 8] }],
  [rootgroup, { name: 'rootgroup', uid: rootgroup, gid: 0, groups: [0] }],
]);
const mailOwner = { uid: 8, gid: 12, name: 'mail' };

interface House {
  readonly top: string;
  /** A folder, or a file with this text, of that owner; what is missing above it is root's. */
  put(path: string, uid: number, mode: number, text?: string, gid?: number): void;
  link(path: string, target: string, uid: number): void;
  /** `uid:gid name`, `none`, or the reason without the folder of the test. */
  owner(domain?: string): string;
}

function house(t: TestContext, changes: Partial<OwnershipOptions> = {}): House {
  const top = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), 'ownership-')));
  t.after(() => fs.rmSync(top, { recursive: true }));
  const ownership = createOwnership({
    root: join(top, 'virtual'),
    passwdFile: 'passwd',
    mailOwner,
    minUid: 1,
    users: {
      getpwuid: (uid) => users.get(uid) as SystemUser | undefined,
      getgrouplist: (name) => [...users.values()].find((user) => user.name === name)?.groups ?? [],
    },
    ...changes,
  });
  return {
    top,
    put(path, uid, mode, text, gid = uid) {
      const whole = join(top, path);
      fs.mkdirSync(dirname(whole), { recursive: true });
      if (text === undefined) fs.mkdirSync(whole, { recursive: true });
      else fs.writeFileSync(whole, text);
      fs.chownSync(whole, uid, gid);
      fs.chmodSync(whole, mode);
    },
    link(path, target, uid) {
      fs.mkdirSync(dirname(join(top, path)), { recursive: true });
      fs.symlinkSync(target.startsWith('/home') ? join(top, target) : target, join(top, path));
      fs.lchownSync(join(top, path), uid, uid);
    },
    owner(domain = 'kvt.dk') {
      const found = ownership.ownerOf(parseDomainName(domain) as DomainName);
      if (found.kind === 'none') return 'none';
      if (found.kind === 'refused') return found.reason.replaceAll(top, '');
      return `${found.owner.uid}:${found.owner.gid} ${found.owner.name}`;
    },
  };
}

test('a domain belongs to the owner of its passwd file', { skip }, (t) => {
  const { put, link, owner } = house(t);
  assert.equal(owner(), 'none');
  put('virtual/kvt.dk', kvt, 0o700);
  assert.equal(owner(), 'none');
  put('virtual/kvt.dk/passwd', kvt, 0o600, 'kvt:kvtpasswd:60001:8::.:');
  assert.equal(owner(), '60001:60101 kvt_dk');

  // A52: the file may rest at the owner's home; so may the whole folder.
  put('home/kvt_dk', kvt, 0o700);
  put('home/kvt_dk/vpasswd', kvt, 0o600, '');
  link('virtual/second.dk/passwd', '/home/kvt_dk/vpasswd', 0);
  link('virtual/third.dk', '/home/kvt_dk', kvt);
  link('home/kvt_dk/passwd', 'vpasswd', kvt);
  assert.equal(owner('second.dk'), '60001:60101 kvt_dk');
  assert.equal(owner('third.dk'), '60001:60101 kvt_dk');
  assert.equal(owner('fourth.dk'), 'none');
});

test('the group is that of the file, where the user is in it', { skip }, (t) => {
  const { put, owner } = house(t);
  const table: [number, number, string][] = [
    [kvt, 60101, '60001:60101 kvt_dk'],
    [kvt, 8, '60001:8 kvt_dk'],
    [kvt, 60999, '60001:60101 kvt_dk'],
    [kvt, 0, '60001:60101 kvt_dk'],
    // Without a line in the host's passwd file nobody else can say.
    [other, 60999, '60002:60999 undefined'],
    [other, 0, "/virtual/kvt.dk/passwd: belongs to uid 60002, and the group is root's"],
    [rootgroup, 60999, "/virtual/kvt.dk/passwd: belongs to uid 60003, and the group is root's"],
    // As the settings say, whatever the file's group.
    [mailOwner.uid, 60999, '8:12 mail'],
  ];
  for (const [uid, gid, expected] of table) {
    put('virtual/kvt.dk/passwd', uid, 0o600, '', gid);
    assert.deepEqual([uid, gid, owner()], [uid, gid, expected]);
  }
});

test("a passwd file of root's is the host's own: for whom domain.toml names, else for the owner of all mail", { skip }, (t) => {
  const { put, owner } = house(t, { minUid: 500 });
  put('virtual/kvt.dk/passwd', 0, 0o640, '', 8);
  assert.equal(owner(), '8:12 mail');
  const table: [string, string][] = [
    ['language = "da"', '8:12 mail'],
    ['owner = "60601:100"', '60601:100 undefined'],
    ['# whose\nowner = "60001:8"', '60001:8 undefined'],
    ['owner = "nobody"', `${ids('nobody')} nobody`],
    ['owner = "nobody:60101"', `${ids('nobody').split(':')[0]}:60101 nobody`],
    ['owner = "60001"', '60001:60001 undefined'],
    ['owner = "8"', `${ids('mail')} mail`],
    ['owner = "root"', 'domain.toml:1: owner: mail is never handled as root'],
    ['owner = "0:8"', 'domain.toml:1: owner: mail is never handled as root'],
    ['owner = "60601:0"', 'domain.toml:1: owner: mail is never handled as root'],
    ['owner = "499"', 'domain.toml:1: owner: uid 499 must not own mail'],
    ['\nowner = "no-such-user-here"', 'domain.toml:2: owner: the host has no user no-such-user-here'],
    ['owner = "60601:no-such-group-here"', 'domain.toml:1: owner: the host has no group no-such-group-here'],
    ['owner = "60601:100:7"', 'domain.toml:1: owner: must be "user" or "user:group"'],
    ['owner = ""', 'domain.toml:1: owner: the host has no user '],
    ['owner = 60601', 'domain.toml:1: owner: must be a string'],
    ['owner = "60601\n', 'domain.toml:1: Invalid TOML document: control characters are not allowed in strings'],
  ];
  for (const [text, expected] of table) {
    put('virtual/kvt.dk/domain.toml', 0, 0o644, text);
    assert.deepEqual([text, owner()], [text, expected.replace(/^domain\.toml/, '/virtual/kvt.dk/domain.toml')]);
  }
});

test("domain.toml decides only where it is root's, and nobody else's to write", { skip }, (t) => {
  const { top, put, link, owner } = house(t);
  put('virtual/kvt.dk/passwd', 0, 0o640, '');
  put('virtual/kvt.dk/domain.toml', other, 0o644, 'owner = "60002"');
  assert.equal(owner(), '8:12 mail');
  put('virtual/kvt.dk/domain.toml', 0, 0o666, 'owner = "60002"');
  assert.equal(owner(), '/virtual/kvt.dk/domain.toml: others can write to it (mode 0666)');
  put('virtual/kvt.dk/domain.toml', 0, 0o664, 'owner = "60002"', 100);
  assert.equal(owner(), '/virtual/kvt.dk/domain.toml: group 100 can write to it (mode 0664)');
  fs.unlinkSync(join(top, 'virtual/kvt.dk/domain.toml'));
  put('virtual/other.dk/domain.toml', 0, 0o644, 'owner = "60002"');
  link('virtual/kvt.dk/domain.toml', '../other.dk/domain.toml', other);
  assert.equal(owner(), '/virtual/kvt.dk/domain.toml: a link of uid 60002 on the way to a file of uid 0');
  // The owner of a domain gives it to nobody else.
  put('virtual/own.dk', kvt, 0o700);
  put('virtual/own.dk/passwd', kvt, 0o600, '');
  put('virtual/own.dk/domain.toml', kvt, 0o600, 'owner = "60002"');
  assert.equal(owner('own.dk'), '60001:60101 kvt_dk');
  put('virtual/own.dk/domain.toml', 0, 0o600, 'owner = "60002"');
  assert.equal(owner('own.dk'), '60001:60101 kvt_dk');
});

test('uids too small own no domain', { skip }, (t) => {
  const { put, owner } = house(t, { minUid: 60002 });
  put('virtual/kvt.dk/passwd', kvt, 0o600, '');
  assert.equal(owner(), '/virtual/kvt.dk/passwd: belongs to uid 60001, which is below 60002');
  put('virtual/kvt.dk/passwd', other, 0o600, '');
  assert.equal(owner(), '60002:60002 undefined');
  put('virtual/kvt.dk/passwd', mailOwner.uid, 0o600, '');
  assert.equal(owner(), '8:12 mail');
});

test('who else may write on the way is a reason to refuse', { skip }, (t) => {
  const { top, put, owner } = house(t);
  const file = 'virtual/kvt.dk/passwd';
  put('virtual/kvt.dk', kvt, 0o700);
  put(file, kvt, 0o600, '');
  const good = '60001:60101 kvt_dk';
  const table: [string, number, number, string][] = [
    [file, 0o602, 60101, '/virtual/kvt.dk/passwd: others can write to it (mode 0602)'],
    [file, 0o660, 60101, '/virtual/kvt.dk/passwd: group 60101 can write to it (mode 0660)'],
    [file, 0o660, 0, good],
    [file, 0o644, 60101, good],
    ['virtual/kvt.dk', 0o707, 60101, '/virtual/kvt.dk: others can write to it (mode 0707)'],
    ['virtual/kvt.dk', 0o770, 60101, '/virtual/kvt.dk: group 60101 can write to it (mode 0770)'],
    // Others may add a name, and a second name of somebody's file is one.
    ['virtual/kvt.dk', 0o1777, 60101, '/virtual/kvt.dk: others can write to it (mode 1777)'],
    ['virtual', 0o777, 0, '/virtual: others can write to it (mode 0777)'],
    ['virtual', 0o775, 0, good],
    ['virtual', 0o775, 50, '/virtual: group 50 can write to it (mode 0775)'],
    // Nobody can take away a folder that belongs to another here, nor make one that does.
    ['virtual', 0o1777, 0, good],
  ];
  for (const [path, mode, gid, expected] of table) {
    const before = fs.statSync(join(top, path));
    fs.chownSync(join(top, path), before.uid, gid);
    fs.chmodSync(join(top, path), mode);
    assert.deepEqual([path, mode.toString(8), owner()], [path, mode.toString(8), expected]);
    fs.chownSync(join(top, path), before.uid, before.gid);
    fs.chmodSync(join(top, path), before.mode & 0o7777);
  }
  put('virtual/kvt.dk/accounts', kvt, 0o703);
  assert.equal(owner(), '/virtual/kvt.dk/accounts: others can write to it (mode 0703)');
  put('virtual/kvt.dk/accounts', kvt, 0o700);
  assert.equal(owner(), good);
});

test("an owner's folder or link leads to nobody else's file", { skip }, (t) => {
  const { top, put, link, owner } = house(t);
  put('home/kvt_dk', kvt, 0o755);
  put('home/other', other, 0o755);
  put('home/other/passwd', other, 0o644, 'abc:abcpasswd:60002:60002::.:');
  put('home/roots', 0, 0o644, '');

  put('virtual/link.dk', kvt, 0o700);
  link('virtual/link.dk/passwd', '/home/other/passwd', kvt);
  assert.equal(owner('link.dk'), '/virtual/link.dk: a folder of uid 60001 on the way to a file of uid 60002');

  // In a folder of root's only the link is the owner's.
  link('virtual/link2.dk/passwd', '/home/other/passwd', kvt);
  assert.equal(owner('link2.dk'), '/virtual/link2.dk/passwd: a link of uid 60001 on the way to a file of uid 60002');

  // A link of root's leads into an owner's home, and from there goes on.
  link('virtual/second.dk/passwd', '/home/kvt_dk/passwd', 0);
  link('home/kvt_dk/passwd', '../other/passwd', kvt);
  assert.equal(owner('second.dk'), '/home/kvt_dk: a folder of uid 60001 on the way to a file of uid 60002');

  link('virtual/folder.dk', '/home/other', kvt);
  assert.equal(owner('folder.dk'), '/virtual/folder.dk: a link of uid 60001 on the way to a file of uid 60002');

  put('virtual/hard.dk', kvt, 0o700);
  fs.linkSync(join(top, 'home/other/passwd'), join(top, 'virtual/hard.dk/passwd'));
  assert.equal(owner('hard.dk'), '/virtual/hard.dk: a folder of uid 60001 on the way to a file of uid 60002');

  for (const [domain, target] of [
    ['shadow.dk', '/etc/shadow'],
    ['passwd.dk', '/etc/passwd'],
    ['roots.dk', '/home/roots'],
  ] as const) {
    put(`virtual/${domain}`, kvt, 0o700);
    link(`virtual/${domain}/passwd`, target, kvt);
    assert.equal(owner(domain), `/virtual/${domain}: a folder of uid 60001 on the way to a file of uid 0`);
  }
  link('virtual/direct.dk/passwd', '/etc/passwd', kvt);
  assert.equal(owner('direct.dk'), '/virtual/direct.dk/passwd: a link of uid 60001 on the way to a file of uid 0');
  // Also where the owner of the folder would be who acts: what is root's must be so all along.
  put('virtual/mails.dk', mailOwner.uid, 0o755);
  put('virtual/mails.dk/passwd', 0, 0o644, '');
  assert.equal(owner('mails.dk'), '/virtual/mails.dk: a folder of uid 8 on the way to a file of uid 0');
  // What root links to is root's business.
  link('virtual/trusted.dk/passwd', '/home/roots', 0);
  assert.equal(owner('trusted.dk'), '8:12 mail');
});

test('what is no file is refused without being opened', { skip }, (t) => {
  const opened: string[] = [];
  const watching: Disk = {
    ...disk,
    open(path, flags, mode) {
      opened.push(path);
      return disk.open(path, flags, mode);
    },
  };
  const { top, put, link, owner } = house(t, { disk: watching });
  put('virtual/folder.dk/passwd', kvt, 0o700);
  put('virtual/fifo.dk', kvt, 0o700);
  execFileSync('mkfifo', [join(top, 'virtual/fifo.dk/passwd')]);
  link('virtual/device.dk/passwd', '/dev/null', 0);
  link('virtual/loop.dk/passwd', 'passwd', kvt);
  assert.equal(owner('folder.dk'), '/virtual/folder.dk/passwd: not a regular file');
  assert.equal(owner('fifo.dk'), '/virtual/fifo.dk/passwd: not a regular file');
  assert.equal(owner('device.dk'), '/dev/null: not a regular file');
  assert.equal(owner('loop.dk'), "/virtual/loop.dk: can't be looked at: ELOOP");

  // Nor is what an owner has written.
  put('virtual/kvt.dk/passwd', kvt, 0o600, '');
  put('virtual/kvt.dk/domain.toml', kvt, 0o600, 'owner = "60002"');
  assert.equal(owner(), '60001:60101 kvt_dk');
  put('virtual/given.dk/passwd', 0, 0o600, '');
  put('virtual/given.dk/domain.toml', kvt, 0o600, 'owner = "60002"');
  assert.equal(owner('given.dk'), '8:12 mail');
  assert.deepEqual(opened, []);
});

test('a link that changes while it is looked at, and a disc that fails, are refused', { skip }, (t) => {
  const failing = (code: string): never => {
    throw Object.assign(new Error(code), { code });
  };
  const changing = house(t, { disk: { ...disk, readlink: () => failing('EINVAL') } });
  changing.link('virtual/kvt.dk', '/home/kvt_dk', kvt);
  assert.equal(changing.owner(), "/virtual/kvt.dk: can't be looked at: EINVAL");
  const dead = house(t, { disk: { ...disk, lstat: () => failing('EIO') } });
  assert.equal(dead.owner(), "/virtual/kvt.dk: can't be looked at: EIO");
});

test('folders that may be domains', { skip }, (t) => {
  const { top, put } = house(t);
  const of = (root: string) => createOwnership({ root, passwdFile: 'passwd', mailOwner, minUid: 1 }).domains();
  assert.deepEqual(of(join(top, 'virtual')), []);
  for (const name of ['kvt.dk', 'KVT.dk', '.hidden', 'a b', 'localhost']) put(`virtual/${name}`, 0, 0o755);
  assert.deepEqual([...of(join(top, 'virtual'))].sort(), ['kvt.dk', 'localhost']);
});

/** As the host's own passwd file has it. */
function ids(name: string): string {
  const line = fs
    .readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((text) => text.startsWith(`${name}:`));
  return line?.split(':').slice(2, 4).join(':') ?? 'none';
}
