import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { messageOctets } from '../../test/support/mailOctets.ts';
import { createSpeaker } from '../texts/speaker.ts';
import { compose, type Occasion } from './compose.ts';
import { asking, kvt, octetsOf } from './fixture.test.ts';
import { type ReceiptRequest, readRequest } from './request.ts';

const means = { speaker: createSpeaker(), hostname: 'mail.kvt.dk', random: (octets: number) => Buffer.alloc(octets, 0xab) };
const id = 'abababababababababababab';

function requestIn(header: Buffer): ReceiptRequest {
  const found = readRequest(header, kvt);
  if (found.kind !== 'request') throw new Error(found.kind);
  return found.request;
}

async function receipt(lines: readonly string[], occasion: Partial<Occasion> = {}): Promise<string> {
  const header = octetsOf(lines);
  const usual: Occasion = { request: requestIn(header), header, consent: 'general', language: 'en', nowMs: Date.UTC(2026, 10, 29, 9, 30) };
  return (await compose({ ...usual, ...occasion }, means)).toString('latin1');
}

const joined = (lines: readonly string[]) => lines.map((line) => `${line}\r\n`).join('');

test('A1, A11: the whole receipt', async () => {
  assert.equal(
    await receipt(asking),
    joined([
      'From: alias@kvt.dk',
      'To: ada@example.org',
      'Subject: =?UTF-8?Q?Receipt=3A_bl=C3=A5b=C3=A6r?=',
      'Date: Sun, 29 Nov 2026 09:30:00 +0000',
      `Message-ID: <receipt.${id}@mail.kvt.dk>`,
      'In-Reply-To: <1@example.org>',
      'References: <1@example.org>',
      'Auto-Submitted: auto-replied',
      'MIME-Version: 1.0',
      'Content-Type: multipart/report; report-type=disposition-notification;',
      ` boundary=receipt-${id}-Part_1`,
      '',
      `--receipt-${id}-Part_1`,
      'Content-Type: text/plain; charset=utf-8',
      'Content-Transfer-Encoding: quoted-printable',
      '',
      'Your message to alias@kvt.dk was fetched from the mail server by the mail =',
      'program of the recipient.',
      'Sent: Sun, 29 Nov 2026 08:59:00 +0000',
      'Subject: bl=C3=A5b=C3=A6r',
      'This does not mean that somebody has read it or understood it.',
      '',
      `--receipt-${id}-Part_1`,
      'Content-Type: message/disposition-notification',
      '',
      'Reporting-UA: mail.kvt.dk; Postkasse',
      'Original-Recipient: rfc822;alias@kvt.dk',
      'Final-Recipient: rfc822;alias@kvt.dk',
      'Original-Message-ID: <1@example.org>',
      'Disposition: automatic-action/MDN-sent-automatically; processed',
      '',
      `--receipt-${id}-Part_1`,
      'Content-Type: text/rfc822-headers',
      'Content-Transfer-Encoding: 7bit',
      '',
      'From: Ada Lovelace <ada@example.org>',
      'To: Kvt <alias@kvt.dk>',
      'Subject: =?utf-8?q?bl=C3=A5b=C3=A6r?=',
      'Date: Sun, 29 Nov 2026 08:59:00 +0000',
      'Message-ID: <1@example.org>',
      'Disposition-Notification-To: Ada Lovelace <ada@example.org>',
      '',
      `--receipt-${id}-Part_1--`,
    ]),
  );
});

test('in Danish, asked for by the user, for a message that says little of itself', async () => {
  const bare = [
    'Return-Path: <ada@example.org>',
    'Received: by mail.kvt.dk',
    'Disposition-Notification-To: "a b"@example.org',
    'X-Odd: blåbær',
  ];
  assert.equal(
    await receipt(bare, { language: 'da', consent: 'particular' }),
    joined([
      'From: kvt@kvt.dk',
      'To: <"a b"@example.org>',
      'Subject: Kvittering:',
      'Date: Sun, 29 Nov 2026 09:30:00 +0000',
      `Message-ID: <receipt.${id}@mail.kvt.dk>`,
      'Auto-Submitted: auto-replied',
      'MIME-Version: 1.0',
      'Content-Type: multipart/report; report-type=disposition-notification;',
      ` boundary=receipt-${id}-Part_1`,
      '',
      `--receipt-${id}-Part_1`,
      'Content-Type: text/plain; charset=utf-8',
      'Content-Transfer-Encoding: quoted-printable',
      '',
      'Din besked til kvt@kvt.dk er hentet fra mailserveren af modtagerens =',
      'mailprogram.',
      'Det betyder ikke, at nogen har l=C3=A6st eller forst=C3=A5et den.',
      '',
      `--receipt-${id}-Part_1`,
      'Content-Type: message/disposition-notification',
      '',
      'Reporting-UA: mail.kvt.dk; Postkasse',
      'Final-Recipient: rfc822;kvt@kvt.dk',
      'Disposition: automatic-action/MDN-sent-manually; processed',
      '',
      `--receipt-${id}-Part_1`,
      'Content-Type: text/rfc822-headers',
      'Content-Transfer-Encoding: quoted-printable',
      '',
      'Disposition-Notification-To: "a b"@example.org',
      'X-Odd: bl=C3=A5b=C3=A6r',
      '',
      `--receipt-${id}-Part_1--`,
    ]),
  );
});

test('no header makes a receipt that says more than it should, or can be read in two ways', async () => {
  const header = fc
    .array(
      fc.oneof(
        fc.constantFrom(
          ...asking,
          ' folded',
          `--receipt-${id}-Part_1--`,
          'Subject: a\rBcc: eve@example.net',
          'Status: RO',
          'Subject: \0',
          'Message-ID: <x>',
        ),
        messageOctets.map((octets) => octets.toString('latin1')),
      ),
      { maxLength: 20 },
    )
    .map((lines) => Buffer.from(joined([...asking, ...lines]), 'latin1'));
  await fc.assert(
    fc.asyncProperty(header, async (octets) => {
      const found = readRequest(octets, kvt);
      if (found.kind !== 'request') return;
      const usual: Omit<Occasion, 'request' | 'header'> = { consent: 'general', language: 'de', nowMs: 0 };
      const text = (await compose({ ...usual, request: found.request, header: octets }, means)).toString('latin1');
      // Lines that any server takes, and nothing but ASCII. RFC 5321 section 4.5.3.1.6.
      for (const line of text.split('\r\n')) assert.match(line, /^[\t\x20-\x7e]{0,998}$/);
      const [head = '', ...parts] = text.split(`\r\n--receipt-${id}-Part_1`);
      assert.match(head, /^From: alias@kvt\.dk\r\nTo: ada@example\.org\r\nSubject: /);
      assert.deepEqual(
        head
          .replace(/\r\n[\t ]/g, ' ')
          .split('\r\n')
          .map((line) => /^[^:]*/.exec(line)?.[0])
          .filter((name) => !/^(?:In-Reply-To|References)$/.test(name ?? '')),
        ['From', 'To', 'Subject', 'Date', 'Message-ID', 'Auto-Submitted', 'MIME-Version', 'Content-Type', ''],
      );
      assert.equal(parts.length, 4);
      assert.equal(parts[3], '--\r\n');
      assert(!/^(?:Received|Delivered-To|Return-Path|Status):/m.test(parts[2] ?? ''));
    }),
    { numRuns: 300 },
  );
});
