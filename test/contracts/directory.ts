/** What every Directory keeps to. A backend's test makes a house of the accounts below and hands over a way to open it. */
import assert from 'node:assert/strict';
import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { type Address, type DomainName, parseAddress, parseDomainName } from '../../src/model/address.ts';
import type { AccountRules, Alias, Arrival, Directory, Proof, ScramHash, Service } from '../../src/model/directory.ts';
import { Fault } from '../../src/model/fault.ts';

/** Passwords are kept in clear text, so that every proof can be honoured. */
export const contractAccounts: readonly { readonly address: string; readonly password: string; readonly services?: readonly Service[] }[] =
  [
    { address: 'abc@kvt.dk', password: 'abcpasswd' },
    { address: 'kvt@kvt.dk', password: 'kvtpasswd' },
    { address: 's-real@kvt.dk', password: 'really so' },
    { address: 'jørgen@kvt.dk', password: 'lækker7' },
    { address: 'abc@other.example', password: 'another' },
    { address: 'post@kvt.dk', password: 'no pop', services: ['receive'] },
  ];

/** Beside them: what is written as `domain.toml` and `aliases`, and for one account as its own file. */
export const contractDomain = {
  name: 'other.example',
  rules: {
    aliasOf: 'kvt.dk',
    foldsSubdomains: true,
    quotaOctets: 5_000_000,
    rewritesSenders: false,
    popBeforeSmtp: true,
  },
  aliases: 'info: abc, somebody@elsewhere.example, "a, b"@kvt.dk\nold: abc, :expires:2020-01-01\nsales-*: abc@kvt.dk\n*: abc\n',
} as const;

export const contractRules = {
  address: 'kvt@kvt.dk',
  rules: {
    forward: ['abc@kvt.dk', 'x@elsewhere.example'],
    keepsCopy: false,
    vacation: {
      from: '2026-12-24',
      until: '2027-01-02',
      timeZone: 'Europe/Copenhagen',
      subject: 'Væk',
      text: 'Jeg er væk.\n',
      intervalDays: 3,
      addresses: ['info@kvt.dk'],
    },
    quotaOctets: 1_000_000,
    receipts: 'ask',
    expireDays: 30,
  },
} as const satisfies { readonly address: string; readonly rules: AccountRules };

export interface ContractHouse {
  readonly defaultDomain: DomainName;
  readonly addresses: ReadonlyMap<string, DomainName>;
}

const nowhere: Arrival = { localAddress: undefined, serverName: undefined };

