/**
 * A worker that is taken over: it tells the fronts what it likes. It can refuse and mislead the clients of its own domain; the front goes on, and the
 * clients and the mail of other domains are out of its reach.
 */
import assert from 'node:assert/strict';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { answer, f64, frame, MESSAGE, request, text, u8, u32 } from './support/attackFrames.ts';
import { AttackHouse, lineOf, mbox } from './support/attackHouse.ts';
import { MailClient } from './support/mailClient.ts';
import { makeFile, rightsOf, needsRoot as skip } from './support/owners.ts';
import { Pop3Client } from './support/pop3Client.ts';
import { seededRandom } from './support/seededRandom.ts';

const injected = 'x\r\n250 2.0.0 delivered\r\n+OK injected\r\n.\r\n';
const lookUpFails = '-ERR [SYS/TEMP] accounts can not be looked up just now';

const none = Buffer.alloc(0);
const all = 0b1111;
const account = (user: string, domain: string | undefined, services = all) =>
  Buffer.concat([text(user), domain === undefined ? u8(0) : Buffer.concat([u8(1), text(domain)]), u8(services), u8(0), u8(0)]);
const fault = (kind: number, sentence: string, ...values: readonly Buffer[]) =>
  Buffer.concat([u8(kind), text(sentence), text('because'), ...values]);
const value = (said: string) => Buffer.concat([u8(0), text(said)]);
/** @param opening `none`, or `open` with messages and octets of the listing */
const admitted = (who: Buffer, opening: Buffer) => frame(answer.admitted, Buffer.concat([who, u8(0), u32(0), opening]));
const opened = (messages: number, octets: number) => Buffer.concat([u8(1), u32(messages), u32(octets)]);
const entry = (id: string, octets: number) => Buffer.concat([f64(octets), f64(0), u8(0), u8(id.length), Buffer.from(id, 'latin1')]);
const listed = (...entries: readonly Buffer[]) =>
  Buffer.concat([
    admitted(account('eve', 'attacker.dk'), opened(entries.length, Buffer.concat(entries).length)),
    frame(answer.listing, Buffer.concat(entries)),
  ]);
/** No alias of another, and nothing else that a domain may say. */
const noDomainRules = Buffer.concat([u8(0), u8(0), f64(-1), u8(0), u8(0)]);
const hello = frame(answer.hello, u8(2));
const done = frame(answer.done);

/** What a login is answered with, and what the client is told. */
const logins: readonly [octets: Buffer, reply: string][] = [
  // Somebody else's account, a user of the host, nobody.
  [admitted(account('ada', 'honest.dk'), opened(0, 0)), lookUpFails],
  [admitted(account('eve', undefined), opened(0, 0)), lookUpFails],
  [admitted(account('../honest.dk/ada', 'attacker.dk'), opened(0, 0)), lookUpFails],
  [admitted(account('eve', 'attacker.dk/../honest.dk'), opened(0, 0)), lookUpFails],
  [admitted(none, none), lookUpFails],
  // An answer to another question, two at once, none, and what is no frame.
  [done, lookUpFails],
  [Buffer.concat([done, done]), lookUpFails],
  [frame(answer.opened, opened(0, 0)), lookUpFails],
  [frame(MESSAGE, Buffer.from(injected)), lookUpFails],
  [Buffer.concat([hello, hello]), lookUpFails],
  [frame(answer.admitted, Buffer.alloc(5), 0xffff_ffff), lookUpFails],
  [Buffer.from(`+OK injected\r\n${injected.repeat(100)}`), lookUpFails],
  // Listings.
  [admitted(account('eve', 'attacker.dk'), opened(0xffff_ffff, 0xffff_ffff)), lookUpFails],
  [admitted(account('eve', 'attacker.dk'), opened(1, 0)), lookUpFails],
  [Buffer.concat([admitted(account('eve', 'attacker.dk'), opened(1, 20)), frame(answer.listing, Buffer.alloc(40))]), lookUpFails],
  ...['', 'a b', 'a\r\nb', '\x7f', '\xe6', 'x'.repeat(71)].map((id): [Buffer, string] => [listed(entry(id, 1)), lookUpFails]),
  ...[-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 60].map((octets): [Buffer, string] => [listed(entry('a', octets)), lookUpFails]),
  // Sentences: those of ours only, and each one line.
  [frame(answer.fault, fault(5, injected)), lookUpFails],
  [frame(answer.fault, fault(99, 'internal error')), lookUpFails],
  [
    frame(answer.fault, fault(5, 'too soon after the last login: {seconds} seconds must lie between', value(injected))),
    '-ERR [LOGIN-DELAY] too soon after the last login: x 250 2.0.0 delivered +OK injected .  seconds must lie between',
  ],
  [frame(answer.fault, fault(4, 'authentication failed')), '-ERR [AUTH] authentication failed'],
];

