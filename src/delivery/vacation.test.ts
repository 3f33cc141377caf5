/** Who gets an answer, and what it says: RFC 3834. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { mailboxNamed } from '../../test/support/mail.ts';
import { createMemoryOnceMemory } from '../maildrops/memory/onceMemory.ts';
import { fieldValues, headerLength } from '../message/header.ts';
import { type Account, noAccountRules, type Vacation } from '../model/directory.ts';
import { Fault } from '../model/fault.ts';
import type { LogFields } from '../model/log.ts';
import { createSpeaker } from '../texts/speaker.ts';
import type { Delivered } from './delivery.ts';
import { judgeVacation, type VacationQuestion } from './vacation.ts';
import { createVacationAnswers } from './vacationAnswers.ts';
import { writeVacation } from './vacationMessage.ts';

const vacation: Vacation = {
  from: undefined,
  until: undefined,
  timeZone: 'Europe/Copenhagen',
  subject: undefined,
  text: 'I am away.\n',
  intervalDays: 7,
  addresses: ['me@other.example'],
};
const noon = Date.parse('2026-11-29T12:00:00Z');

interface Asked extends Partial<Omit<VacationQuestion, 'vacation' | 'head'>> {
  readonly vacation?: Partial<Vacation>;
  readonly header?: string;
}

/** The address that is answered for, or why none is. */
function verdict({ vacation: changes, header = 'To: abc@kvt.dk\r\nSubject: x\r\n\r\n', ...rest }: Asked = {}): string {
  const found = judgeVacation({
    mailbox: mailboxNamed('abc@kvt.dk'),
    sender: 'ada@example.org',
    recipient: 'abc@kvt.dk',
    originalRecipient: 'abc@kvt.dk',
    now: noon,
    ...rest,
    vacation: { ...vacation, ...changes },
    head: Buffer.from(header),
  });
  return found.answers ? found.from : `no: ${found.why}`;
}

test('the first and the last day are included, and are days of the user’s own zone', () => {
  const inCopenhagen = (now: string, from?: string, until?: string) => verdict({ now: Date.parse(now), vacation: { from, until } });
  const cases = [
    ['2026-12-23T22:59:59Z', '2026-12-24', undefined, 'no: not away yet'],
    ['2026-12-23T23:00:00Z', '2026-12-24', undefined, 'abc@kvt.dk'],
    ['2026-12-31T22:59:59Z', undefined, '2026-12-31', 'abc@kvt.dk'],
    ['2026-12-31T23:00:00Z', undefined, '2026-12-31', 'no: back again'],
    // Summer time.
    ['2026-07-01T21:59:59Z', '2026-07-02', undefined, 'no: not away yet'],
    ['2026-07-01T22:00:00Z', '2026-07-02', '2026-07-02', 'abc@kvt.dk'],
  ] as const;
  for (const [now, from, until, expected] of cases) assert.equal(inCopenhagen(now, from, until), expected, now);
  const inAuckland = { from: '2026-12-24', until: '2026-12-24', timeZone: 'Pacific/Auckland' };
  assert.equal(verdict({ now: Date.parse('2026-12-23T11:00:00Z'), vacation: inAuckland }), 'abc@kvt.dk');
  assert.equal(verdict({ now: Date.parse('2026-12-24T11:00:00Z'), vacation: inAuckland }), 'no: back again');
});

test('bounces, and senders that are programs, get none', () => {
  assert.equal(verdict({ sender: '' }), 'no: a bounce');
  assert.equal(verdict({ sender: 'nobody in particular' }), 'no: no address');
  const programs = [
    'MAILER-DAEMON@example.org',
    'owner-list@example.org',
    'list-owner@example.org',
    'list-request@example.org',
    'list-bounces@example.org',
    'list-bounces+abc=kvt.dk@example.org',
    'bounce+12345@example.org',
    'bounces@example.org',
    'noreply@example.org',
    'no-reply@example.org',
    'no_reply@example.org',
    'No-Reply+123@example.org',
    'donotreply@example.org',
    'do-not-reply@example.org',
    'postmaster@example.org',
    'majordomo@example.org',
    'LISTSERV@example.org',
    'SRS0=abcdef=XY=example.org=owner-list@forward.example',
    'prvs=1234567890=noreply@example.org',
  ];
  for (const sender of programs) assert.equal(verdict({ sender }), 'no: from a program', sender);
  const persons = [
    'owner@example.org',
    'norbert@example.org',
    'mailerson@example.org',
    'request@example.org',
    'noreen.reply@example.org',
    'b.ounce@x',
  ];
  for (const sender of persons) assert.equal(verdict({ sender }), 'abc@kvt.dk', sender);
});

