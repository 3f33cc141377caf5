/** getmail6 brings mail home, each message once and whole. */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type ClientHouse, formats, openClientHouse, password, withoutTrace } from './support/clientHouse.ts';
import { assertWhole, atRest, extreme, ordinary } from './support/nastyMail.ts';
import { Pop3Client } from './support/pop3Client.ts';
import { missing, run } from './support/programs.ts';
import { owner } from './support/server.ts';

/** Its parser takes a bare CR for the end of a line, and ends each header. */
const all = [...ordinary, ...extreme].filter(({ name }) => !['bare CR', 'header without end'].includes(name));

/**
 * getmail forks, then catches SIGCHLD, then waits for it: whoever is done before that is waited for until the time is up. So what delivers
 * for it, its own Maildir and mbox too, must not end before it sleeps with that handler (bit 16 of the signals caught).
 */
const deliver = `#!/bin/sh
cat >"$1/$(ls "$1" | wc -l | xargs printf %03d)"
until grep -q '^State:.S' /proc/$PPID/status && grep -q '^SigCgt:.*[13579bdf]....$' /proc/$PPID/status; do sleep 0.01; done
`;

describe('getmail6', { skip: missing('getmail', 'getmail6') }, () => {
  let house: ClientHouse;
  before(async () => {
    house = await openClientHouse();
  });
  after(() => house.close());

  /** A user of getmail, whose mail ends up in files numbered as they came. */
  function fetcher(login: string, options: { tls: boolean; delete: boolean; apop?: boolean }) {
    const home = house.home(login);
    const mail = join(home, 'mail');
    for (const folder of [mail, join(home, 'settings')]) mkdirSync(folder);
    writeFileSync(join(home, 'deliver'), deliver, { mode: 0o755 });
    const { pop3, pop3s } = house.server.ports;
    const settings = [
      '[retriever]',
      `type = ${options.tls ? 'SimplePOP3SSLRetriever' : 'SimplePOP3Retriever'}`,
      'server = localhost',
      `port = ${options.tls ? pop3s : pop3}`,
      `username = ${login}`,
      `password = ${password}`,
      ...(options.tls ? [`ca_certs = ${house.certificate}`] : []),
      ...(options.apop ? ['use_apop = true'] : []),
      '[destination]',
      'type = MDA_external',
      `path = ${join(home, 'deliver')}`,
      `arguments = ("${mail}",)`,
      '[options]',
      `delete = ${options.delete}`,
      'read_all = false',
      'delivered_to = false',
      'received = false',
    ];
    writeFileSync(join(home, 'settings', 'getmailrc'), `${settings.join('\n')}\n`, { mode: 0o600 });
    house.own(home);
    return {
      async fetch() {
        // It delivers no mail as root.
        const { status, out, said } = await run('getmail', ['--quiet', '--getmaildir', join(home, 'settings')], { home, user: owner });
        assert.deepEqual({ status, said: `${out}${said}` }, { status: 0, said: '' });
      },
      fetched: () =>
        readdirSync(mail)
          .sort()
          .map((file) => readFileSync(join(mail, file))),
    };
  }

  for (const format of formats) {
    for (const tls of [false, true]) {
      test(`takes all of it away from ${format}${tls ? ', POP3S' : ''}`, async () => {
        const login = house.mailbox(format, all);
        const { fetch, fetched } = fetcher(login, { tls, delete: true });
        await fetch();
        assertWhole(fetched(), all, atRest);
        assert.equal(await house.method(login), tls ? 'USER, TLS' : 'USER');
        const left = await Pop3Client.login(house.server.ports.pop3, login, password);
        assert.deepEqual(await left?.rows('LIST'), []);
        await left?.drop();
      });
    }

    const tls = format === 'mbox';
    test(`keeps mail on the server and fetches each message once, ${format}${tls ? ', POP3S' : ''}`, async () => {
      const [first, second] = [ordinary.slice(0, 4), ordinary.slice(4)];
      const login = house.mailbox(format, first);
      const { fetch, fetched } = fetcher(login, { tls, delete: false });
      await fetch();
      await fetch();
      assertWhole(fetched(), first, atRest);
      await house.add(login, second);
      await fetch();
      await fetch();
      assertWhole(fetched().map(withoutTrace), ordinary, atRest);
    });
  }

  test('use_apop', async () => {
    const login = house.mailbox('mbox', ordinary);
    const { fetch, fetched } = fetcher(login, { tls: false, delete: true, apop: true });
    await fetch();
    assertWhole(fetched(), ordinary, atRest);
    assert.equal(await house.method(login), 'APOP');
  });
});
