/** Dovecot on the same Maildir before and after: what either delivers, flags or removes the other sees, under ids that stay. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createFileStore } from '../../src/maildrops/index.ts';
import { silent } from '../../src/model/log.ts';
import type { Mailbox } from '../../src/model/mailbox.ts';
import { disk } from '../../src/os/disk.ts';
import { contents } from '../contracts/maildropStore.ts';
import { envelope, mailboxNamed, text } from '../support/mail.ts';

const missing = spawnSync('doveadm', ['--version']).error !== undefined || !fs.existsSync('/usr/lib/dovecot/pop3');
const skip = missing ? 'needs Dovecot: apt-get install dovecot-pop3d' : false;
const isRoot = process.getuid?.() === 0;
/** Dovecot handles no mail as root. */
const owner = isRoot ? { uid: 65534, gid: 65534 } : { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };

test('Dovecot and Postkasse on one Maildir', { skip }, async (t) => {
  const folder = fs.mkdtempSync(join(tmpdir(), 'postkasse-dovecot-'));
  if (isRoot) fs.chownSync(folder, owner.uid, owner.gid);
  for (const name of ['state', 'run']) fs.mkdirSync(join(folder, name));
  const mailbox: Mailbox = { ...mailboxNamed('abc@kvt.dk'), owner };
  const store = createFileStore({
    root: join(folder, 'root'),
    home: 'Mail/mailbox',
    systemSpool: join(folder, 'spool'),
    format: 'maildir',
    statusHeader: 'rewrite',
    stateDir: join(folder, 'state'),
    runDir: join(folder, 'run'),
    disk,
    log: silent,
    now: Date.now,
  });
  t.after(() => {
    store.close();
    fs.rmSync(folder, { recursive: true });
  });
  const idsAndSizes = async (): Promise<[string, number][]> => {
    await using maildrop = await store.open(mailbox);
    return maildrop.messages.map((message) => [message.uniqueId, message.octets]);
  };

  for (const subject of ['one', 'two', 'three', 'four']) await store.deliver(mailbox, [text(subject)], envelope);
  const before = await idsAndSizes();
  const sizes = before.map(([, octets], at) => `${at + 1} ${octets}`);
  assert.deepEqual(dovecot(folder, 'LIST', 'RETR 3', 'DELE 2', 'QUIT'), [
    '+OK 4 messages:',
    ...sizes,
    '.',
    '+OK 26 octets',
    'Subject: three',
    '',
    'Hello.',
    '.',
    '+OK Marked to be deleted.',
    '+OK Logging out, messages deleted.',
  ]);

  assert.deepEqual(await idsAndSizes(), [before[0], before[2], before[3]]);
  await store.deliver(mailbox, [text('five', '.\r\nFrom here\r\n')], envelope);
  {
    await using maildrop = await store.open(mailbox);
    const [one, three, four] = maildrop.messages;
    assert.ok(one && three && four);
    await maildrop.update(new Set([one, four]), new Set([three]));
  }
  const left = [text('three').toString(), text('five', '.\r\nFrom here\r\n').toString()];
  assert.deepEqual(await contents(store, mailbox), left);
  assert.deepEqual(dovecot(folder, 'STAT', 'RETR 2', 'QUIT'), [
    `+OK 2 ${left.join('').length}`,
    `+OK ${left[1]?.length} octets`,
    'Subject: five',
    '',
    '..',
    'From here',
    '.',
    '+OK Logging out.',
  ]);
  assert.deepEqual(await contents(store, mailbox), left);
});

/** What Dovecot's POP3 server, already logged in, has to say to these commands. */
function dovecot(folder: string, ...commands: readonly string[]): string[] {
  const config = join(folder, 'dovecot.conf');
  const settings = [
    `base_dir = ${join(folder, 'dovecot')}`,
    `state_dir = ${join(folder, 'dovecot')}`,
    `mail_location = maildir:${join(folder, 'root/kvt.dk/abc')}`,
    `mail_uid = ${owner.uid}`,
    `mail_gid = ${owner.gid}`,
    'first_valid_uid = 1',
    'first_valid_gid = 0',
    'ssl = no',
    'default_login_user = nobody',
    'default_internal_user = nobody',
  ];
  fs.writeFileSync(config, `${settings.join('\n')}\n`);
  const [input, output] = [join(folder, 'commands'), join(folder, 'replies')];
  fs.writeFileSync(input, commands.map((command) => `${command}\r\n`).join(''));
  // The shell's pipes, as Node's are sockets: on a socket Dovecot takes itself to be started by inetd, and refuses.
  const { error } = spawnSync('sh', ['-c', 'cat "$1" | doveadm -c "$2" exec pop3 2>/dev/null | cat >"$3"', 'sh', input, config, output], {
    env: { PATH: process.env.PATH, USER: 'abc', HOME: folder },
    timeout: 30_000,
  });
  if (error !== undefined) throw error;
  return fs.readFileSync(output, 'latin1').split('\r\n').slice(0, -1);
}
