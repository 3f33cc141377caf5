/** The command line where domains have owners: root sees whose process would act and looks with that user's eyes, an owner looks after the own mail. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { postkasse } from './support/cli.ts';
import { writeMbox } from './support/nastyMail.ts';
import { give, mailUser, needsRoot, predecessorHost } from './support/owners.ts';
import { missing } from './support/programs.ts';
import { writeSettings } from './support/server.ts';

const options = { skip: needsRoot || missing('setpriv', 'util-linux'), timeout: 180_000 };

test('explain and mailbox path, as root and as the owner, while no server has ever run', options, async (t) => {
  const host = await predecessorHost(t, [
    ['pk_cli_kvt', 6061],
    ['pk_cli_lene', 6062],
    ['pk_cli_given', 6063],
  ]);
  const { tree, kvt, given, accounts } = host;
  const { settingsFile } = await writeSettings({ tree, protocols: ['pop3'] });
  const inTree = (path: string) => join(tree.folder, path);
  for (const { mailbox, format, owner } of accounts) {
    if (format === 'mbox') writeMbox(inTree(mailbox), []);
    give(inTree(mailbox.replace(/\/[^/]*$/, '')), owner);
  }
  const asKvt = ['setpriv', '--reuid', String(kvt.uid), '--regid', String(kvt.gid), '--clear-groups'];
  const run = (args: readonly string[], through: readonly string[] = []) => postkasse([...args, '--config', settingsFile], { through });
  const lines = (...text: string[]) => ({ status: 0, out: `${text.join('\n')}\n`, err: '' });

  const ofKvt = [
    'login name: user kvt, domain kvt.dk',
    'account kvt@kvt.dk: found',
    `passwd file: ${inTree('virtual/kvt.dk/passwd')}, which is ${kvt.home}/passwd, line 2`,
    'password: clear text',
    `account: kvt@kvt.dk, uid ${kvt.uid}, gid 8, home ${kvt.home}`,
    `${kvt.home}/Mail/mailbox: mbox`,
    `mailbox: ${kvt.home}/Mail/mailbox (mbox)`,
  ];
  assert.deepEqual(await run(['explain', 'kvt@kvt.dk']), lines(`owner: pk_cli_kvt (uid ${kvt.uid}, gid 8)`, ...ofKvt));
  assert.deepEqual(await run(['explain', 'kvt%kvt.dk'], asKvt), lines(...ofKvt));
  for (const [name, password, owner] of [
    ['jens@vm.example', 'a hash', `mail (uid ${mailUser.uid}, gid ${mailUser.gid})`],
    ['post@given.example', 'clear text', `pk_cli_given (uid ${given.uid}, gid ${given.gid})`],
  ] as const) {
    const [user, domain] = name.split('@');
    assert.deepEqual(
      await run(['explain', name]),
      lines(
        `owner: ${owner}`,
        `login name: user ${user}, domain ${domain}`,
        `account ${name}: found`,
        `passwd file: ${inTree(`virtual/${domain}/passwd`)}, line 1`,
        `password: ${password}`,
        `account: ${name}, no uid given, home none`,
        `${inTree(`spool/${domain}/${user}`)}: mbox`,
        `mailbox: ${inTree(`spool/${domain}/${user}`)} (mbox)`,
      ),
    );
  }
  assert.deepEqual(await run(['explain', 'x@nowhere.example']), {
    status: 67,
    out: 'login name: user x, domain nowhere.example\naccount x@nowhere.example: not a domain of ours\naccount: none\n',
    err: '',
  });
  assert.deepEqual(await run(['explain', 'x@kvt.dk']), {
    status: 67,
    out: `owner: pk_cli_kvt (uid ${kvt.uid}, gid 8)\nlogin name: user x, domain kvt.dk\naccount x@kvt.dk: no such user\naccount: none\n`,
    err: '',
  });

  for (const { address, mailbox } of accounts) assert.deepEqual(await run(['mailbox', 'path', address]), lines(inTree(mailbox)));
  assert.deepEqual(await run(['mailbox', 'path', 'abc@kvt.dk'], asKvt), lines(inTree('spool/kvt.dk/abc')));
  // What is another's, the kernel keeps from him, as it does from his process.
  for (const args of [
    ['explain', 'lene@lene.example'],
    ['mailbox', 'path', 'post@given.example'],
  ]) {
    const { status, out, err } = await run(args, asKvt);
    assert.deepEqual({ status, out }, { status: 75, out: '' });
    assert.match(err, /^postkasse: accounts can not be looked up just now\n {2}\S+\/passwd: EACCES: permission denied, /);
  }
  // Looking leaves nothing behind.
  assert.deepEqual([existsSync(inTree('state')), existsSync(inTree('run'))], [false, false]);
});

test('a domain that nobody may act for: the command says why', options, async (t) => {
  const { tree, kvt } = await predecessorHost(t, [
    ['pk_cli2_kvt', 6066],
    ['pk_cli2_lene', 6067],
    ['pk_cli2_given', 6068],
  ]);
  const { settingsFile } = await writeSettings({ tree, protocols: ['pop3'] });
  const link = join(tree.folder, 'virtual', 'kvt.dk');
  give(link, { uid: 6067, gid: 8 });
  for (const args of [
    ['explain', 'kvt@kvt.dk'],
    ['mailbox', 'path', 'kvt@kvt.dk'],
    ['mailbox', 'convert', 'kvt@kvt.dk', '--to', 'maildir'],
  ]) {
    assert.deepEqual(await postkasse([...args, '--config', settingsFile]), {
      status: 69,
      out: '',
      err: `postkasse: nobody may act for this domain\n  ${link}: a folder of uid 6067 on the way to a file of uid ${kvt.uid}\n`,
    });
  }
});