test('the user gets no answer from the user', () => {
  for (const sender of ['abc@kvt.dk', 'ABC@KVT.dk', 'me@other.example', 'info@kvt.dk']) {
    assert.equal(verdict({ sender, recipient: 'info@kvt.dk' }), 'no: from the user', sender);
  }
});

test('what in a header speaks against an answer', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['Auto-Submitted: auto-replied', 'no: Auto-Submitted says so'],
    ['auto-submitted: AUTO-GENERATED; owner-email="x@y"', 'no: auto-submitted says so'],
    ['Auto-Submitted: auto-notified (by cron)', 'no: Auto-Submitted says so'],
    ['Auto-Submitted: whatever', 'no: Auto-Submitted says so'],
    ['Auto-Submitted: no', 'abc@kvt.dk'],
    ['Auto-Submitted: No (a person)', 'abc@kvt.dk'],
    ['Precedence: bulk', 'no: Precedence says so'],
    ['Precedence: LIST', 'no: Precedence says so'],
    ['Precedence: junk', 'no: Precedence says so'],
    ['Precedence: first-class', 'abc@kvt.dk'],
    ['List-Id: <list.example.org>', 'no: from a list'],
    ['List-Unsubscribe:\r\n <mailto:x@y>', 'no: from a list'],
    ['list-help: <x>', 'no: from a list'],
    ['X-Auto-Response-Suppress: All', 'no: X-Auto-Response-Suppress says so'],
    ['X-Auto-Response-Suppress: DR, OOF, RN', 'no: X-Auto-Response-Suppress says so'],
    ['X-Auto-Response-Suppress: DR, AutoReply', 'no: X-Auto-Response-Suppress says so'],
    ['X-Auto-Response-Suppress: DR, RN', 'abc@kvt.dk'],
    ['X-Spam-Flag: YES', 'no: X-Spam-Flag says so'],
    ['X-Spam-Flag: NO', 'abc@kvt.dk'],
    ['X-Autoreply: yes', 'no: X-Autoreply says so'],
    ['Content-Type: multipart/report; report-type=delivery-status', 'no: Content-Type says so'],
    ['Content-Type: multipart/mixed; boundary="multipart/report"', 'abc@kvt.dk'],
  ];
  for (const [field, expected] of cases) assert.equal(verdict({ header: `${field}\r\nTo: abc@kvt.dk\r\n\r\n` }), expected, field);
  // In the body it says nothing.
  assert.equal(verdict({ header: 'To: abc@kvt.dk\r\n\r\nList-Id: x\r\nPrecedence: bulk\r\n' }), 'abc@kvt.dk');
});

test('the message has to be for an address of the user’s, which is the one that answers', () => {
  const to = (header: string, rest: Asked = {}) => verdict({ header: `${header}\r\n\r\n`, ...rest });
  const cases: readonly (readonly [string, Asked, string])[] = [
    ['To: abc@kvt.dk', {}, 'abc@kvt.dk'],
    ['To: "Abc, the first" <ABC@Kvt.DK>, bob@example.net', {}, 'abc@kvt.dk'],
    ['Cc: bob@example.net,\r\n\tabc@kvt.dk', {}, 'abc@kvt.dk'],
    ['Bcc: abc@kvt.dk', {}, 'abc@kvt.dk'],
    ['Resent-To: abc@kvt.dk', {}, 'abc@kvt.dk'],
    ['To: friends: bob@example.net, abc@kvt.dk;', {}, 'abc@kvt.dk'],
    ['To: ME@other.example', {}, 'me@other.example'],
    ['To: info@kvt.dk', { recipient: 'info@kvt.dk' }, 'info@kvt.dk'],
    ['To: sales@old.example', { originalRecipient: 'sales@old.example' }, 'sales@old.example'],
    ['To: abc+tag@kvt.dk', { recipient: 'abc+tag@kvt.dk' }, 'abc+tag@kvt.dk'],
    ['To: undisclosed-recipients:;', {}, 'no: not addressed to the user'],
    ['To: bob@example.net', {}, 'no: not addressed to the user'],
    ['To: xabc@kvt.dk, abc@kvt.dk.example', {}, 'no: not addressed to the user'],
    ['To: "abc@kvt.dk" <bob@example.net>', {}, 'no: not addressed to the user'],
    ['Subject: abc@kvt.dk', {}, 'no: not addressed to the user'],
    [`To: ${'a@b.example, '.repeat(5000)}abc@kvt.dk`, {}, 'no: not addressed to the user'],
  ];
  for (const [header, rest, expected] of cases) assert.equal(to(header, rest), expected, header.slice(0, 100));
  const bücher = mailboxNamed('abc@xn--bcher-kva.example');
  assert.equal(to('To: abc@bücher.example', { mailbox: bücher }), 'abc@xn--bcher-kva.example');
});

