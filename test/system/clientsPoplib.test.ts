/** Python's poplib, each of its calls, over plain loopback, STLS and POP3S. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type ClientHouse, formats, openClientHouse, password } from './support/clientHouse.ts';
import { assertWhole, extreme, ordinary, topOf } from './support/nastyMail.ts';
import { missing, run } from './support/programs.ts';

const all = [...ordinary, ...extreme];
const program = join(import.meta.dirname, 'support', 'poplibSession.py');

describe('poplib', { skip: missing('python3', 'python3') }, () => {
  let house: ClientHouse;
  before(async () => {
    house = await openClientHouse();
  });
  after(() => house.close());

  for (const format of formats) {
    for (const way of ['plain', 'STLS', 'POP3S']) {
      for (const method of ['user', 'apop']) {
        test(`${format}, ${way}, ${method}`, async () => {
          const { pop3, pop3s } = house.server.ports;
          const login = house.mailbox(format, all);
          const args = [program, way, `${way === 'POP3S' ? pop3s : pop3}`, house.certificate, login, password, method];
          const { status, out, said } = await run('python3', args, { home: house.home(login) });
          assert.deepEqual({ status, said }, { status: 0, said: '' });
          const { retr, uidl, 'uidl 2': uidl2, list, getwelcome, capa, ...given } = JSON.parse(out.toString());

          assert.match(getwelcome, /^\+OK POP3 server ready <\d+\.\d+@localhost>$/);
          assertWhole(
            retr.map((message: string) => Buffer.from(message, 'latin1')),
            all,
            (wire) => wire,
          );
          const sizes = all.map(({ wire }) => wire.length);
          const octets = sizes.reduce((sum, size) => sum + size);
          const listing = sizes.map((size, index) => `${index + 1} ${size}`);
          const sent = `${listing.join('\r\n')}\r\n`.length;
          assert.deepEqual(list, [`+OK ${all.length} messages (${octets} octets)`, listing, sent]);
          const [, rows] = uidl as [string, string[]];
          const numbers = rows.map((row) => /^(\d+) [\x21-\x7e]{1,70}$/.exec(row)?.[1]);
          assert.deepEqual(
            numbers,
            all.map((_, index) => `${index + 1}`),
          );
          assert.equal(new Set(rows.map((row) => row.split(' ')[1])).size, all.length);
          assert.equal(uidl2, `+OK ${rows[1]}`);

          const always = {
            TOP: [],
            UIDL: [],
            USER: [],
            UTF8: ['USER'],
            LANG: [],
            'RESP-CODES': [],
            'AUTH-RESP-CODE': [],
            PIPELINING: [],
            EXPIRE: ['NEVER'],
          };
          const mechanisms = ['SCRAM-SHA-256', 'SCRAM-SHA-1', 'CRAM-MD5', 'PLAIN', 'LOGIN'];
          const SASL = way === 'plain' ? mechanisms : ['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-1-PLUS', ...mechanisms];
          const { IMPLEMENTATION, ...loggedIn } = capa;
          assert.match(IMPLEMENTATION.join(' '), /^Postkasse/);
          assert.deepEqual(loggedIn, { ...always, SASL });
          assert.deepEqual(given, {
            ...(way === 'STLS' ? { stls: '+OK begin TLS negotiation' } : {}),
            'capa before login': { ...always, EXPIRE: ['NEVER'], SASL, ...(way === 'plain' ? { STLS: [] } : {}) },
            utf8: '+OK UTF-8 it is',
            rpop: '-ERR unknown command',
            ...(method === 'apop'
              ? { apop: `+OK ${all.length} messages (${octets} octets)` }
              : { user: '+OK now the password', pass_: `+OK ${all.length} messages (${octets} octets)` }),
            stat: [all.length, octets],
            'list 2': `+OK 2 ${sizes[1]}`,
            'top 1 2': topOf(all[0]?.wire ?? Buffer.alloc(0), 2),
            'retr 99': `-ERR no such message, only ${all.length} messages in maildrop`,
            noop: '+OK',
            'dele 1': '+OK message 1 deleted',
            'dele 1 again': '-ERR message 1 already deleted',
            rset: `+OK ${all.length} messages (${octets} octets)`,
            'stat after rset': [all.length, octets],
            'dele 2': '+OK message 2 deleted',
            'stat after dele': [all.length - 1, octets - (sizes[1] ?? 0)],
            quit: `+OK goodbye (${all.length - 1} messages left)`,
          });
          assert.equal(await house.method(login), `${method.toUpperCase()}${way === 'plain' ? '' : ', TLS'}`);
        });
      }
    }
  }
});
