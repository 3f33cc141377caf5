/**
 * Domains of different Unix users behind one server that root starts, as it was with the predecessor: each fetches the own mail with a mail
 * program of theirs, each gets the own mail, and no process has the rights of two. The numbers are those of docs/predecessor.md.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import fs from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Client } from '../support/socketDialogue.ts';
import { withoutTrace } from './support/clientHouse.ts';
import { MailClient } from './support/mailClient.ts';
import { assertWhole, atRest, deliveredTo, type NastyMessage, ordinary, writeMaildir, writeMbox } from './support/nastyMail.ts';
import {
  type Account,
  childrenOf,
  delivered,
  give,
  mailUser,
  type PredecessorHost,
  predecessorHost,
  rightsOf,
  needsRoot as skip,
  whose,
  workersOf,
} from './support/owners.ts';
import { Pop3Client } from './support/pop3Client.ts';
import { noPostfix, startPostfix } from './support/postfix.ts';
import { endedAfter } from './support/processes.ts';
import { missing, run } from './support/programs.ts';
import type { Server } from './support/server.ts';

interface House extends PredecessorHost {
  readonly server: Server;
  readonly certificate: string;
  account(address: string): Account;
  path(account: Account): string;
}

async function openHouse(t: TestContext): Promise<House> {
  const host = await predecessorHost(t, [
    ['kvt_dk', 601],
    ['pk_lene', 6021],
    ['pk_given', 6022],
  ]);
  const server = endedAfter(t, await host.start({ settings: { login: ['failure_delay_ms = 0'] } }));
  const { folder } = host.tree;
  const certificate = join(folder, 'certificate.pem');
  // The file holds the key, too, and that is none of the clients' business.
  const pem = fs.readFileSync(join(folder, 'state', 'fronts', 'self-signed.pem'));
  fs.writeFileSync(certificate, new X509Certificate(pem).toString());
  return {
    ...host,
    server,
    certificate,
    account: (address) => host.accounts.find((one) => one.address === address) ?? assert.fail(address),
    path: ({ mailbox }) => join(folder, mailbox),
  };
}

/** The mailbox holds these and nothing else, mode 700 as the predecessor made it. */
function fill(house: House, account: Account, messages: readonly NastyMessage[]): void {
  const path = house.path(account);
  fs.rmSync(path, { recursive: true, force: true });
  if (account.format === 'mbox') writeMbox(path, messages);
  else writeMaildir(path, messages);
  fs.chmodSync(path, 0o700);
  give(path, account.owner);
}

/** The nth way that a mailbox was logged in to: `APOP`, or with encryption `PLAIN, TLS`. */
async function method({ server }: House, { address }: Account, nth: number): Promise<string> {
  const line = await server.logged(new RegExp(` pop3\\.login .* mailbox=${address} `), nth);
  const [, name = '', tls] = / method=(\S+) tls=(\S+) /.exec(line) ?? [];
  return tls === 'true' ? `${name}, TLS` : name;
}

interface Way {
  readonly address: string;
  readonly login: string;
  readonly tls: 'none' | 'STLS' | 'POP3S';
  /** An address that decides the domain of bare names. */
  readonly at?: 'kvt' | 'vm';
  readonly auth: string;
}

/** Where a client connects for it. */
function doorOf(house: House, { at, tls }: Way): { host: string; port: number } {
  if (at !== undefined) return { host: at === 'kvt' ? house.kvtAddress : house.vmAddress, port: house.addressPort };
  return { host: 'localhost', port: tls === 'POP3S' ? house.server.ports.pop3s : house.server.ports.pop3 };
}

let homes = 0;

function homeIn({ tree }: House): string {
  homes += 1;
  const home = join(tree.folder, `client${homes}`);
  fs.mkdirSync(home, { mode: 0o700 });
  return home;
}

