import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { messageOctets } from '../../test/support/mailOctets.ts';
import { parseUserName } from '../model/address.ts';
import { asking, kvt, octetsOf, trace } from './fixture.test.ts';
import { formatMailAddress } from './mailAddress.ts';
import { type Doubt, type ReceiptRequest, readRequest } from './request.ts';

/** `asking` with other lines in place of those that have the same name; an empty value takes a field away. */
function changed(...changes: readonly string[]): string[] {
  const nameOf = (line: string) => /^[^:]*:/.exec(line)?.[0].toLowerCase();
  const unfolded = asking.join('\n').replace(/\n\t/g, ' ').split('\n');
  const kept = unfolded.filter((line) => !changes.some((change) => nameOf(change) === nameOf(line)));
  return [...kept, ...changes.filter((change) => !/^[^:]*:$/.test(change))];
}

function outcome(lines: readonly string[]): string {
  const found = readRequest(octetsOf(lines), kvt);
  return found.kind === 'refused' ? found.reason : found.kind;
}

function requestOf(lines: readonly string[], recipient = kvt): ReceiptRequest {
  const found = readRequest(octetsOf(lines), recipient);
  assert(found.kind === 'request', JSON.stringify(found));
  return found.request;
}

const doubts = (lines: readonly string[]): readonly Doubt[] => requestOf(lines).doubts;
const request = 'Disposition-Notification-To';

test('a message that asks for a receipt, and may have one', () => {
  const { to, recipient, ...rest } = requestOf(asking);
  assert.equal(formatMailAddress(to), 'ada@example.org');
  assert.equal(formatMailAddress(recipient), 'alias@kvt.dk');
  assert.deepEqual(rest, {
    originalRecipient: 'rfc822;alias@kvt.dk',
    messageId: '<1@example.org>',
    subject: 'blåbær',
    date: 'Sun, 29 Nov 2026 08:59:00 +0000',
    doubts: [],
  });
});

test('most messages ask for none', () => {
  assert.equal(outcome(changed(`${request}:`)), 'none');
  assert.equal(outcome([]), 'none');
  assert.equal(outcome(['Subject: x', '', `${request}: ada@example.org`]), 'none');
});

// RFC 8098 sections 2.1, 2.2 and 3; RFC 3834 section 2 for what no program answers; RFC 2076 and RFC 2369 for lists.
const refusals: readonly [string, readonly string[]][] = [
  ['several-requests', [`${request}: ada@example.org`, `${request}: ada@example.org`]],
  ['malformed-address', [`${request}: ada`]],
  ['malformed-address', [`${request}: <ada@example.org> <bob@example.org>`]],
  ['malformed-address', [`${request}: `]],
  ['malformed-address', [`${request}: ada@[192.0.2.1]`]],
  ['malformed-address', [`${request}: ada\0@example.org`]],
  ['malformed-address', [`${request}: ${'ada@example.org,'.repeat(200)}`]],
  ['several-addresses', [`${request}: ada@example.org, bob@example.org`]],
  ['not-ascii', [`${request}: blåbær@example.org`]],
  ['unknown-option', ['Disposition-Notification-Options: urgency=required,high']],
  ['unknown-option', ['Disposition-Notification-Options: a=optional,b; c=REQUIRED,d']],
  ['unknown-option', ['Disposition-Notification-Options: nonsense']],
  ['list', ['List-Id: <x.example.org>']],
  ['list', ['List-Unsubscribe: <mailto:x@example.org>']],
  ['list', ['Mailing-List: contact x@example.org']],
  ['bulk', ['Precedence: bulk']],
  ['bulk', ['Precedence: List']],
  ['bulk', ['Precedence: junk']],
  ['automatic', ['Auto-Submitted: auto-replied']],
  ['automatic', ['Auto-Submitted: auto-generated (cron)']],
  ['automatic', ['Auto-Submitted: nobody-knows']],
  ['report', ['Content-Type: multipart/report; report-type=disposition-notification; boundary=x']],
  ['report', ['Content-Type: Multipart/Report; report-type=delivery-status; boundary=x']],
  ['report', ['Content-Type: message/disposition-notification']],
  ['report', ['Content-Type: message/global-delivery-status']],
  ['unwanted', ['X-Auto-Response-Suppress: DR, RN, OOF']],
  ['unwanted', ['X-Auto-Response-Suppress: All']],
];