/** @param knowsTheHouse it can say what every account of every domain can honour. Default: yes */
export function directoryContract(
  name: string,
  open: (house: ContractHouse, t: TestContext) => Directory,
  { knowsTheHouse = true } = {},
): void {
  const house: ContractHouse = { defaultDomain: domain('kvt.dk'), addresses: new Map([['192.0.2.10', domain('other.example')]]) };

  test(`${name}: logins and who they are`, async (t) => {
    const directory = open(house, t);
    const other: Arrival = { localAddress: '192.0.2.10', serverName: undefined };
    const bySni: Arrival = { localAddress: '192.0.2.11', serverName: 'Other.Example' };
    const mapped: Arrival = { localAddress: '::ffff:192.0.2.10', serverName: 'kvt.dk' };
    const table: [string, Arrival, string, string][] = [
      ['abc@kvt.dk', nowhere, 'abcpasswd', 'abc@kvt.dk'],
      ['abc%kvt.dk', nowhere, 'abcpasswd', 'abc@kvt.dk'],
      ['ABC@KVT.dk.', nowhere, 'abcpasswd', 'abc@kvt.dk'],
      ['JØRGEN@kvt.dk', nowhere, 'lækker7', 'jørgen@kvt.dk'],
      ['abc', nowhere, 'abcpasswd', 'abc@kvt.dk'],
      ['abc', other, 'another', 'abc@other.example'],
      ['abc', mapped, 'another', 'abc@other.example'],
      ['abc', bySni, 'another', 'abc@other.example'],
      ['abc', { localAddress: undefined, serverName: 'unknown.example' }, 'abcpasswd', 'abc@kvt.dk'],
      // vm-pop3d: a domain that is typed overrides the one of the address.
      ['abc@kvt.dk', other, 'abcpasswd', 'abc@kvt.dk'],
      ['s-real@kvt.dk', nowhere, 'really so', 's-real@kvt.dk'],
    ];
    for (const [login, arrival, password, expected] of table) {
      const { account, noStatus } = await directory.authenticate({ login, arrival }, passwordProof(password), 'pop3');
      assert.deepEqual([login, account.mailbox.name, noStatus], [login, expected, false]);
    }
    const { account, noStatus } = await directory.authenticate(claim('s-abc@kvt.dk'), passwordProof('abcpasswd'), 'pop3');
    assert.deepEqual([account.mailbox.name, noStatus], ['abc@kvt.dk', true]);
  });

  test(`${name}: every refusal in the same words`, async (t) => {
    const directory = open(house, t);
    const attempts: [string, Proof][] = [
      ['abc@kvt.dk', passwordProof('wrong')],
      ['abc@kvt.dk', passwordProof('')],
      ['abc@kvt.dk', passwordProof('abcpasswd\0')],
      ['abc@kvt.dk', passwordProof('another')],
      ['nobody@kvt.dk', passwordProof('abcpasswd')],
      ['nobody@nowhere.example', passwordProof('nobody')],
      ['', passwordProof('abcpasswd')],
      ['../kvt.dk/abc', passwordProof('abcpasswd')],
      ['__proto__@kvt.dk', passwordProof('abcpasswd')],
      ['constructor', passwordProof('abcpasswd')],
      ['x'.repeat(10_000), passwordProof('abcpasswd')],
      ['post@kvt.dk', passwordProof('no pop')],
      ['abc@kvt.dk', { kind: 'apop', timestamp: '<1.2@kvt.dk>', digest: '0'.repeat(32) }],
      ['nobody@kvt.dk', { kind: 'cram-md5', challenge: '<1.2@kvt.dk>', digest: '0'.repeat(32) }],
      ['abc@kvt.dk', { kind: 'scram', hash: 'sha256', authMessage: Buffer.from('x'), clientProof: Buffer.alloc(32) }],
      ['abc@kvt.dk', { kind: 'scram', hash: 'sha1', authMessage: Buffer.from('x'), clientProof: Buffer.alloc(3) }],
      ['nobody@kvt.dk', { kind: 'scram', hash: 'sha1', authMessage: Buffer.from('x'), clientProof: Buffer.alloc(20) }],
    ];
    for (const [login, proof] of attempts) {
      await assert.rejects(directory.authenticate(claim(login), proof, 'pop3'), (thrown) => {
        assert.ok(thrown instanceof Fault);
        assert.deepEqual(
          [login.slice(0, 99), thrown.kind, thrown.text, thrown.values],
          [login.slice(0, 99), 'auth', 'authentication failed', {}],
        );
        return true;
      });
    }
  });

  test(`${name}: APOP, RFC 1939 section 7, and CRAM-MD5, RFC 2195`, async (t) => {
    const directory = open(house, t);
    const timestamp = '<1896.697170952@dbc.mtview.ca.us>';
    const digest = createHash('md5').update(`${timestamp}lækker7`).digest('hex');
    const hmac = createHmac('md5', 'lækker7').update(timestamp).digest('hex');
    for (const proof of [{ kind: 'apop', timestamp, digest } as const, { kind: 'cram-md5', challenge: timestamp, digest: hmac } as const]) {
      assert.equal((await directory.authenticate(claim('jørgen@kvt.dk'), proof, 'pop3')).account.mailbox.name, 'jørgen@kvt.dk');
      await assert.rejects(directory.authenticate(claim('abc@kvt.dk'), proof, 'pop3'), { kind: 'auth' });
    }
  });

  for (const hash of ['sha1', 'sha256'] as const) {
    test(`${name}: SCRAM with ${hash}, RFC 5802 section 3`, async (t) => {
      const directory = open(house, t);
      const login = claim('jørgen%KVT.dk');
      const { salt, iterations } = await directory.scramParameters(login, hash);
      assert.deepEqual(
        await directory.scramParameters(claim('jørgen@kvt.dk'), hash),
        { salt, iterations },
        'the same for the same account',
      );
      assert.ok(iterations >= 4096, 'RFC 7677 section 4');
      const { proof, signature } = scramProof(hash, 'lækker7', salt, iterations);
      const { account, serverSignature } = await directory.authenticate(login, proof, 'pop3');
      assert.equal(account.mailbox.name, 'jørgen@kvt.dk');
      assert.deepEqual(serverSignature, signature);
      const wrong = scramProof(hash, 'lækker8', salt, iterations);
      await assert.rejects(directory.authenticate(login, wrong.proof, 'pop3'), { kind: 'auth' });
    });

    test(`${name}: SCRAM with ${hash} doesn't tell who exists`, async (t) => {
      const directory = open(house, t);
      const known = await directory.scramParameters(claim('abc@kvt.dk'), hash);
      const unknown = await directory.scramParameters(claim('nobody@kvt.dk'), hash);
      assert.deepEqual([unknown.iterations, unknown.salt.length], [known.iterations, known.salt.length]);
      assert.deepEqual(await directory.scramParameters(claim('NOBODY%kvt.dk'), hash), unknown);
      assert.notDeepEqual((await directory.scramParameters(claim('nobody2@kvt.dk'), hash)).salt, unknown.salt);
      // With the option the same account is meant, whether it exists or not.
      assert.deepEqual(await directory.scramParameters(claim('s-abc@kvt.dk'), hash), known);
      assert.deepEqual(await directory.scramParameters(claim('s-nobody@kvt.dk'), hash), unknown);
      assert.deepEqual(
        await directory.scramParameters(claim('real@kvt.dk'), hash),
        await directory.scramParameters(claim('s-real@kvt.dk'), hash),
      );
      assert.deepEqual(await open(house, t).scramParameters(claim('nobody@kvt.dk'), hash), unknown, 'the same after a restart');
    });
  }

  test(`${name}: announces what each account can honour that could be meant`, async (t) => {
    const everything = ['apop', 'cram-md5', 'password', 'scram-sha-1', 'scram-sha-256'];
    const directory = open(house, t);
    assert.deepEqual([...directory.proofKinds(nowhere)].sort(), knowsTheHouse ? everything : ['password']);
    await directory.domain(domain('other.example'));
    for (const arrival of [
      { localAddress: '192.0.2.10', serverName: undefined },
      { localAddress: undefined, serverName: 'Other.Example' },
    ]) {
      assert.deepEqual([...directory.proofKinds(arrival)].sort(), everything);
    }
  });

  test(`${name}: addresses and domains, exactly`, async (t) => {
    const directory = open(house, t);
    const names = async (text: string) => (await directory.account(address(text)))?.mailbox;
    assert.deepEqual(await names('abc@kvt.dk'), { name: 'abc@kvt.dk', ...address('abc@kvt.dk'), home: undefined, owner: undefined });
    assert.equal(await names('abc+tag@kvt.dk'), undefined);
    assert.equal(await names('nobody@kvt.dk'), undefined);
    assert.equal(await names('s-abc@kvt.dk'), undefined);
    assert.equal(await names('abc@sub.kvt.dk'), undefined);
    assert.deepEqual([...((await directory.account(address('post@kvt.dk')))?.services ?? [])], ['receive']);
    assert.deepEqual(await directory.domain(domain('kvt.dk')), { name: 'kvt.dk', unknownUsers: { kind: 'bounce' } });
    assert.equal(await directory.domain(domain('nowhere.example')), undefined);
  });

  test(`${name}: aliases and patterns`, async (t) => {
    const directory = open(house, t);
    const table: [string, 'alias' | 'pattern', Alias | undefined][] = [
      ['info@other.example', 'alias', { name: 'info', targets: ['abc@other.example', 'somebody@elsewhere.example', '"a, b"@kvt.dk'] }],
      ['INFO@other.example', 'alias', { name: 'info', targets: ['abc@other.example', 'somebody@elsewhere.example', '"a, b"@kvt.dk'] }],
      ['old@other.example', 'alias', undefined],
      ['abc@other.example', 'alias', undefined],
      ['sales-dk@other.example', 'alias', undefined],
      ['info@kvt.dk', 'alias', undefined],
      ['info@nowhere.example', 'alias', undefined],
      ['sales-dk@other.example', 'pattern', { name: 'sales-*', targets: ['abc@kvt.dk'] }],
      ['anything@other.example', 'pattern', { name: '*', targets: ['abc@other.example'] }],
      ['sales-dk@kvt.dk', 'pattern', undefined],
      ['x@nowhere.example', 'pattern', undefined],
    ];
    for (const [text, what, expected] of table) assert.deepEqual([text, await directory[what](address(text))], [text, expected]);
  });

  test(`${name}: what owners say of their domains and accounts`, async (t) => {
    const directory = open(house, t);
    assert.deepEqual(await directory.domain(domain(contractDomain.name)), {
      name: contractDomain.name,
      unknownUsers: { kind: 'bounce' },
      ...contractDomain.rules,
    });
    assert.deepEqual((await directory.account(address(contractRules.address)))?.rules, contractRules.rules);
    const { account } = await directory.authenticate(claim(contractRules.address), passwordProof('kvtpasswd'), 'pop3');
    assert.deepEqual(account.rules, contractRules.rules);
    assert.equal((await directory.account(address('abc@kvt.dk')))?.rules, undefined);
  });

  test(`${name}: explains what authenticate does`, async (t) => {
    const directory = open(house, t);
    const { steps, account } = await directory.explain(claim('s-ABC%kvt.dk'));
    assert.equal(account?.mailbox.name, 'abc@kvt.dk');
    assert.match(steps.at(-1)?.outcome ?? '', /^abc@kvt\.dk/);
    const none = await directory.explain(claim('nobody@kvt.dk'));
    assert.equal(none.account, undefined);
    assert.deepEqual(none.steps.at(-1), { rule: 'account', outcome: 'none' });
  });
}

