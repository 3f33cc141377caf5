import assert from 'node:assert/strict';
import { createHook } from 'node:async_hooks';
import { renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { address, domain, scramProof } from '../../../test/contracts/directory.ts';
import { Fault } from '../../model/fault.ts';
import { type Disk, disk } from '../../os/disk.ts';
import type { SystemUser } from '../../os/users.ts';
import { nowhere, openHouse } from './fixture.test.ts';

/** Of `lækker7`, by `doveadm pw`. */
const pbkdf2 = '{PBKDF2}$1$ne01vVCr21jOeFyd$5000$75048cb2f65b31c6da469b988927c54c60acb90b';

/** How often the thread pool was given a password to hash since it was last asked. */
function countHashing(t: TestContext): () => number {
  let count = 0;
  const hook = createHook({
    init(_, type) {
      if (type === 'PBKDF2REQUEST') count += 1;
    },
  }).enable();
  t.after(() => hook.disable());
  return () => {
    const before = count;
    count = 0;
    return before;
  };
}

test('a changed file is seen at the next login', async (t) => {
  const { login, write, root } = openHouse(t, { 'kvt.dk/passwd': 'abc:{PLAIN}one\n' });
  assert.equal(await login('abc', 'one'), 'abc@kvt.dk');
  write('kvt.dk/passwd', 'abc:{PLAIN}two\n');
  assert.equal(await login('abc', 'one'), 'auth: wrong password');
  assert.equal(await login('abc', 'two'), 'abc@kvt.dk');
  write('new/passwd', 'abc:{PLAIN}six\n');
  renameSync(join(root, 'new/passwd'), join(root, 'kvt.dk/passwd'));
  assert.equal(await login('abc', 'six'), 'abc@kvt.dk');
  rmSync(join(root, 'kvt.dk/passwd'));
  assert.equal(await login('abc', 'six'), 'auth: no such domain');
});

test('a password found right is remembered until its line changes or its time is over', async (t) => {
  let nowMs = Date.now() + 60_000;
  const hashed = countHashing(t);
  const { login, write } = openHouse(t, { 'kvt.dk/passwd': `abc:${pbkdf2}\n` }, { now: () => nowMs, rememberMs: 300_000 });
  const table: [string, string, number][] = [
    ['lækker7', 'abc@kvt.dk', 1],
    ['lækker7', 'abc@kvt.dk', 0],
    ['lækker8', 'auth: wrong password', 1],
    ['lækker8', 'auth: wrong password', 1],
    ['lækker7', 'abc@kvt.dk', 0],
  ];
  for (const [password, expected, times] of table) assert.deepEqual([await login('abc', password), hashed()], [expected, times]);
  nowMs += 300_000;
  assert.deepEqual([await login('abc', 'lækker7'), hashed()], ['abc@kvt.dk', 1], 'its time is over');
  write('kvt.dk/passwd', `abc:${pbkdf2}:601:100:::\n`);
  assert.deepEqual([await login('abc', 'lækker7'), hashed()], ['abc@kvt.dk', 1], 'its line is another');
  write('kvt.dk/passwd', `abc:!${pbkdf2}:601:100:::\n`);
  assert.equal(await login('abc', 'lækker7'), 'auth: password locked');
});

test('the same work for every refusal, whoever exists', async (t) => {
  const { login } = openHouse(t, {
    'kvt.dk/passwd': ['abc', 'def']
      .map((name) => `${name}:${pbkdf2}\n`)
      .concat('locked:!x\n', 'empty:\n', 'strange:what\n', 'clear:{PLAIN}x\n')
      .join(''),
  });
  const hashed = countHashing(t);
  for (const name of ['abc', 'nobody', 'locked', 'empty', 'strange', '__proto__', 'nobody@nowhere.example', '']) {
    assert.match(await login(name, 'wrong'), /^auth: /);
    assert.deepEqual([name, hashed()], [name, 1]);
  }
  const { proof } = scramProof('sha256', 'x', Buffer.from('salt'), 1);
  hashed();
  for (const name of ['abc', 'nobody', 'locked']) {
    await login(name, proof);
    await login(name, { kind: 'apop', timestamp: '<1@x>', digest: 'x' });
    assert.deepEqual([name, hashed()], [name, 0]);
  }
});

test('the empty password lets nobody in, even where its hash is stored', async (t) => {
  const { login } = openHouse(t, { 'kvt.dk/passwd': 'abc:{SHA}2jmj7l5rSw0yVb/vlWAYkK/YBwk=\ndef:\n' });
  assert.equal(await login('abc', ''), 'auth: wrong password');
  assert.equal(await login('def', ''), 'auth: password empty');
});

test('whose mail this process may touch: uid rules (A53, B20)', async (t) => {
  const { login, directory, events } = openHouse(t, {
    'kvt.dk/passwd': ['root:{PLAIN}x1:0:0::/root:', 'other:{PLAIN}x2:602:100:::', 'own:{PLAIN}x3:601:100:::', 'none:{PLAIN}x4'].join('\n'),
  });
  assert.equal(await login('root', 'x1'), 'auth: uid not allowed');
  assert.equal(await login('other', 'x2'), 'auth: uid not allowed');
  assert.equal(await login('own', 'x3'), 'own@kvt.dk');
  assert.equal(await login('none', 'x4'), 'none@kvt.dk');
  assert.equal(await login('root', 'wrong'), 'auth: wrong password');
  const place = { event: 'directory.refused-uid', file: 'kvt.dk/passwd', processUid: 601 };
  const refusedRoot = { ...place, account: 'root@kvt.dk', line: 1, uid: 0, reason: 'uid 0 never owns mail' };
  const refusedOther = { ...place, account: 'other@kvt.dk', line: 2, uid: 602, reason: 'uid 602 is not the 601 that this process runs as' };
  assert.deepEqual(events, [refusedRoot, refusedOther]);
  // Delivery: the mail waits.
  await assert.rejects(directory.account(address('other@kvt.dk')), { kind: 'temporary' });
  assert.equal((await directory.account(address('own@kvt.dk')))?.mailbox.name, 'own@kvt.dk');
  assert.deepEqual((await directory.explain({ login: 'root', arrival: nowhere })).steps.at(-1), {
    rule: 'account',
    outcome: 'refused: uid 0 never owns mail',
  });
  assert.equal((await directory.explain({ login: 'root', arrival: nowhere })).account, undefined);
});

test('uid 0 is refused even when the process runs as root, and small uids where the settings say so', async (t) => {
  const files = { 'kvt.dk/passwd': 'root:{PLAIN}x1:0:0:::\nbin:{PLAIN}x2:2:2:::\n' };
  assert.equal(await openHouse(t, files, { processUid: 0 }).login('root', 'x1'), 'auth: uid not allowed');
  assert.equal(await openHouse(t, files, { processUid: 2 }).login('bin', 'x2'), 'bin@kvt.dk');
  assert.equal(await openHouse(t, files, { processUid: 2, minUid: 100 }).login('bin', 'x2'), 'auth: uid not allowed');
});

test('no name that climbs reaches the file system', async (t) => {
  const asked = new Set<string>();
  const spied = new Proxy(disk, {
    get: (target, name: keyof Disk) =>
      ['stat', 'lstat', 'open', 'readdir', 'realpath'].includes(name)
        ? (path: string, ...rest: [number]) => {
            asked.add(path);
            return (target[name] as (path: string, ...rest: number[]) => unknown)(path, ...rest);
          }
        : target[name],
  });
  const { root, login, directory } = openHouse(t, { 'kvt.dk/passwd': 'abc:{PLAIN}one\n' }, { disk: spied, loginDelimiters: '@%!:;' });
  const parts = [
    '..',
    '.',
    '/',
    '%2e%2e',
    '\0',
    '\\',
    'kvt.dk',
    'abc',
    '../../etc',
    'x'.repeat(10_000),
    '__proto__',
    '~root',
    's-',
    '\n',
    'é\u0301',
  ];
  for (const a of parts) {
    for (const b of parts) {
      for (const name of [a + b, `${a}@${b}`, `${a}@kvt.dk${b}`, `abc/${a}@${b}`]) {
        const said = await login(name, 'wrong');
        assert.match(said, /^auth: /);
        await directory.scramParameters({ login: name, arrival: nowhere }, 'sha256');
        await directory.explain({ login: name, arrival: { localAddress: b, serverName: a } });
        directory.proofKinds({ localAddress: b, serverName: a });
      }
    }
  }
  for (const path of asked) {
    const below = path.slice(root.length);
    assert.ok(path.startsWith(root), path);
    assert.match(below, /^$|^\/[a-z0-9_.-]+(\/(passwd|domain\.toml|accounts(\/[^/\0]{1,64}\.toml)?))?$/);
    assert.doesNotMatch(below, /\/\.|\.\.|%2e%2e\//);
  }
  assert.ok(asked.has(join(root, 'kvt.dk/passwd')));
});

test('account settings: services, disabled, language, verifiers', async (t) => {
  const { login, directory, write } = openHouse(t, {
    'kvt.dk/passwd': 'abc:{PLAIN}one\nweb:{PLAIN}two\noff:{PLAIN}six\n',
    'kvt.dk/domain.toml': 'language = "da"\nunknown_users = "postmaster"\n',
    'kvt.dk/accounts/web.toml': 'services = ["web", "imap", "receive"]\nlanguage = "de"\nquota = 5\n',
    'kvt.dk/accounts/off.toml': 'disabled = true\n',
    'forward.example/passwd': '',
    'forward.example/domain.toml': 'unknown_users = "Abc@KVT.dk"',
  });
  assert.equal(await login('abc', 'one'), 'abc@kvt.dk');
  assert.equal(await login('web', 'two'), 'auth: not for pop3');
  assert.equal(await login('web', 'two', nowhere, 'web'), 'web@kvt.dk');
  assert.equal(await login('off', 'six'), 'auth: disabled');
  assert.equal(await login('off', 'wrong'), 'auth: wrong password');
  const facts = async (name: string) => {
    const account = await directory.account(address(name));
    return [account?.language, [...(account?.services ?? [])].sort()];
  };
  assert.deepEqual(await facts('abc@kvt.dk'), ['da', ['pop3', 'receive', 'smtp-auth', 'web']]);
  assert.deepEqual(await facts('web@kvt.dk'), ['de', ['receive', 'web']]);
  assert.deepEqual(await facts('off@kvt.dk'), ['da', ['receive']]);
  assert.deepEqual(await directory.domain(domain('kvt.dk')), { name: 'kvt.dk', unknownUsers: { kind: 'postmaster' } });
  assert.deepEqual(await directory.domain(domain('forward.example')), {
    name: 'forward.example',
    unknownUsers: { kind: 'address', address: { user: 'abc', domain: 'kvt.dk' } },
  });
  write('kvt.dk/accounts/web.toml', '');
  assert.equal(await login('web', 'two'), 'web@kvt.dk');
});

test('allowed networks: those of the account, else of the domain, else all; the proof is looked at first', async (t) => {
  const { login, directory, write } = openHouse(t, {
    'kvt.dk/passwd': 'abc:{PLAIN}one\nkvt:{PLAIN}two\nfar:{PLAIN}six\n',
    'kvt.dk/domain.toml': 'networks = ["192.0.2.0/24", "2001:db8::/32"]\n',
    'kvt.dk/accounts/kvt.toml': 'networks = ["198.51.100.7"]\n',
    'kvt.dk/accounts/far.toml': 'networks = ["0.0.0.0/0", "::/0"]\n',
  });
  const from = (remoteAddress: string | undefined) => ({ ...nowhere, remoteAddress });
  const table: [user: string, password: string, from: string | undefined, outcome: string][] = [
    ['abc', 'one', '192.0.2.200', 'abc@kvt.dk'],
    ['abc', 'one', '2001:db8:7::1', 'abc@kvt.dk'],
    ['abc', 'one', '198.51.100.7', 'auth: not from this network'],
    ['abc', 'one', 'fe80::1', 'auth: not from this network'],
    ['abc', 'wrong', '198.51.100.7', 'auth: wrong password'],
    ['kvt', 'two', '198.51.100.7', 'kvt@kvt.dk'],
    ['kvt', 'two', '198.51.100.8', 'auth: not from this network'],
    ['kvt', 'two', '192.0.2.200', 'auth: not from this network'],
    ['far', 'six', '203.0.113.1', 'far@kvt.dk'],
    ['far', 'six', 'fe80::1', 'far@kvt.dk'],
    // Nobody came from anywhere: not checked.
    ['kvt', 'two', undefined, 'kvt@kvt.dk'],
  ];
  for (const [user, password, address, outcome] of table)
    assert.equal(await login(user, password, from(address)), outcome, `${user} ${address}`);
  const { steps } = await directory.explain({ login: 'abc', arrival: nowhere });
  assert.deepEqual(
    steps.filter(({ rule }) => rule === 'networks'),
    [{ rule: 'networks', outcome: 'logins only from 192.0.2.0/24, 2001:db8::/32' }],
  );
  write('kvt.dk/domain.toml', '');
  assert.equal(await login('abc', 'one', from('203.0.113.1')), 'abc@kvt.dk');
  assert.equal(await login('kvt', 'two', from('203.0.113.1')), 'auth: not from this network');
});

test('settings that make no sense are told with file and line, and nothing is decided without them', async (t) => {
  const table: [string, string, number, string][] = [
    ['kvt.dk/domain.toml', '# mine\npassword_kind = "clear"\n', 2, 'password_kind: must be "auto" or "plain" or "crypt"'],
    ['kvt.dk/domain.toml', 'unknown_users = "nobody"', 1, 'unknown_users: must be "bounce", "postmaster" or an address'],
    ['kvt.dk/domain.toml', '\n\nlanguage = 5\n', 3, 'language: must be a string'],
    ['kvt.dk/domain.toml', 'language = "da dk"', 1, 'language: must be a language tag'],
    ['kvt.dk/domain.toml', 'networks = "192.0.2.0/24"', 1, 'networks: must be a list of strings'],
    ['kvt.dk/domain.toml', '\nnetworks = []', 2, 'networks: is empty; everywhere is ["0.0.0.0/0", "::/0"]'],
    [
      'kvt.dk/accounts/abc.toml',
      'networks = ["192.0.2.0/24", "192.0.2.0/33"]',
      1,
      'networks: not a network: "192.0.2.0/33"; written like 192.0.2.0/24 or 2001:db8::/32',
    ],
    ['kvt.dk/accounts/abc.toml', 'services = "pop3"', 1, 'services: must be a list of strings'],
    ['kvt.dk/accounts/abc.toml', 'a = 1\n"services" = [1]', 2, 'services: must be a list of strings'],
    ['kvt.dk/accounts/abc.toml', 'disabled = "yes"', 1, 'disabled: must be true or false'],
    ['kvt.dk/accounts/abc.toml', 'verifiers = ["{NOSUCH}x"]', 1, 'verifiers: number 1 is unknown or malformed'],
  ];
  for (const [file, text, line, reason] of table) {
    const { login, directory, events, write } = openHouse(t, { 'kvt.dk/passwd': 'abc:{PLAIN}one\n', [file]: text });
    assert.equal(await login('abc', 'one'), `temporary: ${file}:${line}: ${reason}`);
    await assert.rejects(directory.account(address('abc@kvt.dk')), { kind: 'temporary' });
    assert.deepEqual(events, [{ event: 'directory.bad-settings', file, line, reason }], 'said once');
    write(file, '');
    assert.equal(await login('abc', 'one'), 'abc@kvt.dk');
  }
  const { login, events } = openHouse(t, { 'kvt.dk/passwd': 'abc:{PLAIN}one\n', 'kvt.dk/domain.toml': 'a = 1\nb = = 2\n' });
  assert.match(await login('abc', 'one'), /^temporary: kvt\.dk\/domain\.toml:2: /);
  assert.deepEqual([events[0]?.event, events[0]?.line], ['directory.bad-settings', 2]);
});

test('SCRAM from stored keys, and passwords checked against them', async (t) => {
  // By doveadm pw, of `lækker7`.
  const scram =
    '{SCRAM-SHA-256}4096,+7rci83x5LcgqL2d9PJxIw==,NSkHPeRTP9bLvaiV++roZ3hQzVvZ21U1JlsIavrN2dQ=,x+l6HwdG7OXNkliH8H0LLSzZsXsV1OMH6uJIdw7oxfg=';
  const { login, directory } = openHouse(t, {
    'kvt.dk/passwd': `stored:${scram}\nbeside:${pbkdf2}\n`,
    'kvt.dk/accounts/beside.toml': `verifiers = ["${scram}"]\n`,
  });
  for (const name of ['stored', 'beside']) {
    const claim = { login: name, arrival: nowhere };
    const { salt, iterations } = await directory.scramParameters(claim, 'sha256');
    assert.deepEqual([salt.toString('base64'), iterations], ['+7rci83x5LcgqL2d9PJxIw==', 4096]);
    const { proof, signature } = scramProof('sha256', 'lækker7', salt, iterations);
    const admission = await directory.authenticate(claim, proof, 'pop3');
    assert.deepEqual([admission.account.mailbox.name, admission.serverSignature], [`${name}@kvt.dk`, signature]);
    assert.equal(await login(name, 'lækker7'), `${name}@kvt.dk`);
    assert.equal(await login(name, scramProof('sha256', 'lækker8', salt, iterations).proof), 'auth: wrong scram');
    const sha1 = await directory.scramParameters(claim, 'sha1');
    assert.equal(await login(name, scramProof('sha1', 'lækker7', sha1.salt, sha1.iterations).proof), 'auth: wrong scram');
  }
});

const jens: SystemUser = { name: 'jens', uid: 1000, gid: 1000, gecos: '', home: '/home/jens', shell: '/bin/sh' };

test('system users, where they may log in: default domain stripped (A43), root never', async (t) => {
  const checked: string[] = [];
  const hostUsers = {
    find: (name: string) => (name === 'jens' ? jens : name === 'root' ? { ...jens, name: 'root', uid: 0 } : undefined),
    async check(name: string, password: Buffer) {
      checked.push(name);
      return password.equals(Buffer.from('of the host'));
    },
  };
  const { login, directory } = openHouse(
    t,
    { 'kvt.dk/passwd': 'jens:{PLAIN}virtual\nabc:{PLAIN}one\n', 'other.example/passwd': 'jens:{PLAIN}virtual\n' },
    { systemUsers: hostUsers },
  );
  for (const name of ['jens', 'jens@kvt.dk', 'JENS%KVT.DK']) assert.equal(await login(name, 'of the host'), 'jens');
  assert.equal(await login('s-jens', 'of the host'), 's-jens');
  assert.equal(await login('jens@kvt.dk', 'virtual'), 'auth: wrong password');
  assert.equal(await login('jens@other.example', 'virtual'), 'jens@other.example');
  assert.equal(await login('abc', 'one'), 'abc@kvt.dk');
  checked.length = 0;
  assert.equal(await login('root', 'of the host'), 'auth: no such user');
  assert.equal(await login('nobody', 'of the host'), 'auth: no such user');
  assert.deepEqual(checked, ['root', 'nobody'], 'the same work for who does not exist');
  assert.equal(await login('jens', { kind: 'apop', timestamp: '<1@x>', digest: '' }), 'auth: no apop for system users');
  assert.deepEqual((await directory.account(address('jens@kvt.dk')))?.mailbox, {
    name: 'jens',
    user: 'jens',
    domain: undefined,
    home: '/home/jens',
    owner: { uid: 1000, gid: 1000 },
  });
  assert.deepEqual([...directory.proofKinds(nowhere)], ['password']);
});

test('everybody of a domain whose mail this process may touch, with the place of their mail; nobody of a domain that is none', async (t) => {
  const lines = [
    'abc:{PLAIN}x:601:100::.:',
    '# ny:',
    'Kvt:{PLAIN}x:601:100::/home/kvt/:',
    'no line',
    'two:{PLAIN}x',
    'other:{PLAIN}x:602:100::.:',
    'root:{PLAIN}x:0:0::.:',
  ];
  const { directory } = openHouse(t, { 'kvt.dk/passwd': lines.map((line) => `${line}\n`).join('') });
  assert.deepEqual(
    (await directory.mailboxes(domain('kvt.dk'))).map(({ name, home, owner }) => [name, home, owner?.uid]),
    [
      ['abc@kvt.dk', undefined, 601],
      ['kvt@kvt.dk', '/home/kvt', 601],
      ['two@kvt.dk', undefined, undefined],
    ],
  );
  assert.deepEqual(await directory.mailboxes(domain('other.example')), []);
});

test('without virtual domains the house is still a house (A44)', async (t) => {
  const hostUsers = { find: (name: string) => (name === 'jens' ? jens : undefined), check: async () => true };
  const { login, directory } = openHouse(t, {}, { systemUsers: hostUsers, defaultDomain: undefined, root: '/nonexistent' });
  assert.equal(await login('jens', 'x'), 'jens');
  assert.equal(await login('jens@kvt.dk', 'x'), 'auth: no such domain');
  assert.equal(await directory.domain(domain('kvt.dk')), undefined);
});

test('a domain may be found by the reverse name of the local address, where that is wanted (B16)', async (t) => {
  const names = new Map([
    ['192.0.2.1', 'other.example'],
    ['192.0.2.2', 'unknown.example'],
  ]);
  const { login } = openHouse(
    t,
    { 'kvt.dk/passwd': 'abc:{PLAIN}one\n', 'other.example/passwd': 'abc:{PLAIN}two\n' },
    { reverseName: async (local) => names.get(local) },
  );
  assert.equal(await login('abc', 'two', { localAddress: '192.0.2.1', serverName: 'kvt.dk' }), 'abc@other.example');
  assert.equal(await login('abc', 'one', { localAddress: '192.0.2.2', serverName: undefined }), 'abc@kvt.dk');
  assert.equal(await login('abc', 'one', { localAddress: '192.0.2.3', serverName: undefined }), 'abc@kvt.dk');
});

test('explain names each rule and the file that ends up used', async (t) => {
  const { directory, root } = openHouse(t, { 'kvt.dk/passwd': '# first\nkvt:{PLAIN}x:601:100::/home/kvt_dk/:\n' });
  const { steps } = await directory.explain({ login: 's-KVT', arrival: { localAddress: '192.0.2.1', serverName: 'pop.example' } });
  assert.deepEqual(
    steps.map(({ rule, outcome }) => `${rule}: ${outcome}`),
    [
      'login name: user s-kvt, no domain typed',
      'domain of the local address: 192.0.2.1: no domain',
      'TLS server name: pop.example: no domain',
      'default domain: kvt.dk',
      'system user s-kvt: none that may log in',
      'account s-kvt@kvt.dk: no such user',
      'login name, s- taken as an option: user kvt, no domain typed',
      'system user kvt: none that may log in',
      'account kvt@kvt.dk: found',
      `passwd file: ${root}/kvt.dk/passwd, line 2`,
      'password: clear text',
      'account: kvt@kvt.dk, uid 601, gid 100, home /home/kvt_dk',
    ],
  );
});

test('whatever stands in the files, and whatever is typed: a documented fault, and nobody gets in', async (t) => {
  const { directory, write } = openHouse(t, { 'kvt.dk/passwd': '' }, { passwordKind: 'plain' });
  const line = fc.constantFrom(
    'abc',
    ':',
    '*',
    '!',
    '$6$',
    '$',
    '{PLAIN}',
    '{SHA}',
    '{',
    '\n',
    '601',
    '.',
    'x',
    '\0',
    'é',
    '=',
    '"',
    '[',
    'password_kind',
    '#',
  );
  const octets = fc.oneof(
    fc.uint8Array({ maxLength: 100 }).map(Buffer.from),
    fc.array(line, { maxLength: 20 }).map((all) => Buffer.from(all.join(''))),
  );
  const typed = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('abc@kvt.dk', 'abc', 's-abc', '*@kvt.dk'));
  await fc.assert(
    fc.asyncProperty(octets, fc.option(octets, { nil: Buffer.alloc(0) }), typed, async (passwd, toml, login) => {
      write('kvt.dk/passwd', passwd);
      write('kvt.dk/domain.toml', toml);
      const proof = { kind: 'password', password: Buffer.from('in none of these files') } as const;
      await assert.rejects(directory.authenticate({ login, arrival: nowhere }, proof, 'pop3'), (thrown) => {
        assert.ok(thrown instanceof Fault && ['auth', 'temporary'].includes(thrown.kind), String(thrown));
        return true;
      });
      directory.proofKinds(nowhere);
    }),
    { numRuns: 200 },
  );
});