test('what gets no receipt, whatever the user says', () => {
  for (const [reason, lines] of refusals) assert.equal(outcome(changed(...lines)), reason, lines.join(' | '));
  assert.equal(outcome(asking.map((line) => line.replace(/^Return-Path:.*/, 'Return-Path: <>'))), 'no-sender');
  assert.deepEqual(readRequest(octetsOf(asking), kvt, false), { kind: 'refused', reason: 'header-too-long' });
});

test('what looks like a reason and is none', () => {
  const harmless = [
    `${request}: ada@example.org, "ada"@EXAMPLE.ORG`,
    'Disposition-Notification-Options: a=optional,b; c=Optional,d',
    'Precedence: first-class',
    'Auto-Submitted: no',
    'Auto-Submitted: No (a person did)',
    'Content-Type: multipart/mixed; boundary=report',
    'Content-Type: message/rfc822',
    'X-Auto-Response-Suppress: NRN, OOF',
    'Listen: to me',
  ];
  for (const line of harmless) assert.equal(outcome(changed(line)), 'request', line);
});

test('RFC 8098 section 2.1: no receipt by itself where the address is not the one in Return-Path', () => {
  const returned = (path: string) => asking.map((line) => line.replace(/^Return-Path:.*/, `Return-Path: ${path}`));
  assert.deepEqual(doubts(returned('<ada@EXAMPLE.org>')), []);
  assert.deepEqual(doubts(returned('<"ada"@example.org>')), []);
  assert.deepEqual(doubts(returned('<Ada@example.org>')), ['other-sender']);
  assert.deepEqual(doubts(returned('<eve@example.net>')), ['other-sender']);
  assert.deepEqual(doubts(returned('nonsense')), ['other-sender']);
  assert.deepEqual(doubts(asking.slice(1)), ['no-return-path']);
});

test('a Return-Path counts where delivery has put it, not where a sender has', () => {
  const [, ...rest] = asking;
  assert.deepEqual(doubts([...rest, 'Return-Path: <ada@example.org>']), ['no-return-path']);
  assert.deepEqual(doubts(['Return-Path: <eve@example.net>', ...asking]), ['other-sender']);
  // A filter on this host has written above what delivery wrote.
  assert.deepEqual(doubts(['X-Spam-Status: No', ...asking]), []);
  // No mail server has touched it: what stands at the very top may be a delivery's, what stands below is anybody's.
  const untouched = asking.filter((line) => !/^(?:Received|\t)/.test(line));
  assert.deepEqual(doubts(untouched), []);
  assert.deepEqual(doubts(['X-Anything: x', ...untouched]), ['no-return-path', 'not-addressed']);
});

test('a message that names nobody we know may have come to many', () => {
  assert.deepEqual(doubts(changed('To: alias@KVT.dk')), []);
  assert.deepEqual(doubts(changed('To: eve@example.net', 'Cc: "Kvt" <KVT@kvt.dk>, x@example.org')), []);
  assert.deepEqual(doubts(changed('To: all: alias@kvt.dk;')), []);
  assert.deepEqual(doubts(changed('To: eve@example.net')), ['not-addressed']);
  assert.deepEqual(doubts(changed('To: undisclosed-recipients:;')), ['not-addressed']);
  assert.deepEqual(doubts(changed('To:')), ['not-addressed']);
});