export function claim(login: string, arrival: Arrival = nowhere) {
  return { login, arrival };
}

export function passwordProof(password: string): Proof {
  return { kind: 'password', password: Buffer.from(password) };
}

/** The client's side, worked out apart from the code under test. RFC 5802 section 3. */
export function scramProof(hash: ScramHash, password: string, salt: Buffer, iterations: number): { proof: Proof; signature: Buffer } {
  const authMessage = Buffer.from('n=user,r=abc,r=abcdef,s=QSXCR+Q6sek8bf92,i=4096,c=biws,r=abcdef');
  const hmac = (key: Buffer, text: string | Buffer) => createHmac(hash, key).update(text).digest();
  const salted = pbkdf2Sync(password, salt, iterations, hash === 'sha1' ? 20 : 32, hash);
  const clientKey = hmac(salted, 'Client Key');
  const clientSignature = hmac(createHash(hash).update(clientKey).digest(), authMessage);
  const clientProof = Buffer.from(clientKey.map((octet, index) => octet ^ (clientSignature[index] ?? 0)));
  return { proof: { kind: 'scram', hash, authMessage, clientProof }, signature: hmac(hmac(salted, 'Server Key'), authMessage) };
}

export function address(text: string): Address {
  const parsed = parseAddress(text);
  assert.ok(parsed, `not an address: ${text}`);
  return parsed;
}

export function domain(text: string): DomainName {
  const parsed = parseDomainName(text);
  assert.ok(parsed, `not a domain: ${text}`);
  return parsed;
}
