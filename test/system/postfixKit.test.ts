/** `postkasse postfix` on a Postfix as Debian ships it and on one that somebody has edited: what is planned is done, once, and can be undone octet by octet. */
import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { postkasse, type Ran } from './support/cli.ts';
import { mailUser, makeDomain, makeFile, makeFolder, makeOwnersTree, makeUser, needsRoot, type UnixUser } from './support/owners.ts';
import { noPostfix } from './support/postfix.ts';
import type { Tree } from './support/server.ts';

const debian = '/usr/share/postfix';
const notDebian = existsSync(join(debian, 'main.cf.debian')) ? false : "the untouched main.cf is Debian's";
const options = { skip: needsRoot || noPostfix || notDebian, timeout: 120_000 };

interface Host {
  readonly tree: Tree;
  readonly kvt: UnixUser;
  /** The folder of main.cf. */
  readonly etc: string;
  run(...args: readonly string[]): Promise<Ran>;
}

/** kvt.dk is a user's, other.example the mail owner's. */
function makeHost(t: TestContext, edit: (main: string) => string = (main) => main): Host {
  const tree = makeOwnersTree(t);
  const kvt = makeUser(t, tree, { name: 'pk_kit_kvt', uid: 6071, group: 'users' });
  makeDomain(tree, kvt, 'kvt.dk', ['abc:{PLAIN}abcpasswd:UID:GID:abcname:.:', `kvt:{PLAIN}kvtpasswd:UID:GID:kvtname:${kvt.home}/:`]);
  makeFolder(kvt, join(kvt.home, 'Mail'));
  makeFile(mailUser, join(tree.folder, 'virtual', 'other.example', 'passwd'), 'x:{PLAIN}xpasswd\n');
  makeFolder(mailUser, join(tree.folder, 'spool', 'other.example'));
  const etc = join(tree.folder, 'etc');
  mkdirSync(etc);
  copyFileSync(join(debian, 'master.cf.dist'), join(etc, 'master.cf'));
  writeFileSync(join(etc, 'main.cf'), edit(readFileSync(join(debian, 'main.cf.debian'), 'utf8')));
  // Byte for byte is with owner and mode.
  chownSync(join(etc, 'main.cf'), 0, kvt.gid);
  chmodSync(join(etc, 'main.cf'), 0o640);
  const settings = `state_dir = "state"\nrun_dir = "run"\nuser = "${mailUser.uid}"\n[directory]\nroot = "virtual"\n[mailboxes]\nroot = "spool"\n[[listen]]\nprotocol = "lmtp"\naddress = "unix:run/lmtp"\n`;
  writeFileSync(join(tree.folder, 'postkasse.toml'), settings);
  const config = ['--config', join(tree.folder, 'postkasse.toml')];
  return {
    tree,
    kvt,
    etc,
    run: (act, ...args) => postkasse(['postfix', act ?? '', '--config-dir', etc, ...(act === 'rollback' ? [] : config), ...args]),
  };
}

/** Everything below a folder: owner, mode, and what is in it. */
function everything(folder: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    const path = join(entry.parentPath, entry.name);
    const { uid, gid, mode } = lstatSync(path);
    const content = entry.isFile() ? readFileSync(path, 'latin1') : '';
    found[path.slice(folder.length + 1)] = `${uid}:${gid} ${(mode & 0o7777).toString(8)} ${content}`;
  }
  return found;
}

/** As somebody leaves it who has run this host for years. */
const byHand = (main: string) => `${main}
# our customers
mydestination = $myhostname,
    localhost.$mydomain,
    localhost
virtual_mailbox_domains = theirs.example
   more.example
virtual_mailbox_base = /
virtual_mailbox_maps = texthash:/etc/postfix/theirs
virtual_uid_maps=static:5000
virtual_gid_maps=static:5000
virtual_transport = lmtp:unix:private/dovecot-lmtp
virtual_alias_maps = texthash:/etc/postfix/aliases-of-theirs
transport_maps = texthash:/etc/postfix/transport
home_mailbox = Maildir/
allow_mail_to_commands = alias,forward,include
`;