/** What each program brings home, with the mail left on the server. */
const programs = {
  async curl(house: House, way: Way, password: string): Promise<readonly Buffer[]> {
    const home = homeIn(house);
    const { host, port } = doorOf(house, way);
    const url = `${way.tls === 'POP3S' ? 'pop3s' : 'pop3'}://${host}:${port}`;
    const trust = way.tls === 'none' ? [] : ['--cacert', house.certificate, ...(way.tls === 'STLS' ? ['--ssl-reqd'] : [])];
    const args = ['-q', '-sS', '--max-time', '60', '-u', `${way.login}:${password}`, '--login-options', `AUTH=${way.auth}`, ...trust];
    const fetched: Buffer[] = [];
    for (const [index] of ordinary.entries()) {
      const { status, out, said } = await run('curl', [...args, `${url}/${index + 1}`], { home });
      assert.deepEqual({ status, said }, { status: 0, said: '' });
      fetched.push(atRest(out));
    }
    return fetched;
  },

  async fetchmail(house: House, way: Way, password: string): Promise<readonly Buffer[]> {
    const home = homeIn(house);
    const mail = join(home, 'mail');
    fs.mkdirSync(mail);
    const { host, port } = doorOf(house, way);
    const trust = `sslcertck sslcertfile "${house.certificate}"`;
    const tls = { none: 'sslproto ""', STLS: `sslproto "tls1.2+" ${trust}`, POP3S: `ssl ${trust}` }[way.tls];
    const protocol = way.auth === 'APOP' ? 'apop' : 'pop3';
    const settings = [
      'set invisible',
      `poll ${host} protocol ${protocol} service ${port} auth password uidl`,
      `  user "${way.login}" there password "${password}" keep no rewrite pass8bits ${tls}`,
      `  mda "cat > ${mail}/$(printf %03d $(ls ${mail} | wc -l))"`,
    ];
    fs.writeFileSync(join(home, '.fetchmailrc'), `${settings.join('\n')}\n`, { mode: 0o600 });
    const { status, out, said } = await run('fetchmail', ['--nodetach', '--pidfile', join(home, 'pid')], { home });
    assert.equal(status, 0, `${out}${said}`);
    return fs.readdirSync(mail).map((file) => fs.readFileSync(join(mail, file)));
  },

  async mpop(house: House, way: Way, password: string): Promise<readonly Buffer[]> {
    const home = homeIn(house);
    for (const folder of ['', 'tmp', 'new', 'cur']) fs.mkdirSync(join(home, 'mail', folder));
    const { host, port } = doorOf(house, way);
    const settings = [
      'account default',
      `host ${host}`,
      `port ${port}`,
      `user ${way.login}`,
      `password "${password}"`,
      `auth ${way.auth}`,
      'keep on',
      'received_header off',
      `delivery maildir ${join(home, 'mail')}`,
      `uidls_file ${join(home, 'uidls')}`,
      `tls ${way.tls === 'none' ? 'off' : 'on'}`,
      `tls_starttls ${way.tls === 'STLS' ? 'on' : 'off'}`,
      `tls_trust_file ${house.certificate}`,
    ];
    fs.writeFileSync(join(home, '.mpoprc'), `${settings.join('\n')}\n`, { mode: 0o600 });
    const { status, said } = await run('mpop', ['--quiet'], { home });
    assert.deepEqual({ status, said }, { status: 0, said: '' });
    return deliveredTo(join(home, 'mail'));
  },
} as const;

/** By the domain of the address bare names are enough, and what its accounts can honour is announced; else what every account can. */
const ways: readonly (readonly [program: keyof typeof programs, way: Way, method: string])[] = [
  ['fetchmail', { address: 'abc@kvt.dk', login: 'abc', at: 'kvt', tls: 'none', auth: 'APOP' }, 'APOP'],
  ['curl', { address: 'abc@kvt.dk', login: 'abc@kvt.dk', tls: 'STLS', auth: 'PLAIN' }, 'PLAIN, TLS'],
  ['mpop', { address: 'abc@kvt.dk', login: 'abc', at: 'kvt', tls: 'none', auth: 'scram-sha-256' }, 'SCRAM-SHA-256'],
  ['fetchmail', { address: 'kvt@kvt.dk', login: 'kvt%kvt.dk', tls: 'POP3S', auth: '' }, 'USER, TLS'],
  ['mpop', { address: 'kvt@kvt.dk', login: 'kvt', at: 'kvt', tls: 'none', auth: 'cram-md5' }, 'CRAM-MD5'],
  ['mpop', { address: 'lene@lene.example', login: 'lene@lene.example', tls: 'POP3S', auth: 'plain' }, 'PLAIN, TLS'],
  ['fetchmail', { address: 'lene@lene.example', login: 'lene@lene.example', tls: 'STLS', auth: '' }, 'USER, TLS'],
  ['curl', { address: 'jens@vm.example', login: 'jens', at: 'vm', tls: 'none', auth: 'PLAIN' }, 'PLAIN'],
  ['fetchmail', { address: 'jens@vm.example', login: 'jens@vm.example', tls: 'STLS', auth: '' }, 'USER, TLS'],
  ['mpop', { address: 'post@given.example', login: 'post@given.example', tls: 'STLS', auth: 'user' }, 'USER, TLS'],
  ['curl', { address: 'post@given.example', login: 'post@given.example', tls: 'POP3S', auth: 'LOGIN' }, 'LOGIN, TLS'],
];

