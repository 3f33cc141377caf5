/** fetchmail brings each message home once, whole, over plain loopback, STLS and POP3S. */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type ClientHouse, formats, openClientHouse, password, withoutTrace } from './support/clientHouse.ts';
import { assertWhole, atRest, ordinary } from './support/nastyMail.ts';
import { Pop3Client } from './support/pop3Client.ts';
import { missing, run } from './support/programs.ts';

const ways = ['plain', 'STLS', 'POP3S'] as const;
const FETCHED = 0;
const NOTHING_NEW = 1;

describe('fetchmail', { skip: missing('fetchmail', 'fetchmail') }, () => {
  let house: ClientHouse;
  before(async () => {
    house = await openClientHouse();
  });
  after(() => house.close());

  /** A user of fetchmail, whose mail ends up in files numbered as they came. */
  function fetcher(name: string, login: string, way: (typeof ways)[number], options: { keep: boolean; protocol?: string; auth?: string }) {
    const home = house.home(name);
    const mail = join(home, 'mail');
    mkdirSync(mail);
    const { pop3, pop3s } = house.server.ports;
    const trust = `sslcertck sslcertfile "${house.certificate}"`;
    const tls = { plain: 'sslproto ""', STLS: `sslproto "tls1.2+" ${trust}`, POP3S: `ssl ${trust}` }[way];
    const settings = [
      'set invisible', // no Received field of its own
      `poll localhost protocol ${options.protocol ?? 'pop3'} service ${way === 'POP3S' ? pop3s : pop3} auth ${options.auth ?? 'password'} uidl`,
      `  user "${login}" there password "${password}" ${options.keep ? 'keep' : 'no keep'} no rewrite pass8bits ${tls}`,
      `  mda "cat > ${mail}/$(printf %03d $(ls ${mail} | wc -l))"`,
    ];
    writeFileSync(join(home, '.fetchmailrc'), `${settings.join('\n')}\n`, { mode: 0o600 });
    return {
      async fetch() {
        const { status, out, said } = await run('fetchmail', ['--nodetach', '--pidfile', join(home, 'pid')], { home });
        return { status, said: `${out}${said}` };
      },
      fetched: () =>
        readdirSync(mail)
          .sort()
          .map((file) => readFileSync(join(mail, file))),
    };
  }

  for (const format of formats) {
    for (const way of ways) {
      test(`takes all of it away from ${format}, ${way}`, async () => {
        const login = house.mailbox(format, ordinary);
        const { fetch, fetched } = fetcher(`take-${format}-${way}`, login, way, { keep: false });
        const { status, said } = await fetch();
        assert.equal(status, FETCHED, said);
        assertWhole(fetched(), ordinary, atRest);
        assert.equal(await house.method(login), way === 'plain' ? 'USER' : 'USER, TLS');
        const left = await Pop3Client.login(house.server.ports.pop3, login, password);
        assert.deepEqual(await left?.rows('LIST'), []);
        await left?.drop();
        assert.equal((await fetch()).status, NOTHING_NEW);
      });
    }

    test(`keeps mail on the server and fetches each message once, ${format}`, async () => {
      const [first, second] = [ordinary.slice(0, 4), ordinary.slice(4)];
      const login = house.mailbox(format, first);
      const { fetch, fetched } = fetcher(`keep-${format}`, login, 'STLS', { keep: true });
      assert.equal((await fetch()).status, FETCHED);
      assertWhole(fetched(), first, atRest);
      assert.equal((await fetch()).status, NOTHING_NEW);
      assertWhole(fetched(), first, atRest);
      await house.add(login, second);
      assert.equal((await fetch()).status, FETCHED);
      assert.equal((await fetch()).status, NOTHING_NEW);
      assertWhole(fetched().map(withoutTrace), ordinary, atRest);
    });
  }

  for (const [options, method] of [
    [{ protocol: 'apop' }, 'APOP'],
    [{ auth: 'cram-md5' }, 'CRAM-MD5'],
    [{ auth: 'any' }, 'CRAM-MD5'],
  ] as const) {
    test(`${Object.entries(options).join(' ').replace(',', ' ')} logs in with ${method}`, async () => {
      const login = house.mailbox('mbox', ordinary);
      const { fetch, fetched } = fetcher(`login-${Object.values(options).join('-')}`, login, 'plain', { keep: false, ...options });
      const { status, said } = await fetch();
      assert.equal(status, FETCHED, said);
      assertWhole(fetched(), ordinary, atRest);
      assert.equal(await house.method(login), method);
    });
  }
});
