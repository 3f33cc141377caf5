import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { commands } from './commands/index.ts';
import { answer, masked, overlong } from './dialogue.ts';
import { facts, fakes } from './fakes.test.ts';
import type { Reply } from './replies.ts';
import { lineLimit, type Session, startSession } from './session.ts';

/** Any octet, with those that mean something more often than chance has it. */
const octet = fc.oneof(
  fc.integer({ min: 0, max: 255 }),
  fc.constantFrom(...' *=+/.[]019AUTHPSau\0\r\n\t\x7f\xa0\xdf').map((c) => c.charCodeAt(0)),
);
const noise = fc.array(octet, { maxLength: 60 }).map((octets) => Buffer.from(octets).toString('latin1'));
const known = fc.constantFrom(
  ...['USER ada', 'PASS lovelace', 'AUTH PLAIN', 'AUTH PLAIN AGFkYQBsb3ZlbGFjZQ==', 'AGFkYQBsb3ZlbGFjZQ==', 'AUTH LOGIN', 'YWRh', '*', '='],
  ...['AUTH SCRAM-SHA-256', 'biwsbj1hZGEscj1hYmM=', 'AUTH CRAM-MD5', 'STAT', 'LIST', 'LIST 1', 'UIDL 2', 'RETR 1', 'TOP 2 0', 'DELE 1'],
  ...['RSET', 'NOOP', 'CAPA', 'LANG', 'LANG de', 'LANG *', 'UTF8', 'APOP ada 0123456789abcdef0123456789abcdef', 'STLS', 'AUTH', ''],
);
const mutated = fc.tuple(known, noise, fc.nat(60), fc.nat(5)).map(([line, inserted, at, removed]) => {
  const offset = at % (line.length + 1);
  return line.slice(0, offset) + inserted.slice(0, 4) + line.slice(offset + removed);
});
const line = fc.oneof(
  known,
  mutated,
  noise,
  fc.tuple(fc.constantFrom(...commands.keys()), noise).map((words) => words.join(' ')),
);

function checkReply(reply: Reply, said: string): void {
  assert.ok(reply.status === '+OK' || reply.status === '-ERR' || reply.status === '+', said);
  assert.doesNotMatch(reply.line, /[\r\n]/, said);
  assert.ok(Buffer.byteLength(reply.line) <= 512 - '-ERR \r\n'.length || reply.status === '+', said);
  if (reply.status === '-ERR') assert.match(reply.line, /^(\[[A-Z/-]+\] )?[^[]+$/, said);
  if (reply.status === '+') assert.match(reply.line, /^[A-Za-z0-9+/]*={0,2}$/, said);
  if (reply.status !== '+OK') assert.ok(reply.rows === undefined && reply.body === undefined, said);
  for (const row of reply.rows ?? []) assert.match(row, /^[^\r\n]+$/, said);
}

test('whatever octets come as lines, each gets one reply, and the dialogue keeps step', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(line, { maxLength: 40 }), async (lines) => {
      const { host, events } = fakes();
      let session: Session = startSession(host, facts).session;
      for (const said of lines) {
        const reply: Reply = said.length + 2 > lineLimit(session) ? overlong(session) : await answer(session, said);
        checkReply(reply, said);
        session = reply.enters ?? session;
      }
      if (session.state === 'EXCHANGE') session = (await answer(session, '*')).enters ?? session;
      const last = await answer(session, 'CAPA');
      checkReply(last, 'CAPA');
      assert.equal(last.status, session.state === 'UPDATE' ? '-ERR' : '+OK');
      // Nothing a client can say is our own trouble.
      assert.deepEqual(
        events.filter(({ level }) => level === 'error'),
        [],
      );
    }),
  );
});

test('whatever responses come in an exchange, each gets one reply, and an -ERR ends it', async () => {
  const response = fc.oneof(
    fc.uint8Array({ maxLength: 80 }).map((octets) => Buffer.from(octets).toString('base64')),
    fc.string({ maxLength: 80 }).map((text) => Buffer.from(text).toString('base64')),
    noise,
  );
  const mechanism = fc.constantFrom('PLAIN', 'LOGIN', 'CRAM-MD5', 'SCRAM-SHA-1', 'SCRAM-SHA-256', 'SCRAM-SHA-1-PLUS', 'SCRAM-SHA-256-PLUS');
  await fc.assert(
    fc.asyncProperty(mechanism, fc.array(response, { maxLength: 4 }), async (name, responses) => {
      const { host } = fakes();
      const begun = await answer(startSession(host, facts).session, `AUTH ${name}`);
      assert.equal(begun.status, '+');
      let session: Session | undefined = begun.enters;
      for (const said of responses) {
        if (session?.state !== 'EXCHANGE') break;
        const reply = await answer(session, said);
        checkReply(reply, said);
        session = reply.enters;
        assert.equal(session?.state, { '+': 'EXCHANGE', '-ERR': 'AUTHORIZATION', '+OK': 'TRANSACTION' }[reply.status]);
      }
    }),
  );
});

test('where nothing is awaited the reply is there in the same turn', async () => {
  const { host } = fakes();
  const { session } = startSession(host, facts);
  for (const said of ['CAPA', 'USER ada', 'LANG da', 'FOO', 'RETR 1', 'AUTH PLAIN'])
    assert.ok(!(answer(session, said) instanceof Promise), said);
  const { enters = session } = await login(session);
  for (const said of ['STAT', 'LIST', 'UIDL', 'RETR 1', 'TOP 1 0', 'DELE 1', 'RSET', 'NOOP', 'DELE 9']) {
    assert.ok(!(answer(enters, said) instanceof Promise), said);
  }
});

describe('masked', () => {
  const { host } = fakes();
  const { session } = startSession(host, facts);
  const table: [string, string][] = [
    ['PASS lovelace', 'PASS ***'],
    ['pass two words', 'pass ***'],
    ['PASS', 'PASS'],
    ['APOP ada c4c9334bac560ecc979e58001b3e22fb', 'APOP ***'],
    ['AUTH PLAIN AGFkYQBsb3ZlbGFjZQ==', 'AUTH ***'],
    ['USER ada', 'USER ada'],
    ['USER ada lovelace', 'USER ada ***'],
    ['STAT lovelace', 'STAT ***'],
    ['STAT  ', 'STAT  '],
    ['TOP 1 0', 'TOP 1 0'],
    ['FOO lovelace', 'FOO ***'],
    ['AGFkYQBsb3ZlbGFjZQ==', '***'],
    ['', '***'],
  ];
  for (const [said, shown] of table) test(`${said} is shown as ${shown}`, () => assert.equal(masked(session, said), shown));

  test('responses in an exchange are not shown, a cancelled exchange is', async () => {
    const { enters = session } = await answer(session, 'AUTH PLAIN');
    assert.equal(enters.state, 'EXCHANGE');
    assert.equal(masked(enters, 'AGFkYQBsb3ZlbGFjZQ=='), '***');
    assert.equal(masked(enters, 'QUIT'), '***');
    assert.equal(masked(enters, '*'), '*');
    assert.equal(masked(enters, ''), '');
  });
});

async function login(session: Session): Promise<Reply> {
  await answer(session, 'USER ada');
  return answer(session, 'PASS lovelace');
}