test('whatever a message says, there is an answer or there is none', () => {
  const line = fc.oneof(
    fc.constantFrom(
      'To: abc@kvt.dk',
      'To:',
      'Cc: <',
      'Precedence:',
      'Auto-Submitted:;',
      'Subject: =?',
      'List-Id',
      ' folded',
      ':',
      '',
      'To: a:b:c;;',
    ),
    fc.string({ unit: 'binary', maxLength: 60 }),
  );
  fc.assert(
    fc.property(fc.array(line), fc.string({ unit: 'binary' }), (lines, sender) => {
      assert.match(verdict({ header: lines.join('\r\n'), sender }), /^(?:no: |abc@kvt\.dk$)/);
    }),
  );
});

test('a sender has one name, whatever is put before it for each message', () => {
  const key = (sender: string) => {
    const found = judgeVacation({
      ...{ vacation, mailbox: mailboxNamed('abc@kvt.dk'), recipient: 'abc@kvt.dk', originalRecipient: 'abc@kvt.dk', now: noon },
      sender,
      head: Buffer.from('To: abc@kvt.dk\r\n\r\n'),
    });
    assert.ok(found.answers);
    return found.key;
  };
  assert.equal(key('Ada@Example.org'), key('ada@example.org'));
  assert.equal(key('prvs=1111111111=ada@example.org'), key('prvs=2222222222=ada@example.org'));
  assert.equal(key('SRS0=abcd=XY=example.org=ada@one.example'), key('SRS0=efgh=XZ=example.org=ada@one.example'));
  assert.equal(key('SRS1=abcd=one.example==efgh=XY=example.org=ada@two.example').includes('ada'), true);
  assert.notEqual(key('ada@example.org'), key('ida@example.org'));
  assert.notEqual(key('SRS0=abcd=XY=example.org=ada@one.example'), key('SRS0=abcd=XY=example.com=ada@one.example'));
});

const date = new Date(noon);
const parts = { vacation, from: 'abc@kvt.dk', to: 'ada@example.org', noSubject: 'your message', date, id: '1@kvt.dk' };

async function written(header: string, changes: Partial<Vacation> = {}): Promise<string> {
  return (await writeVacation({ ...parts, vacation: { ...vacation, ...changes }, head: Buffer.from(`${header}\r\n`) })).toString();
}

test('what an answer says: RFC 3834 section 3', async () => {
  assert.equal(
    await written('Message-ID: <m1@example.org>\r\nReferences: <m0@example.org>\r\n <m00@example.org>\r\nSubject: Lunch?\r\n'),
    `From: abc@kvt.dk
To: ada@example.org
Subject: Auto: Lunch?
Date: Sun, 29 Nov 2026 12:00:00 +0000
Message-ID: <1@kvt.dk>
In-Reply-To: <m1@example.org>
References: <m0@example.org> <m00@example.org> <m1@example.org>
Auto-Submitted: auto-replied
X-Auto-Response-Suppress: All
Content-Transfer-Encoding: 7bit
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8

I am away.
`.replaceAll('\n', '\r\n'),
  );
});

test('subjects, and texts in any language', async () => {
  const subject = async (header: string, changes?: Partial<Vacation>) =>
    fieldValues(Buffer.from(await written(header, changes)), 'Subject');
  assert.deepEqual(await subject(''), ['Auto: your message']);
  assert.deepEqual(await subject('Subject: =?utf-8?Q?Fr=C3=B8?=\r\n =?utf-8?Q?kost?=\r\n'), [
    'Auto: =?utf-8?Q?Fr=C3=B8?= =?utf-8?Q?kost?=',
  ]);
  assert.deepEqual(await subject('Subject: x\r\n', { subject: 'Ferie' }), ['Ferie']);
  assert.deepEqual(await subject(`Subject: ${'x'.repeat(600)}\r\n`), ['Auto: your message']);
  assert.match((await subject('Subject: x\r\n', { subject: 'På ferie' }))[0] ?? '', /^=\?UTF-8\?Q\?P=C3=A5_ferie\?=$/i);
  const text = await written('', { text: 'Jeg er på ferie.\n.\nFrom mig' });
  assert.deepEqual(fieldValues(Buffer.from(text), 'Content-Transfer-Encoding'), ['quoted-printable']);
  assert.equal(text.slice(headerLength(Buffer.from(text))), 'Jeg er p=C3=A5 ferie.\r\n.\r\nFrom mig\r\n');
});