async function open(t: TestContext) {
  const users = { honest: { name: 'pk_honest5', uid: 64241 }, attacker: { name: 'pk_attacker5', uid: 64242 } };
  const house = await AttackHouse.open(t, users, {
    takenOver: true,
    // No worker ends for want of work, however slow the machine is: one that isn't the same to the end has died.
    settings: { '': ['fronts = 1'], owners: ['idle_s = 3600'] },
  });
  house.domain('attacker.dk');
  const answers = (given: Readonly<Record<string, Readonly<Record<string, Buffer | 'cut'>>>>, after = '') => {
    const hex = (octets: Buffer | 'cut') => (octets === 'cut' ? octets : `${octets.toString('hex')}${after}`);
    const inHex = Object.entries(given).map(([word, byType]) => [
      word,
      Object.fromEntries(Object.entries(byType).map(([type, octets]) => [type, hex(octets)])),
    ]);
    // Whole at any moment: the worker reads it whenever a front says something, and half a file would end it.
    const path = house.path('attack', 'answers.json');
    writeFileSync(`${path}.new`, JSON.stringify({ hello: { '': hello.toString('hex') }, ...Object.fromEntries(inHex) }));
    renameSync(`${path}.new`, path);
  };
  return { house, answers };
}

test('a worker that is taken over', { skip, timeout: 180_000 }, async (t) => {
  const { house, answers } = await open(t);
  const { server, honest } = house;
  const [front = 0] = server.fronts();
  makeFile(
    honest,
    `${honest.home}/domains/honest.dk/passwd`,
    ['ada', 'bob', 'cleo'].map((user) => `${lineOf(user).replace('UID:GID', '64241:8')}\n`).join(''),
  );
  house.openForAll(`${honest.home}/domains/honest.dk/passwd`);

  // In the one front there is, all the time.
  const ada = await Pop3Client.login(server.ports.pop3, 'ada@honest.dk', 'secret');
  const mail = mbox('for ada alone').split('\n').slice(1, -1).join('\r\n');
  async function adaNoticesNothing(): Promise<void> {
    assert.equal(await ada?.command('NOOP'), '+OK');
    assert.equal((await ada?.retrieve(1))?.toString(), mail);
    assert.deepEqual(server.fronts().includes(front) && rightsOf(front).uids !== '', true);
  }

  await t.test('what it answers to a login', async () => {
    answers(Object.fromEntries(logins.map(([octets], n) => [`word${n}.`, { [request.authenticate]: octets }])));
    for (const [n, [, reply]] of logins.entries()) {
      assert.equal(await house.login('eve@attacker.dk', `word${n}.`), reply, `login ${n}`);
      await adaNoticesNothing();
    }
  });

  await t.test('a greeting that is none, and connections that are cut', async () => {
    answers({ 'cut.': { [request.authenticate]: 'cut' } });
    assert.equal(await house.login('eve@attacker.dk', 'cut.'), lookUpFails);
    await adaNoticesNothing();
    for (const first of [
      frame(answer.hello, u8(1)),
      frame(answer.hello),
      Buffer.from('+OK POP3'),
      Buffer.concat([frame(answer.bye), done]),
    ]) {
      answers({ hello: { '': first } });
      assert.equal(await house.login('eve@attacker.dk'), lookUpFails);
      await adaNoticesNothing();
    }
  });

  await t.test('what it answers in a session', async () => {
    const one = listed(entry('unique', 10));
    const gone = '-ERR [SYS/TEMP] the mailbox can not be read just now';
    const unwritten = '-ERR [SYS/TEMP] the messages could not be deleted, all of them are still there';
    const unknown = '-ERR [SYS/TEMP] it is not known whether the messages were deleted';
    const sessions: [octets: Buffer | 'cut', command: string, reply: string][] = [
      [frame(answer.fault, fault(8, 'the mailbox can not be read just now')), 'RETR 1', gone],
      [frame(answer.listing, Buffer.alloc(40)), 'RETR 1', gone],
      [Buffer.from(injected), 'RETR 1', gone],
      ['cut', 'RETR 1', gone],
      [frame(answer.admitted), 'QUIT', unknown],
      [Buffer.from(injected), 'QUIT', unknown],
      ['cut', 'QUIT', unknown],
      [frame(answer.fault, fault(8, 'message too large, the limit is {limit} octets', value(injected))), 'QUIT', unwritten],
    ];
    answers(
      Object.fromEntries(
        sessions.map(([octets, command], n) => [
          `word${n}.`,
          {
            [request.authenticate]: one,
            [command === 'QUIT' ? request.update : request.retrieve]: octets,
            [request.mark]: octets,
            [request.release]: done,
          },
        ]),
      ),
    );
    for (const [n, [, command, reply]] of sessions.entries()) {
      const client = await Pop3Client.login(server.ports.pop3, 'eve@attacker.dk', `word${n}.`);
      assert.equal(await client?.command('DELE 1'), '+OK message 1 deleted');
      if (command === 'RETR 1') await client?.ok('RSET');
      assert.equal(await client?.command(command), reply, `session ${n}`);
      await client?.drop();
      await adaNoticesNothing();
    }
    // A body is a body, whatever is in it.
    const body = frame(MESSAGE, Buffer.from(`.\n${injected.replaceAll('\r', '')}`));
    answers({ 'body.': { [request.authenticate]: one, [request.retrieve]: Buffer.concat([body, done]), [request.release]: done } });
    const client = await Pop3Client.login(server.ports.pop3, 'eve@attacker.dk', 'body.');
    assert.equal((await client?.retrieve(1))?.toString(), `.\r\n${injected}`);
    assert.equal(await client?.command('NOOP'), '+OK');
    await client?.drop();
  });

  await t.test('what it answers for a recipient, among others', async () => {
    const accounts = (who: Buffer) => frame(answer.account, Buffer.concat([u8(1), who]));
    const deferred = '451 4.3.0 accounts can not be looked up just now';
    const tooLarge = '451 4.3.0 message too large, the limit is x 250 2.0.0 delivered +OK injected .  octets';
    const recipients: [octets: Buffer, reply: string][] = [
      [accounts(account('bob', 'honest.dk')), deferred],
      [accounts(account('rcpt1.', 'honest.dk')), deferred],
      [accounts(account('other', 'attacker.dk')), deferred],
      [Buffer.from(injected), deferred],
      [frame(answer.fault, fault(8, 'message too large, the limit is {limit} octets', value(injected))), tooLarge],
      [frame(answer.fault, fault(2, 'no such user here')), '550 5.1.1 no such user here'],
    ];
    const deliveries: [octets: Buffer | 'cut', reply: string][] = [
      [frame(answer.fault, fault(8, 'message too large, the limit is {limit} octets', value(injected))), tooLarge],
      [Buffer.from(injected), '451 4.3.0 the mailbox can not be written just now'],
      [frame(answer.admitted), '451 4.3.0 the mailbox can not be written just now'],
      ['cut', '451 4.3.0 the mailbox can not be written just now'],
    ];
    answers({
      'attacker.dk': { [request.domain]: frame(answer.domain, Buffer.concat([u8(1), u8(1), text('attacker.dk'), u8(0), noDomainRules])) },
      ...Object.fromEntries(recipients.map(([octets], n) => [`rcpt${n}.`, { [request.account]: octets }])),
      ...Object.fromEntries(
        deliveries.map(([octets], n) => [
          `user${n}.`,
          { [request.account]: accounts(account(`user${n}.x`, 'attacker.dk')), [request.deliver]: octets },
        ]),
      ),
    });
    const content = Buffer.from('Subject: x\r\n\r\nx\r\n');
    for (const [n, [, reply]] of recipients.entries()) {
      const client = await MailClient.connect('lmtp', { port: server.ports.lmtp, host: '127.0.0.1' });
      const sent = await client.send({ from: '', to: ['bob@honest.dk', `rcpt${n}.x@attacker.dk`, 'cleo@honest.dk'], content });
      assert.deepEqual(sent.recipients, ['250 2.1.5 Accepted', reply, '250 2.1.5 Accepted'], `recipient ${n}`);
      assert.deepEqual(sent.replies.map(withoutId), ['250 2.0.0 delivered', '250 2.0.0 delivered']);
      await client.close();
    }
    for (const [n, [, reply]] of deliveries.entries()) {
      const client = await MailClient.connect('lmtp', { port: server.ports.lmtp, host: '127.0.0.1' });
      const sent = await client.send({ from: '', to: ['bob@honest.dk', `user${n}.x@attacker.dk`, 'cleo@honest.dk'], content });
      assert.deepEqual(sent.recipients, Array(3).fill('250 2.1.5 Accepted'));
      assert.deepEqual(sent.replies.map(withoutId), ['250 2.0.0 delivered', reply, '250 2.0.0 delivered'], `delivery ${n}`);
      await client.close();
    }
    await adaNoticesNothing();
    const each = recipients.length + deliveries.length;
    for (const user of ['bob', 'cleo']) {
      const mails = readFileSync(house.path('spool', 'honest.dk', user), 'latin1')
        .split('\n')
        .filter((line) => line === 'Subject: x');
      assert.equal(mails.length, each, user);
    }
  });

  await t.test('arbitrary answers', async (t) => {
    const random = seededRandom(t);
    const some = () => Buffer.from(Array.from({ length: random.integer(60) }, () => random.integer(256)));
    const types = [...Object.values(answer), MESSAGE, 0, 255] as const;
    const octets = () =>
      Buffer.concat(
        Array.from({ length: random.integer(4) }, () =>
          random.pick([
            () => frame(random.pick([answer.admitted, ...types]), some()),
            some,
            () => listed(entry('a', 1)),
            () => frame(MESSAGE, some()),
          ])(),
        ),
      );
    const count = 60;
    // Cut afterwards, or a client of that domain would wait for the rest of what isn't whole.
    answers(
      Object.fromEntries(
        Array.from({ length: count }, (_, n) => [`word${n}.`, Object.fromEntries(Object.values(request).map((type) => [type, octets()]))]),
      ),
      'cut',
    );
    for (let n = 0; n < count; n += 1) {
      const client = await Pop3Client.connect(server.ports.pop3);
      await client.ok('USER eve@attacker.dk');
      assert.match(await client.command(`PASS word${n}.`), /^(?:\+OK|-ERR) /);
      await client.drop();
    }
    await adaNoticesNothing();
    assert.equal(server.fronts().includes(front), true);
  });

  await ada?.drop();

  // Somebody who is dead can't answer at all, and clients are told the same then: what was answered came from one worker that lived through all of it.
  await server.stop();
  await server.gone();
  const lives = [...server.log().matchAll(/ (worker\.\w+) .*?\bowner=(\S+)/g)].map(([, event, owner]) => `${event} ${owner}`);
  assert.deepEqual(lives.sort(), ['worker.ended 64241:8', 'worker.ended 64242:8', 'worker.ready 64241:8', 'worker.ready 64242:8']);
});

function withoutId(reply: string): string {
  return reply.replace(/ as \S+$/, '');
}
