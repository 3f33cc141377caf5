/**
 * A domain owner who writes in the own tree whatever is possible there, against a whole server that root has started: what the attacker's
 * clients are told, what the log says, and that nothing of the honest owner's changes or is served to anybody else.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, linkSync, mkdirSync, renameSync, symlinkSync, truncateSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { AttackHouse, lineOf, mbox, password } from './support/attackHouse.ts';
import { makeFile, makeFolder, needsRoot as skip } from './support/owners.ts';
import { Pop3Client } from './support/pop3Client.ts';

const accountsUnknown = '-ERR [SYS/TEMP] accounts can not be looked up just now';
const wrong = '-ERR [AUTH] authentication failed';
const unusable = '-ERR [SYS/PERM] the mailbox can not be used';
const deferred = '451 4.3.0 accounts can not be looked up just now';
const heldBack = '451 4.3.0 the mailbox can not be used';

test('a domain owner who tries to act as somebody else, or to read what is not his', { skip, timeout: 180_000 }, async (t) => {
  const house = await AttackHouse.open(t, { honest: { name: 'pk_honest', uid: 64201 }, attacker: { name: 'pk_attacker', uid: 64202 } });
  const { honest, attacker } = house;
  const make = (what: string, path: string, mode = '600') => {
    execFileSync(what, ['-m', mode, path]);
    chownSync(path, attacker.uid, attacker.gid);
  };

  await t.test('uids and gids of others in the passwd file', async () => {
    const lines = [
      lineOf('other', { uid: String(honest.uid) }),
      lineOf('root', { uid: '0', gid: '0' }),
      lineOf('shadow', { gid: '42' }),
      lineOf('gid0', { gid: '0' }),
    ];
    house.domain('uids.dk', lines);
    const refused = (user: string, line: number, uid: number, reason: string) =>
      `directory.refused-uid account=${user}@uids.dk file=/virtual/uids.dk/passwd line=${line} uid=${uid} processUid=64202 reason="${reason}"`;
    const told = await house.during(async () => {
      assert.deepEqual(await house.session('other@uids.dk', 'STAT'), [wrong, '-ERR log in first']);
      assert.deepEqual(await house.session('root@uids.dk', 'STAT'), [wrong, '-ERR log in first']);
      // Served, as the attacker: what the group of the line could touch is out of reach.
      assert.deepEqual(await house.session('shadow@uids.dk'), ['+OK 0 messages (0 octets)']);
      assert.deepEqual(await house.session('gid0@uids.dk'), ['+OK 0 messages (0 octets)']);
      assert.equal(await house.deliver('other@uids.dk'), deferred);
      assert.equal(await house.deliver('root@uids.dk'), deferred);
      assert.match(await house.deliver('gid0@uids.dk'), /^250 /);
    });
    const [other, root] = [
      refused('other', 1, honest.uid, 'uid 64201 is not the 64202 that this process runs as'),
      refused('root', 2, 0, 'uid 0 never owns mail'),
    ];
    const gid = 'directory.foreign-gid account=shadow@uids.dk file=/virtual/uids.dk/passwd line=3 gid=42 used=8';
    assert.deepEqual(told, [other, root, gid, other, root]);
    assert.deepEqual(house.ownersIn('spool/uids.dk'), ['eve 64202:8', 'gid0 64202:8']);
  });

  await t.test('names and homes that climb', async () => {
    const homes = { up: `${attacker.home}/../pk_honest`, straight: honest.home, relative: '../../spool/honest.dk' };
    house.domain('climb.dk', [
      lineOf('../honest.dk/ada'),
      lineOf('..'),
      ...Object.entries(homes).map(([user, home]) => lineOf(user, { home })),
    ]);
    makeFile(honest, join(honest.home, 'Mail', 'mailbox'), mbox('for the honest alone'));
    house.openForAll(honest.home);
    const told = await house.during(async () => {
      for (const login of [
        '../honest.dk/ada@climb.dk',
        '..@climb.dk',
        'ada@climb.dk/../honest.dk',
        'ada@..',
        'ada@./honest.dk',
        'ada@honest.dk/',
      ])
        assert.deepEqual(await house.session(login, 'STAT'), [wrong, '-ERR log in first'], login);
      assert.deepEqual(await house.session('up@climb.dk'), [unusable]);
      assert.deepEqual(await house.session('straight@climb.dk'), [unusable]);
      assert.deepEqual(await house.session('relative@climb.dk'), ['+OK 0 messages (0 octets)']);
      assert.equal(await house.deliver('up@climb.dk'), heldBack);
    });
    const refused = (user: string) =>
      `maildrop.refused mailbox=${user}@climb.dk path=/home/pk_honest/Mail/mailbox reason="belongs to uid 64201, not 64202"`;
    assert.deepEqual(told, [
      'directory.skipped-line file=/virtual/climb.dk/passwd line=1 reason="not a user name"',
      'directory.skipped-line file=/virtual/climb.dk/passwd line=2 reason="not a user name"',
      refused('up'),
      refused('straight'),
      refused('up'),
    ]);
  });

  await t.test("mailboxes that lead to others', or to what is no file", async () => {
    makeFolder(honest, house.path('spool', 'honest.dk', 'maildir'));
    makeFile(honest, house.path('spool', 'honest.dk', 'maildir', 'cur', '1.a.b:2,S'), 'Subject: for the honest alone\n\n');
    house.openForAll(house.path('spool', 'honest.dk'));
    const anothers = 'belongs to uid 64201, not 64202';
    const roots = 'belongs to uid 0, not 64202';
    const noFile = 'neither a file nor a directory';
    const links: [user: string, target: string, reason: string][] = [
      ['mail', house.path('spool', 'honest.dk', 'ada'), anothers],
      ['maildir', house.path('spool', 'honest.dk', 'maildir'), anothers],
      ['shadow', '/etc/shadow', roots],
      ['passwd', '/etc/passwd', roots],
      ['folder', '/etc', roots],
      ['zero', '/dev/zero', noFile],
      ['tty', '/dev/tty', noFile],
      ['fifo', '', noFile],
    ];
    house.domain(
      'links.dk',
      links.map(([user]) => lineOf(user)),
    );
    for (const [user, target] of links) if (target !== '') house.link(['spool', 'links.dk', user], target);
    make('mkfifo', house.path('spool', 'links.dk', 'fifo'));
    for (const [user, , reason] of links) {
      const told = await house.during(async () => {
        assert.deepEqual(await house.session(`${user}@links.dk`, 'RETR 1'), [unusable, '-ERR log in first'], user);
        assert.equal(await house.deliver(`${user}@links.dk`), heldBack, user);
      });
      const line = `maildrop.refused mailbox=${user}@links.dk path=/spool/links.dk/${user} reason="${reason}"`;
      assert.deepEqual(told, [line, line]);
    }
  });

  await t.test("a Maildir with a folder that is another's", async () => {
    house.domain('maildirs.dk', [lineOf('cur'), lineOf('new')]);
    for (const user of ['cur', 'new']) {
      house.folder('spool', 'maildirs.dk', user);
      for (const folder of ['cur', 'new', 'tmp']) house.folder('spool', 'maildirs.dk', user, folder);
      house.link(['spool', 'maildirs.dk', user, user], house.path('spool', 'honest.dk', 'maildir', 'cur'));
      const told = await house.during(async () => {
        assert.deepEqual(await house.session(`${user}@maildirs.dk`, 'RETR 1', 'DELE 1', 'QUIT'), [
          unusable,
          '-ERR log in first',
          '-ERR log in first',
          '+OK goodbye',
        ]);
        const delivered = await house.deliver(`${user}@maildirs.dk`);
        // New mail has nothing to do with cur/.
        if (user === 'cur') assert.match(delivered, /^250 /);
        else assert.equal(delivered, '451 4.3.0 the mailbox can not be written just now');
      });
      assert.deepEqual(told, []);
      await house.server.logged(
        new RegExp(` pop3\\.trouble .*cause=".*/spool/maildirs\\.dk/${user}/${user}: belongs to uid 64201, not 64202"$`),
      );
    }
  });

  await t.test("passwd files that are links to others', or no files", async () => {
    const refused = (domain: string, uid: number) =>
      `worker.refused domain=${domain} reason="/virtual/${domain}: a folder of uid 64202 on the way to a file of uid ${uid}"`;
    const links: [domain: string, target: string, line: string][] = [
      ['p1.dk', house.path('virtual', 'honest.dk', 'passwd'), refused('p1.dk', 64201)],
      ['p2.dk', join(honest.home, 'domains', 'honest.dk', 'passwd'), refused('p2.dk', 64201)],
      ['p3.dk', '/etc/shadow', refused('p3.dk', 0)],
      ['p4.dk', '/etc/passwd', refused('p4.dk', 0)],
      ['p5.dk', '/dev/zero', 'worker.refused domain=p5.dk reason="/dev/zero: not a regular file"'],
      ['p6.dk', '/dev/tty', 'worker.refused domain=p6.dk reason="/dev/tty: not a regular file"'],
    ];
    for (const [domain, target, line] of links) {
      house.domain(domain);
      house.link(['virtual', domain, 'passwd'], target);
      const told = await house.during(async () => {
        for (const user of ['ada', 'root', 'eve'])
          assert.deepEqual(await house.session(`${user}@${domain}`, 'STAT'), [accountsUnknown, '-ERR log in first']);
        assert.equal(await house.deliver(`ada@${domain}`), deferred);
      });
      assert.deepEqual(told, [line]);
    }
  });

  await t.test('passwd files that are no files, or far too large, or open to others', async () => {
    house.domain('fifo.dk');
    const fifo = join(attacker.home, 'domains', 'fifo.dk', 'passwd');
    unlinkSync(fifo);
    make('mkfifo', fifo);
    house.domain('huge.dk');
    truncateSync(join(attacker.home, 'domains', 'huge.dk', 'passwd'), 10 * 2 ** 30);
    house.domain('hard.dk');
    const hard = house.path('virtual', 'hard.dk', 'passwd');
    unlinkSync(hard);
    linkSync(join(honest.home, 'domains', 'honest.dk', 'passwd'), hard);
    house.domain('open.dk');
    chmodSync(house.path('virtual', 'open.dk'), 0o777);
    house.domain('spool.dk');
    chmodSync(house.path('spool', 'spool.dk'), 0o777);
    const cases: [domain: string, login: string, delivery: string, lines: string[]][] = [
      [
        'fifo.dk',
        accountsUnknown,
        deferred,
        ['worker.refused domain=fifo.dk reason="/home/pk_attacker/domains/fifo.dk/passwd: not a regular file"'],
      ],
      ['huge.dk', wrong, deferred, ['directory.unreadable file=/virtual/huge.dk/passwd reason="larger than 67108864 octets"']],
      [
        'hard.dk',
        accountsUnknown,
        deferred,
        ['worker.refused domain=hard.dk reason="/virtual/hard.dk: a folder of uid 64202 on the way to a file of uid 64201"'],
      ],
      [
        'open.dk',
        accountsUnknown,
        deferred,
        ['worker.refused domain=open.dk reason="/virtual/open.dk: others can write to it (mode 0777)"'],
      ],
      [
        'spool.dk',
        unusable,
        heldBack,
        Array(2).fill(
          'maildrop.refused mailbox=eve@spool.dk path=/spool/spool.dk/eve reason="/spool/spool.dk: others can write to it (mode 0777)"',
        ),
      ],
    ];
    for (const [domain, login, delivery, lines] of cases) {
      // The honest owner is served at the same time.
      const told = await house.during(async () => {
        const [replies, delivered] = await Promise.all([
          house.session(`eve@${domain}`, 'STAT'),
          house.deliver(`eve@${domain}`),
          house.allIsWell(),
        ]);
        assert.deepEqual([replies, delivered], [[login, '-ERR log in first'], delivery], domain);
      });
      assert.deepEqual(told, lines);
    }
    unlinkSync(hard);
  });

  await t.test("the mailbox's folder becomes a link in the middle of a session", async () => {
    const mail = join(attacker.home, 'Mail');
    house.domain('moved.dk', [lineOf('eve', { home: attacker.home })]);
    makeFile(attacker, join(mail, 'mailbox'), mbox('one') + mbox('two'));
    const unreadable = '-ERR [SYS/TEMP] the mailbox can not be read just now';
    const cases: [target: string, command: string, reply: string][] = [
      [join(honest.home, 'Mail'), 'RETR 1', unreadable],
      [join(honest.home, 'Mail'), 'TOP 1 9', unreadable],
      [join(honest.home, 'Mail'), 'QUIT', '-ERR [SYS/TEMP] the messages could not be deleted, all of them are still there'],
      // There is no mailbox there, and so no message.
      ['/etc', 'RETR 1', '-ERR [SYS/TEMP] the mailbox was changed by another program'],
      ['/etc', 'QUIT', '+OK goodbye (1 message left)'],
    ];
    for (const [target, command, reply] of cases) {
      const told = await house.during(async () => {
        const client = await Pop3Client.login(house.server.ports.pop3, 'eve@moved.dk', password);
        assert.equal(await client?.command('DELE 2'), '+OK message 2 deleted');
        renameSync(mail, `${mail}.away`);
        house.link(['home', 'pk_attacker', 'Mail'], target);
        assert.equal(await client?.command(command), reply, `${command} ${target}`);
        await client?.drop();
        unlinkSync(mail);
        renameSync(`${mail}.away`, mail);
      });
      assert.deepEqual(told, []);
    }
    // Nothing was lost by it.
    assert.deepEqual(await house.session('eve@moved.dk', 'STAT'), ['+OK 2 messages (48 octets)', '+OK 2 48']);
  });

  await t.test('folders in the tree that are odd, and one domain by two names', async () => {
    const root = house.path('virtual');
    for (const odd of ['.hidden.dk', '-rf.dk', 'a b.dk', 'HONEST.DK', 'honest.dk.', 'honest.dk\n', 'l\u00e6kker.dk', '...'])
      symlinkSync(house.path('virtual', 'honest.dk'), join(root, odd));
    symlinkSync(house.path('virtual', 'honest.dk'), join(root, 'also-honest.dk'));
    symlinkSync(house.path('virtual', 'honest.dk', 'passwd'), join(root, 'no-folder.dk'));
    mkdirSync(join(root, 'empty.dk'));
    const told = await house.during(async () => {
      for (const domain of [
        '.hidden.dk',
        '-rf.dk',
        'honest.dk\\n',
        '...',
        '..',
        '.',
        'virtual',
        '',
        'no-folder.dk',
        'empty.dk',
        'l\u00e6kker.dk',
      ])
        assert.deepEqual(await house.session(`ada@${domain}`, 'STAT'), [wrong, '-ERR log in first'], domain);
      // The host's own doing, and the same owner: mail rests under the name that was asked for.
      assert.deepEqual(await house.session('ada@also-honest.dk', 'STAT'), ['+OK 0 messages (0 octets)', '+OK 0 0']);
      assert.deepEqual(await house.session('ada@HONEST.DK', 'STAT'), ['+OK 1 message (34 octets)', '+OK 1 34']);
    });
    assert.deepEqual(told, []);
  });
});
