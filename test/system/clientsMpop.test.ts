/** mpop brings mail home into a Maildir, each message once and whole, with each of its ways to log in. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type ClientHouse, formats, openClientHouse, password, withoutTrace } from './support/clientHouse.ts';
import { assertWhole, atRest, deliveredTo, extreme, ordinary } from './support/nastyMail.ts';
import { Pop3Client } from './support/pop3Client.ts';
import { missing, run } from './support/programs.ts';

const all = [...ordinary, ...extreme];
const ways = ['plain', 'STLS', 'POP3S'] as const;
type Way = (typeof ways)[number];

describe('mpop', { skip: missing('mpop', 'mpop') }, () => {
  let house: ClientHouse;
  let supported: ReadonlySet<string>;
  before(async () => {
    house = await openClientHouse();
    const { out } = await run('mpop', ['--version'], { home: house.home('version') });
    supported = new Set(/^Supported authentication methods:\n(.*)$/m.exec(out.toString())?.[1]?.split(' '));
  });
  after(() => house.close());

  /** A user of mpop, whose mail ends up in a Maildir. */
  function fetcher(login: string, way: Way, options: { keep: boolean; auth: string }) {
    const home = house.home(`${login}-${way}-${options.auth}`);
    for (const folder of ['', 'tmp', 'new', 'cur']) mkdirSync(join(home, 'mail', folder));
    const { pop3, pop3s } = house.server.ports;
    const settings = [
      'account default',
      'host localhost',
      `port ${way === 'POP3S' ? pop3s : pop3}`,
      `user ${login}`,
      `password "${password}"`,
      `auth ${options.auth}`,
      `keep ${options.keep ? 'on' : 'off'}`,
      'received_header off',
      `delivery maildir ${join(home, 'mail')}`,
      `uidls_file ${join(home, 'uidls')}`,
      `tls ${way === 'plain' ? 'off' : 'on'}`,
      `tls_starttls ${way === 'STLS' ? 'on' : 'off'}`,
      `tls_trust_file ${house.certificate}`,
    ];
    writeFileSync(join(home, '.mpoprc'), `${settings.join('\n')}\n`, { mode: 0o600 });
    return {
      async fetch() {
        const { status, said } = await run('mpop', ['--quiet'], { home });
        assert.deepEqual({ status, said }, { status: 0, said: '' });
      },
      fetched: () => deliveredTo(join(home, 'mail')),
    };
  }

  for (const format of formats) {
    for (const way of ways) {
      test(`takes all of it away from ${format}, ${way}`, async () => {
        const login = house.mailbox(format, all);
        const { fetch, fetched } = fetcher(login, way, { keep: false, auth: 'user' });
        await fetch();
        assertWhole(fetched(), all, atRest);
        const left = await Pop3Client.login(house.server.ports.pop3, login, password);
        assert.deepEqual(await left?.rows('LIST'), []);
        await left?.drop();
      });
    }

    test(`keeps mail on the server and fetches each message once, ${format}`, async () => {
      const [first, second] = [ordinary.slice(0, 4), ordinary.slice(4)];
      const login = house.mailbox(format, first);
      const { fetch, fetched } = fetcher(login, 'STLS', { keep: true, auth: 'plain' });
      await fetch();
      await fetch();
      assertWhole(fetched(), first, atRest);
      await house.add(login, second);
      await fetch();
      await fetch();
      assertWhole(fetched().map(withoutTrace), ordinary, atRest);
    });
  }

  for (const way of ways) {
    // Without encryption there is no channel to bind to.
    const bound = way === 'plain' ? [] : ['scram-sha-1-plus', 'scram-sha-256-plus'];
    for (const auth of ['plain', 'login', 'cram-md5', 'apop', 'scram-sha-1', 'scram-sha-256', ...bound, 'on']) {
      test(`auth ${auth}, ${way}`, async (t) => {
        if (auth !== 'on' && !supported.has(auth)) return t.skip('this mpop is built without it');
        const login = house.mailbox('maildir', ordinary);
        const { fetch, fetched } = fetcher(login, way, { keep: true, auth });
        await fetch();
        assertWhole(fetched(), ordinary, atRest);
        const method = await house.method(login);
        // Left to itself it may take any of them.
        const name = auth === 'on' ? method.replace(', TLS', '') : auth.toUpperCase();
        assert.equal(method, way === 'plain' ? name : `${name}, TLS`);
        return undefined;
      });
    }
  }
});