/** A whole session of USER and PASS. */
async function session(server: Server, login: string, password: string, ...commands: readonly string[]): Promise<string[]> {
  const client = new Client({ port: server.ports.pop3, host: '127.0.0.1' });
  client.write(`${[`USER ${login}`, `PASS ${password}`, ...commands].join('\r\n')}\r\n`);
  const lines: string[] = [];
  for (let line = await client.line(); line !== undefined; line = await client.line()) lines.push(line);
  return lines;
}

const greeting = '+OK POP3 server ready';

test('domains of several owners, one server', { skip, timeout: 180_000 }, async (t) => {
  const house = await openHouse(t);
  const { server, kvt, lene, given, accounts } = house;
  const { folder } = house.tree;
  const many = await server.logged(/ supervisor\.ready /);
  assert.match(many, / owners=many /);

  await t.test(
    'each user fetches their own mail with a program of their own, octet by octet (A46-A49, A51, A52, A55, B16, B19)',
    async (t) => {
      for (const account of accounts) fill(house, account, ordinary);
      const logins = new Map<string, number>();
      for (const [program, way, expected] of ways) {
        await t.test(`${program}: ${expected} as ${way.login}`, { skip: missing(program, program) }, async () => {
          const account = house.account(way.address);
          assertWhole(await programs[program](house, way, account.password), ordinary, atRest);
          const nth = (logins.get(account.address) ?? 0) + 1;
          assert.equal(await method(house, account, nth), expected);
          // curl comes once for each message.
          logins.set(account.address, program === 'curl' ? nth + ordinary.length - 1 : nth);
        });
      }
    },
  );

  await t.test('a password opens the one account it is for; what is refused is refused alike', async () => {
    for (const account of accounts) fill(house, account, ordinary.slice(0, 1));
    for (const account of accounts) {
      for (const other of accounts) {
        const octets = ordinary[0]?.wire.length;
        const expected =
          account === other
            ? ['+OK now the password', `+OK 1 message (${octets} octets)`, `+OK 1 ${octets}`, '+OK goodbye (1 message left)']
            : ['+OK now the password', '-ERR [AUTH] authentication failed', '-ERR log in first', '+OK goodbye'];
        assert.deepEqual(await session(server, account.address, other.password, 'STAT', 'QUIT'), [greeting, ...expected], account.address);
      }
    }
    for (const nobody of ['nobody@kvt.dk', 'nobody@lene.example', 'abc@nowhere.example', 'abc', 'root', `${kvt.name}`]) {
      assert.deepEqual(
        await session(server, nobody, 'abcpasswd', 'QUIT'),
        [greeting, '+OK now the password', '-ERR [AUTH] authentication failed', '+OK goodbye'],
        nobody,
      );
    }
  });

  await t.test('QUIT removes what DELE marked, exactly that, and leaves owner, group and mode as they were (A54)', async () => {
    const [first, second, third] = ordinary as [NastyMessage, NastyMessage, NastyMessage];
    for (const account of accounts) {
      fill(house, account, [first, second, third]);
      const path = house.path(account);
      const before = filesIn(path);
      const client = (await Pop3Client.login(server.ports.pop3, account.address, account.password)) ?? assert.fail();
      const ids = await client.uniqueIds();
      assert.equal(await client.command('DELE 2'), '+OK message 2 deleted');
      assert.equal(await client.command('QUIT'), '+OK goodbye (2 messages left)');
      await client.drop();

      const again = (await Pop3Client.login(server.ports.pop3, account.address, account.password)) ?? assert.fail();
      assert.deepEqual(await again.uniqueIds(), [ids[0], ids[2]]);
      assertWhole([await again.retrieve(1), await again.retrieve(2)].map(withoutStatus), [first, third], (wire) => wire);
      assert.equal(await again.command('QUIT'), '+OK goodbye (2 messages left)');
      await again.drop();
      const { uid, gid } = account.owner;
      assert.equal(whose(path), `${uid}:${gid} 700`, account.address);
      if (account.format === 'maildir') assert.deepEqual(filesIn(path).length, before.length - 1);
      else
        assert.deepEqual(
          fs.readdirSync(join(path, '..')).filter((name) => /\.lock$|\.new$/.test(name)),
          [],
        );
    }
  });

  await t.test("mail is delivered into the file it belongs to, which is its owner's alone (A51, A54)", async () => {
    for (const account of accounts) fill(house, account, []);
    const recipients = [...accounts.map(({ address }) => address), 'ny@kvt.dk', 'ny@vm.example', 'to@lene.example', 'nobody@kvt.dk'];
    const client = await MailClient.connect('lmtp', { port: server.ports.lmtp, host: '127.0.0.1' });
    const [{ wire }] = ordinary as [NastyMessage];
    const { recipients: answers, replies } = await client.send({ from: 'ada@example.org', to: recipients, content: wire });
    assert.deepEqual(answers, [...Array(8).fill('250 2.1.5 Accepted'), '550 5.1.1 no such user here']);
    assert.deepEqual(
      replies.map((reply) => reply.replace(/ \S+$/, ' *')),
      Array(8).fill('250 2.0.0 delivered as *'),
    );
    await client.close();

    const fresh: Account[] = [
      { address: 'ny@kvt.dk', password: 'nypasswd', mailbox: 'spool/kvt.dk/ny', format: 'mbox', owner: kvt },
      { address: 'ny@vm.example', password: 'despasswd', mailbox: 'spool/vm.example/ny', format: 'mbox', owner: mailUser },
      { address: 'to@lene.example', password: 'topasswd', mailbox: 'spool/lene.example/to', format: 'mbox', owner: lene },
    ];
    for (const account of [...accounts, ...fresh]) {
      const { address, password, owner } = account;
      const reader = (await Pop3Client.login(server.ports.pop3, address, password)) ?? assert.fail(address);
      assertWhole([withoutTrace(atRest(await reader.retrieve(1)))], ordinary.slice(0, 1), atRest);
      assert.equal(await reader.command('STAT').then((reply) => reply.split(' ')[1]), '1');
      assert.equal(await reader.command('QUIT'), '+OK goodbye (1 message left)');
      await reader.drop();
      const path = house.path(account);
      const files = account.format === 'maildir' ? filesIn(path) : [path];
      assert.equal(files.length, 1);
      const isFresh = fresh.includes(account);
      for (const file of files) {
        assert.equal(whose(file), `${owner.uid}:${owner.gid} ${isFresh || account.format === 'maildir' ? 600 : 700}`, file);
      }
    }
  });

  await t.test('a line with the uid of somebody else lets nobody in and takes no mail, and the log says so (A53, B20)', async () => {
    const file = join(kvt.home, 'passwd');
    const before = fs.readFileSync(file);
    const { length } = before.toString().trimEnd().split('\n');
    fs.appendFileSync(file, `rod:rodpasswd:0:0::/root:\nhers:herspasswd:${lene.uid}:100::${lene.home}:\n`);
    const link = join(folder, 'virtual', 'kvt.dk', 'passwd');
    for (const [user, uid, line, reason] of [
      ['rod', 0, length + 1, 'uid 0 never owns mail'],
      ['hers', lene.uid, length + 2, `uid ${lene.uid} is not the ${kvt.uid} that this process runs as`],
    ] as const) {
      assert.deepEqual(await session(server, `${user}@kvt.dk`, `${user}passwd`, 'QUIT'), [
        greeting,
        '+OK now the password',
        '-ERR [AUTH] authentication failed',
        '+OK goodbye',
      ]);
      const logged = await server.logged(new RegExp(` directory\\.refused-uid account=${user}@kvt\\.dk `));
      assert.ok(logged.endsWith(` file=${link} line=${line} uid=${uid} processUid=${kvt.uid} reason="${reason}"`), logged);
      // The slip may be put right, so the mail waits.
      assert.equal(await delivered(server, `${user}@kvt.dk`, 'to nobody'), '451 4.3.0 accounts can not be looked up just now');
    }
    fs.writeFileSync(file, before);
    assert.deepEqual(fs.readdirSync(join(folder, 'spool', 'kvt.dk')).sort(), ['abc', 'ny']);
    assert.deepEqual(fs.readdirSync(lene.home), []);
  });

  await t.test('a private Postfix hands over to all of them', { skip: noPostfix }, async (t) => {
    for (const account of accounts) fill(house, account, []);
    const domains = [...new Set(accounts.map(({ address }) => address.replace(/.*@/, '')))];
    const postfix = await startPostfix({
      folder: join(folder, 'postfix'),
      main: [
        'mydestination =',
        `virtual_mailbox_domains = ${domains.join(', ')}`,
        `virtual_transport = lmtp:inet:127.0.0.1:${server.ports.lmtp}`,
        'recipient_delimiter = +',
      ],
    });
    t.after(() => postfix.stop());
    const [{ wire }] = ordinary as [NastyMessage];
    const client = await MailClient.connect('smtp', { port: postfix.port, host: '127.0.0.1' });
    const { replies } = await client.send({ from: 'ada@example.org', to: accounts.map(({ address }) => address), content: wire });
    assert.match(replies.join(), /^250 2\.0\.0 Ok: queued as \w+$/);
    await client.close();
    await postfix.logged(/status=sent \(250 2\.0\.0 delivered /, accounts.length);
    for (const { address, password } of accounts) {
      const reader = (await Pop3Client.login(server.ports.pop3, address, password)) ?? assert.fail(address);
      const [message, ...more] = [await reader.retrieve(1)];
      assert.equal(more.length, 0);
      assert.ok(message?.toString('latin1').endsWith(wire.toString('latin1').slice(wire.indexOf('\r\n\r\n'))), address);
      assert.ok(message?.toString('latin1').startsWith(`Return-Path: <ada@example.org>\r\nDelivered-To: ${address}\r\n`), address);
      assert.equal(await reader.command('DELE 1'), '+OK message 1 deleted');
      assert.equal(await reader.command('QUIT'), '+OK goodbye (maildrop empty)');
      await reader.drop();
    }
    assert.deepEqual(await postfix.queue(), []);
  });

  await t.test('the supervisor alone is root; each of the others has one set of rights, and it is for good (A50, B20)', async () => {
    for (const { address, password } of accounts) {
      const client = (await Pop3Client.login(server.ports.pop3, address, password)) ?? assert.fail(address);
      await client.ok('QUIT');
      await client.drop();
    }
    const nobody = idsOf('nobody');
    const none = '0'.repeat(16);
    const one = (title: string, uid: number, gid: number, ...groups: number[]) => ({
      title,
      uids: Array(4).fill(uid).join(' '),
      gids: Array(4).fill(gid).join(' '),
      groups: [...new Set([gid, ...groups])].sort((a, b) => a - b).join(' '),
      capabilities: [none, none, none, none],
    });
    const found = childrenOf(server).map(({ pid, title }) => ({ title, ...rightsOf(pid), capabilities: capabilitiesOf(pid) }));
    assert.deepEqual(found, [
      one('postkasse front 0', nobody.uid, nobody.gid),
      one('postkasse front 1', nobody.uid, nobody.gid),
      one(`postkasse owner ${kvt.name}`, kvt.uid, kvt.gid),
      one('postkasse owner mail', mailUser.uid, mailUser.gid),
      one(`postkasse owner ${given.name}`, given.uid, given.gid),
      one(`postkasse owner ${lene.name}`, lene.uid, lene.gid),
    ]);
    assert.deepEqual(rightsOf(server.pid).uids, '0 0 0 0');
    // The line's gid is 100, and kvt_dk isn't in that group.
    await server.logged(
      new RegExp(` directory\\.foreign-gid account=\\S+@kvt\\.dk file=${folder}/virtual/kvt\\.dk/passwd line=\\d gid=100 used=8$`),
    );
  });

  await t.test('with the rights of a front, or of another owner, nothing of an owner can be read', async () => {
    const secrets = secretsIn(folder);
    const owners = new Map([
      [kvt.uid, 'kvt'],
      [lene.uid, 'lene'],
      [given.uid, 'given'],
      [mailUser.uid, 'mail'],
    ]);
    // That file is root's, and the host lets the group mail read it, which kvt_dk is in.
    const ofMail = join(folder, 'virtual/vm.example/passwd');
    const expected = (name: string) =>
      secrets.filter(([path, owner]) => owner === name || (name === 'kvt' && path === ofMail)).map(([path]) => path);
    const [front] = childrenOf(server);
    assert.deepEqual(readableWith(front?.pid ?? 0, secrets), []);
    for (const { pid } of workersOf(server)) {
      const name = owners.get(Number(rightsOf(pid).uids.split(' ')[0])) ?? assert.fail();
      assert.ok(expected(name).length >= 3, name);
      assert.deepEqual(readableWith(pid, secrets), expected(name), name);
    }
  });

  /** All that is an owner's in the tree, and whose: mailboxes, passwd files and what the server keeps for that owner. */
  function secretsIn(top: string): (readonly [path: string, owner: string])[] {
    const names = new Map([
      ['kvt.dk', 'kvt'],
      [kvt.name, 'kvt'],
      [String(kvt.uid), 'kvt'],
      ['lene.example', 'lene'],
      [lene.name, 'lene'],
      [String(lene.uid), 'lene'],
      ['given.example', 'given'],
      [given.name, 'given'],
      [String(given.uid), 'given'],
      ['vm.example', 'mail'],
      ['8', 'mail'],
    ]);
    return ['virtual', 'spool', 'home', 'state/owners', 'run/locks'].flatMap((room) =>
      fs.readdirSync(join(top, room)).flatMap((name) =>
        filesIn(join(top, room, name))
          .filter((path) => !path.endsWith('/domain.toml') || name === 'kvt.dk')
          .map((path) => [path, names.get(name) ?? assert.fail(`${room}/${name}`)] as const),
      ),
    );
  }
});

/** Files in a folder and those below it, or the file itself. */
function filesIn(path: string): string[] {
  if (!fs.statSync(path).isDirectory()) return [path];
  return fs
    .readdirSync(path, { withFileTypes: true, recursive: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

/** In an mbox that was rewritten. */
function withoutStatus(octets: Buffer): Buffer {
  return Buffer.from(octets.toString('latin1').replace(/\r\nStatus: [RO]+\r\n/, '\r\n'), 'latin1');
}

function idsOf(user: string): { uid: number; gid: number } {
  const fields = new RegExp(`^${user}:[^:]*:(\\d+):(\\d+):`, 'm').exec(fs.readFileSync('/etc/passwd', 'utf8')) ?? [];
  return { uid: Number(fields[1]), gid: Number(fields[2]) };
}

/** Inheritable, permitted, effective, ambient. */
function capabilitiesOf(pid: number): string[] {
  const text = fs.readFileSync(`/proc/${pid}/status`, 'latin1');
  return ['CapInh', 'CapPrm', 'CapEff', 'CapAmb'].map((field) => new RegExp(`^${field}:\\s*(\\w+)$`, 'm').exec(text)?.[1] ?? '');
}

/** Those of the files that a process with exactly the rights of this one can open. */
function readableWith(pid: number, files: readonly (readonly [path: string, owner: string])[]): string[] {
  const { uids, gids, groups } = rightsOf(pid);
  const [uid = '', gid = ''] = [uids, gids].map((ids) => ids.split(' ')[0]);
  const script = 'while IFS= read -r path; do if head -c 0 -- "$path" 2>/dev/null; then printf "%s\\n" "$path"; fi; done';
  const args = ['--reuid', uid, '--regid', gid, '--groups', groups.replaceAll(' ', ','), '--inh-caps=-all', '--', 'sh', '-c', script];
  const out = execFileSync('setpriv', args, { input: files.map(([path]) => `${path}\n`).join(''), encoding: 'utf8' });
  return out.split('\n').filter((path) => path !== '');
}