for (const [style, name, edit] of [
  ['lmtp', 'untouched', undefined],
  ['virtual', 'untouched', undefined],
  ['jth', 'untouched', undefined],
  ['virtual', 'edited by hand', byHand],
  ['jth-lmtp', 'edited by hand', byHand],
] as const) {
  test(`${style} on a Postfix that is ${name}: plan, apply, apply, rollback`, options, async (t) => {
    const { kvt, etc, run } = makeHost(t, edit);
    const before = { etc: everything(etc), home: everything(kvt.home) };
    const domains = style.startsWith('jth') ? ['--domain', 'kvt.dk'] : [];

    const plan = await run('plan', '--style', style, ...domains);
    assert.deepEqual([plan.status, plan.err], [0, '']);
    assert.match(plan.out, new RegExp(`^\\+\\+\\+ ${etc}/main\\.cf$`, 'm'));
    // Nothing that somebody has written goes away: each line of theirs is there still, or is the beginning of the new one.
    const gone = [...plan.out.matchAll(/^-(?!-)(.*)$/gm)].map(([, line = '']) => line.trim());
    const come = [...plan.out.matchAll(/^\+(?!\+)(.*)$/gm)].map(([, line = '']) => line);
    for (const word of gone.flatMap((line) => line.split(/[\s,=]+/)).filter((word) => word !== ''))
      assert.ok(
        come.some((line) => line.split(/[\s,=]+/).includes(word)),
        word,
      );
    assert.deepEqual({ etc: everything(etc), home: everything(kvt.home) }, before, 'plan changes nothing');

    const first = await run('apply', '--style', style, ...domains);
    assert.deepEqual([first.status, first.err], [0, '']);
    const applied = { etc: everything(etc), home: everything(kvt.home) };
    if (edit !== undefined && style === 'virtual') assertKept(etc);
    const second = await run('apply');
    assert.deepEqual([second.status, second.out, second.err], [0, 'nothing to change\n', '']);
    assert.deepEqual({ etc: everything(etc), home: everything(kvt.home) }, applied);

    const back = await run('rollback');
    assert.deepEqual([back.status, back.err], [0, '']);
    assert.deepEqual({ etc: everything(etc), home: everything(kvt.home) }, before);
  });
}

/** The lists of the administrator stay, with ours behind them. */
function assertKept(etc: string): void {
  const main = readFileSync(join(etc, 'main.cf'), 'utf8');
  const own = `hash:${etc}/postkasse`;
  for (const line of [
    `virtual_mailbox_domains = theirs.example more.example, ${own}/domains`,
    `virtual_mailbox_maps = texthash:/etc/postfix/theirs, ${own}/mailboxes`,
    // `static:` would answer for ours, too.
    `virtual_uid_maps = ${own}/uids, static:5000`,
    `virtual_gid_maps = ${own}/gids, static:5000`,
    'virtual_transport = lmtp:unix:private/dovecot-lmtp',
    'home_mailbox = Maildir/',
    '# our customers',
  ])
    assert.ok(main.split('\n').includes(line), `${line}\n${main}`);
}

test('each domain keeps the style it got; a new user comes with the next apply, and one who is gone goes', options, async (t) => {
  const { tree, kvt, etc, run } = makeHost(t);
  const passwd = join(kvt.home, 'domains', 'kvt.dk', 'passwd');
  assert.equal((await run('apply', '--style', 'jth', '--domain', 'kvt.dk')).status, 0);
  assert.equal((await run('apply', '--style', 'lmtp')).status, 0);
  const map = (name: string) =>
    readFileSync(join(etc, 'postkasse', name), 'utf8')
      .split('\n')
      .slice(2, -1);
  assert.deepEqual([map('domains'), map('virtual')], [['other.example lmtp'], ['kvt.dk anything', 'postmaster@kvt.dk postmaster']]);
  const lines = readFileSync(passwd, 'utf8');
  makeFile(kvt, passwd, lines.replace(/^abc:.*\n/, `ny:{PLAIN}x:${kvt.uid}:${kvt.gid}::.:\n`));
  makeFile(mailUser, join(tree.folder, 'virtual', 'other.example', 'passwd'), 'x:{PLAIN}xpasswd\ny:{PLAIN}y\n');
  const aliases = 'info: x\nsales-*: y, somebody@example.net\nfair: x, :expires:2020-01-01\n';
  makeFile(mailUser, join(tree.folder, 'virtual', 'other.example', 'aliases'), aliases);
  const applied = await run('apply');
  assert.equal(applied.status, 0, applied.err);
  assert.deepEqual(map('mailboxes'), ['info@other.example lmtp', 'x@other.example lmtp', 'y@other.example lmtp']);
  assert.deepEqual(map('mailboxes_regexp'), ['/^sales-[^@]*@other\\.example$/ lmtp']);
  const forwards = () =>
    readdirSync(kvt.home)
      .filter((name) => name.startsWith('.forward'))
      .sort();
  assert.deepEqual(forwards(), ['.forward', '.forward+kvt--kvt.dk', '.forward+ny--kvt.dk']);
  const { uid, gid, mode } = lstatSync(join(kvt.home, '.forward+ny--kvt.dk'));
  assert.deepEqual([uid, gid, mode & 0o7777], [kvt.uid, kvt.gid, 0o644]);
  // Back to before the user came, then to before the second style, then to the beginning.
  for (let n = 0; n < 3; n++) assert.equal((await run('rollback')).status, 0);
  assert.deepEqual(readdirSync(etc).sort(), ['main.cf', 'master.cf']);
  assert.deepEqual(forwards(), []);
});