test('what is taken over from the message can not put in fields of its own, nor grow without end', async () => {
  const refs = Array.from({ length: 500 }, (_, n) => `<${n}.${'x'.repeat(20)}@example.org>`);
  const text = Buffer.from(await written(`Message-ID: <a@b> <c@d>\r\nReferences: ${refs.join('\r\n ')}\r\nSubject: a\rBcc: eve@x\r\n`));
  assert.deepEqual(fieldValues(text, 'In-Reply-To'), ['<a@b>']);
  const [references = ''] = fieldValues(text, 'References');
  assert.ok(references.length < 2100);
  assert.equal(references.split(' ')[0], refs[0]);
  assert.deepEqual(references.split(' ').slice(-2), [refs[499], '<a@b>']);
  assert.deepEqual(fieldValues(text, 'Bcc'), []);
  assert.deepEqual(fieldValues(Buffer.from(await written('Message-ID: no id\r\n')), 'In-Reply-To'), []);
});

function delivered(sender = 'ada@example.org', changes: Partial<Account> = {}): Delivered {
  const account: Account = {
    mailbox: mailboxNamed('abc@kvt.dk'),
    services: new Set(),
    language: 'da',
    rules: { ...noAccountRules, vacation },
    ...changes,
  };
  const envelope = { sender, recipient: 'abc@kvt.dk', originalRecipient: 'abc@kvt.dk', receivedAt: date };
  return { account, envelope, head: Buffer.from('To: abc@kvt.dk\r\n\r\n') };
}

function answering(submit: (text: string, sender: string, to: readonly string[]) => void) {
  const events: [string, LogFields][] = [];
  const note = (event: string, fields: LogFields = {}) => void events.push([event, fields]);
  let now = noon;
  let made = 0;
  const answers = createVacationAnswers({
    submission: {
      async submit(message, { sender, recipients }) {
        const pieces: Uint8Array[] = [];
        for await (const piece of message) pieces.push(piece);
        submit(Buffer.concat(pieces).toString(), sender, recipients);
      },
    },
    once: createMemoryOnceMemory(() => now),
    speaker: createSpeaker(),
    language: 'en',
    log: { debug: note, info: note, warn: note, error: note },
    now: () => now,
    name: () => String(++made),
  });
  const pass = (ms: number): void => {
    now += ms;
  };
  return { answers, events, pass };
}

test('a sender is answered once in the interval, from nobody, in the language of the account', async () => {
  const sent: [string, string, readonly string[]][] = [];
  const { answers, events, pass } = answering((...one) => void sent.push(one));
  const ask = async (sender?: string, changes?: Partial<Account>) => {
    answers.consider(delivered(sender, changes));
    await answers.settled();
    return sent.length;
  };
  assert.equal(await ask(), 1);
  assert.equal(await ask(), 1);
  assert.equal(await ask('ADA@example.org'), 1);
  assert.equal(await ask('bob@example.org', { language: undefined }), 2);
  assert.equal(await ask(undefined, { rules: undefined }), 2);
  pass(7 * 86_400_000);
  assert.equal(await ask(), 3);
  assert.deepEqual(
    sent.map(([text, sender, to]) => [fieldValues(Buffer.from(text), 'Subject'), fieldValues(Buffer.from(text), 'Message-ID'), sender, to]),
    [
      [['Auto: din besked'], ['<1@kvt.dk>'], '', ['ada@example.org']],
      [['Auto: your message'], ['<2@kvt.dk>'], '', ['bob@example.org']],
      [['Auto: din besked'], ['<3@kvt.dk>'], '', ['ada@example.org']],
    ],
  );
  assert.deepEqual(
    events.map(([event]) => event),
    ['vacation.answered', 'vacation.not-answered', 'vacation.not-answered', 'vacation.answered', 'vacation.answered'],
  );
});

test('an answer that can not be sent is a line in the log, and there are not endlessly many', async () => {
  const { answers, events } = answering(() => {
    throw new Fault('temporary', 'the message can not be sent on just now');
  });
  answers.consider(delivered());
  await answers.settled();
  assert.deepEqual(
    events.map(([event]) => event),
    ['vacation.failed'],
  );
  for (let n = 0; n < 1500; n += 1) answers.consider(delivered(`user${n}@example.org`));
  assert.equal(events.filter(([, { cause }]) => cause === 'too many answers wait').length, 500);
  await answers.settled();
  assert.equal(events.length, 1501);
});