test('A1: the recipient is who X-Original-To says, then Delivered-To, then the account', () => {
  const of = (lines: readonly string[]) => {
    const { recipient, originalRecipient } = requestOf(lines);
    return [formatMailAddress(recipient), originalRecipient];
  };
  const without = (name: string, lines: readonly string[]) => lines.filter((line) => !line.startsWith(name));
  assert.deepEqual(of(asking), ['alias@kvt.dk', 'rfc822;alias@kvt.dk']);
  assert.deepEqual(of([asking[0] ?? '', asking[2] ?? '', asking[1] ?? '', ...asking.slice(3)]), ['alias@kvt.dk', 'rfc822;alias@kvt.dk']);
  const plain = without('X-Original-To', asking).map((line) => line.replace('kvt@kvt.dk', 'kvt+x@kvt.dk'));
  assert.deepEqual(of(plain), ['kvt+x@kvt.dk', undefined]);
  assert.deepEqual(of(without('Delivered-To', plain)), ['kvt@kvt.dk', undefined]);
  assert.deepEqual(of([...without('X-Original-To', asking), 'X-Original-To: eve@example.net']), ['kvt@kvt.dk', undefined]);
  assert.deepEqual(of(asking.map((line) => line.replace('alias@kvt.dk', 'no address'))), ['kvt@kvt.dk', undefined]);
});

test('RFC 8098 section 2.3: Original-Recipient is the final mail server’s word, and no sender’s', () => {
  const original = (lines: readonly string[]) => requestOf(lines).originalRecipient;
  assert.equal(original(['Original-Recipient: rfc822; first@example.dk', ...asking]), 'rfc822;first@example.dk');
  assert.equal(original(['Original-Recipient: x400;/S=First/', ...asking]), 'x400;/S=First/');
  assert.equal(original(['Original-Recipient: nonsense', ...asking]), 'rfc822;alias@kvt.dk');
  assert.equal(original([...asking, 'Original-Recipient: rfc822;eve@example.net']), 'rfc822;alias@kvt.dk');
});

test('a user of the host has the domain of the host', () => {
  const user = parseUserName('root');
  assert(user);
  const mailbox = { ...kvt.mailbox, name: 'root', user, domain: undefined };
  const lines = changed('X-Original-To:', 'Delivered-To:', 'To: root@mail.kvt.dk');
  assert.deepEqual(
    [requestOf(lines, { ...kvt, mailbox })].map(({ recipient, doubts }) => [formatMailAddress(recipient), doubts]),
    [['root@mail.kvt.dk', []]],
  );
});

test('what is shown to people can not play tricks with their terminal', () => {
  assert.equal(requestOf(changed('Subject: a\x1b[2Jb =?utf-8?q?c=1B=0Ad=E2=80=AEe?=')).subject, 'a [2Jb c d e');
  assert.equal(requestOf(changed('Date: \x07now')).date, 'now');
});

test('a Message-ID that is none is left out', () => {
  const id = (written: string) => requestOf(changed(`Message-ID: ${written}`)).messageId;
  assert.equal(id('<a.b@c>'), '<a.b@c>');
  for (const written of ['a@b', '<a b@c>', '<å@c>', '<a>b@c>', `<${'a'.repeat(900)}@c>`]) assert.equal(id(written), undefined, written);
});

test('any octets, with any fields among them, have an answer; a request goes to who was asked for and nobody else', () => {
  const line = fc.constantFrom(
    ...asking,
    ...trace,
    ...refusals.flatMap(([, lines]) => lines),
    ' folded',
    '',
    'Disposition-Notification-To : <ada@example.org>',
    'disposition-notification-to:',
    '\tbob@example.org',
    'To: alias@kvt.dk',
    'Received:',
  );
  const octets = fc.oneof(
    fc.array(line, { maxLength: 25 }).map(octetsOf),
    messageOctets,
    fc.uint8Array().map((all) => Buffer.from(all)),
  );
  fc.assert(
    fc.property(octets, fc.boolean(), (header, whole) => {
      const found = readRequest(header, kvt, whole);
      if (found.kind !== 'request') return;
      assert(whole);
      assert.match(formatMailAddress(found.request.to), /^(?:ada|bob)@example\.org$/);
      assert.match(found.request.originalRecipient ?? '', /^[\x21-\x7e]*$/);
    }),
    { numRuns: 2000 },
  );
});