test('what somebody has changed since, or written before, is not overwritten unasked', options, async (t) => {
  const { tree, kvt, etc, run } = makeHost(t);
  const own = join(kvt.home, '.forward+abc--kvt.dk');
  makeFile(kvt, own, 'somewhere@example.net\n');
  // The predecessor's own files are what ours come instead of.
  makeFile(kvt, join(kvt.home, '.forward+kvt--kvt.dk'), '|/usr/local/bin/virtual\n');
  makeFile(kvt, join(kvt.home, '.forward'), '|"exit 67"\n');
  const before = everything(kvt.home);
  const refused = await run('apply', '--style', 'jth', '--domain', 'kvt.dk');
  assert.deepEqual([refused.status, refused.out, refused.err], [1, '', `in the way: ${own} is somebody else's; --force replaces it\n`]);
  assert.equal(existsSync(join(etc, 'postkasse')), false);
  assert.equal((await run('apply', '--style', 'jth', '--domain', 'kvt.dk', '--force')).status, 0);
  assert.equal(readFileSync(join(kvt.home, '.forward'), 'utf8'), '|"exit 67"\n', 'as it should be already');

  const map = join(etc, 'postkasse', 'virtual');
  const written = readFileSync(map);
  writeFileSync(map, Buffer.concat([written, Buffer.from('mine@kvt.dk me\n')]));
  makeFile(mailUser, join(tree.folder, 'virtual', 'other.example', 'passwd'), 'x:{PLAIN}xpasswd\n');
  const edited = await run('apply');
  assert.deepEqual([edited.status, edited.err], [1, `in the way: ${map} was changed since it was written; --force replaces it\n`]);
  const back = await run('rollback');
  assert.deepEqual([back.status, back.err], [1, `${map} was changed since it was written; --force replaces it\n`]);
  assert.equal((await run('rollback', '--force')).status, 0);
  assert.deepEqual(everything(kvt.home), before);
});

test('what stands in the way is said, and nothing done', options, async (t) => {
  const { kvt, etc, run } = makeHost(t, (main) => `${main}mydestination = $myhostname, KVT.dk, kvt.dk\n`);
  const plan = await run('plan', '--style', 'lmtp');
  assert.equal(plan.status, 1);
  assert.equal(plan.err, 'in the way: kvt.dk stands in mydestination, too: take it out there\n');
  assert.equal((await run('apply', '--style', 'lmtp')).status, 1);
  assert.deepEqual(readdirSync(etc).sort(), ['main.cf', 'master.cf']);
  // A link that an owner has laid leads nowhere.
  symlinkSync('/etc/shadow', join(kvt.home, '.forward'));
  const link = await run('plan', '--style', 'jth', '--domain', 'kvt.dk');
  assert.deepEqual([link.status, link.out, link.err], [69, '', `postkasse: ${kvt.home}/.forward is no file of its own\n`]);
});

test('only root changes things; anybody who can read may look', options, async (t) => {
  const { tree, etc, run } = makeHost(t);
  chmodSync(join(etc, 'main.cf'), 0o644);
  const through = ['setpriv', `--reuid=${mailUser.uid}`, `--regid=${mailUser.gid}`, '--clear-groups'];
  const args = ['--config-dir', 'etc', '--config', 'postkasse.toml', '--style', 'lmtp', '--domain', 'other.example'];
  const as = (act: string) => postkasse(['postfix', act, ...args], { through, cwd: tree.folder });
  const plan = await as('plan');
  assert.equal(plan.status, 0, plan.err);
  assert.match(plan.out, /^\+x@other\.example lmtp$/m);
  assert.ok(plan.out.split('\n').includes(`  after:  hash:${etc}/postkasse/domains`), plan.out);
  const apply = await as('apply');
  assert.deepEqual([apply.status, apply.out, apply.err], [77, '', 'postkasse: only root can do this\n']);
  assert.equal((await run('rollback')).out, 'nothing to put back\n');
});
