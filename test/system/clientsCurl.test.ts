/** curl fetches: over plain loopback, STLS and POP3S, with each login it knows, and takes home every octet. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type ClientHouse, formats, openClientHouse, password } from './support/clientHouse.ts';
import { extreme, ordinary, topOf, wireOf, withStatus } from './support/nastyMail.ts';
import { missing, type Ran, run } from './support/programs.ts';

const all = [...ordinary, ...extreme];

function listingOf(messages: readonly Buffer[]): string {
  return messages.map(({ length }, index) => `${index + 1} ${length}\r\n`).join('');
}

describe('curl', { skip: missing('curl', 'curl') }, () => {
  let house: ClientHouse;
  let home: string;
  before(async () => {
    house = await openClientHouse({ login: ['failure_delay_ms = 0'] });
    home = house.home('curl');
  });
  after(() => house.close());

  const ways = ['plain', 'STLS', 'POP3S'] as const;
  function urlOf(way: (typeof ways)[number]): { url: string; options: string[] } {
    const { pop3, pop3s } = house.server.ports;
    if (way === 'POP3S') return { url: `pop3s://localhost:${pop3s}`, options: ['--cacert', house.certificate] };
    return { url: `pop3://localhost:${pop3}`, options: way === 'STLS' ? ['--ssl-reqd', '--cacert', house.certificate] : [] };
  }

  function curl(login: string, ...args: readonly string[]): Promise<Ran> {
    return run('curl', ['-q', '-sS', '--max-time', '60', '-u', `${login}:${password}`, ...args], { home });
  }

  async function output(login: string, ...args: readonly string[]): Promise<Buffer> {
    const { status, out, said } = await curl(login, ...args);
    assert.deepEqual({ status, said }, { status: 0, said: '' });
    return out;
  }

  for (const format of formats) {
    for (const way of ways) {
      test(`RETR from ${format}, ${way}: every octet as it was put there`, async () => {
        const { url, options } = urlOf(way);
        const login = house.mailbox(format, all);
        await output(login, ...options, `${url}/[1-${all.length}]`, '-o', `${format}-${way}-#1`);
        const fetched = all.map((_, index) => readFileSync(join(home, `${format}-${way}-${index + 1}`)));
        for (const [index, wire] of wireOf(all).entries())
          assert.ok(fetched[index]?.equals(wire), `message ${index + 1}: ${all[index]?.name}`);
      });
    }

    test(`listings, TOP and DELE in ${format}`, async () => {
      const { url } = urlOf('plain');
      const login = house.mailbox(format, ordinary);
      assert.equal((await output(login, `${url}/`)).toString(), listingOf(wireOf(ordinary)));
      const ids = (await output(login, '-X', 'UIDL', `${url}/`)).toString().split('\r\n');
      assert.deepEqual(
        ids.map((row) => row.replace(/^(\d+) [\x21-\x7e]{1,70}$/, '$1')),
        [...ordinary.map((_, index) => `${index + 1}`), ''],
      );
      const [dots = Buffer.alloc(0)] = wireOf(ordinary);
      for (const lines of [0, 2, 1000]) {
        assert.equal((await output(login, '-X', `TOP 1 ${lines}`, `${url}/`)).toString(), topOf(dots, lines));
      }

      await output(login, '-I', '-X', 'DELE', `${url}/2`);
      const rest = wireOf(ordinary.toSpliced(1, 1)).map((wire) => (format === 'mbox' ? withStatus(wire, 'O') : wire));
      assert.equal((await output(login, `${url}/`)).toString(), listingOf(rest));
      const idsAfter = (await output(login, '-X', 'UIDL', `${url}/`)).toString().split('\r\n');
      const bare = (rows: readonly string[]) => rows.map((row) => row.replace(/^\d+ /, ''));
      assert.deepEqual(bare(idsAfter), bare(ids.toSpliced(1, 1)));
      const last = await output(login, `${url}/${rest.length}`);
      assert.ok(rest.at(-1)?.equals(last));
    });
  }

  for (const way of ways) {
    for (const [option, method] of [
      ['AUTH=PLAIN', 'PLAIN'],
      ['AUTH=LOGIN', 'LOGIN'],
      ['AUTH=CRAM-MD5', 'CRAM-MD5'],
      ['AUTH=SCRAM-SHA-1', 'SCRAM-SHA-1'],
      ['AUTH=SCRAM-SHA-256', 'SCRAM-SHA-256'],
      ['AUTH=+APOP', 'APOP'],
    ] as const) {
      const isScram = method.startsWith('SCRAM');
      // Where it isn't known it needn't be said three times.
      if (isScram && way !== 'POP3S') continue;
      test(`${option}, ${way}`, async (t) => {
        if (isScram) {
          const { out } = await run('curl', ['-q', '--version'], { home });
          if (!/^Features:.* gsasl\b/m.test(out.toString())) return t.skip('this curl is built without GNU SASL, so it knows no SCRAM');
        }
        const { url, options } = urlOf(way);
        const login = house.mailbox('mbox', ordinary);
        const out = await output(login, ...options, '--login-options', option, `${url}/1`);
        assert.ok(ordinary[0]?.wire.equals(out));
        assert.equal(await house.method(login), way === 'plain' ? method : `${method}, TLS`);
        return undefined;
      });
    }
  }

  test('initial response in the AUTH line (--sasl-ir)', async () => {
    const { url, options } = urlOf('POP3S');
    const login = house.mailbox('mbox', ordinary);
    assert.ok(ordinary[0]?.wire.equals(await output(login, ...options, '--sasl-ir', '--login-options', 'AUTH=PLAIN', `${url}/1`)));
  });

  test('a wrong password and a message that is not there are refused, and curl says so', async () => {
    const { url } = urlOf('plain');
    const login = house.mailbox('mbox', ordinary);
    const wrong = await run('curl', ['-q', '-sS', '--max-time', '60', '-u', `${login}:wrong`, `${url}/1`], { home });
    assert.deepEqual({ ...wrong, out: wrong.out.toString() }, { status: 67, out: '', said: 'curl: (67) Login denied\n' });
    const none = await curl(login, `${url}/99`);
    assert.deepEqual([none.status, none.out.toString()], [8, '']);
  });
});

describe('curl where no password may cross unencrypted', { skip: missing('curl', 'curl') }, () => {
  test('STLS is asked for, and enough', async (t) => {
    const house = await openClientHouse({ login: ['plaintext_networks = []', 'mechanisms = ["PLAIN", "LOGIN"]'] });
    t.after(() => house.close());
    const home = house.home('curl');
    const login = house.mailbox('mbox', ordinary);
    const url = `pop3://localhost:${house.server.ports.pop3}/1`;
    const args = ['-q', '-sS', '--max-time', '60', '-u', `${login}:${password}`, '--cacert', house.certificate];
    const plain = await run('curl', [...args, '--login-options', 'AUTH=PLAIN', url], { home });
    assert.deepEqual([plain.status, plain.out.toString()], [67, '']);
    // --ssl: with TLS where the server offers it.
    const { status, out, said } = await run('curl', [...args, '--ssl', url], { home });
    assert.deepEqual({ status, said }, { status: 0, said: '' });
    assert.ok(ordinary[0]?.wire.equals(out));
  });
});
