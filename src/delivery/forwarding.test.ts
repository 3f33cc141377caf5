/** Mail that goes on: with which sender, once, as it was, and never in a circle. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { smallDirectory } from '../../test/support/directory.ts';
import { type DomainName, parseDomainName } from '../model/address.ts';
import type { HostedDomain } from '../model/directory.ts';
import { Fault } from '../model/fault.ts';
import { silent } from '../model/log.ts';
import type { MaildropStore } from '../model/maildrop.ts';
import type { SubmissionEnvelope } from '../model/submission.ts';
import { deliver } from './delivery.ts';
import { createForwarding } from './forwarding.ts';
import { noPartialDeliveries } from './partialDeliveries.ts';
import { createResolver } from './resolver.ts';
import { createSrs } from './srs.ts';

const directory = smallDirectory({ name: 'kvt.dk', users: ['abc'] }, { name: 'own.example', users: [] });
const now = () => Date.parse('2026-11-29T12:00:00Z');
const srs = createSrs({ secret: Buffer.alloc(32, 7), now });
const reception = { protocol: 'LMTP', clientName: 'mx.example', clientAddress: undefined, hostname: 'mail.kvt.dk', id: 'a1b2.1' };
const trace = (recipient: string) =>
  `Delivered-To: ${recipient}\r\nReceived: from mx.example\r\n\tby mail.kvt.dk with LMTP id a1b2.1\r\n\tfor <${recipient}>; Sun, 29 Nov 2026 12:00:00 +0000\r\n`;
const content = 'DKIM-Signature: v=1; h=from\r\n\t:subject\r\nReturn-Path: <x@y>\r\nSubject:  two  blanks \r\n\r\n.\r\nFrom \xe6\n\r\n';

function domain(name: string, rest: Partial<HostedDomain> = {}): HostedDomain {
  const parsed = parseDomainName(name);
  assert.ok(parsed);
  return { name: parsed, unknownUsers: { kind: 'bounce' }, ...rest };
}

interface Asked {
  readonly sender?: string;
  readonly by?: HostedDomain;
  readonly message?: string;
  readonly recipients?: readonly string[];
  readonly rewritesSenders?: boolean;
  readonly refuses?: Fault;
}

/** One message to recipients that all go on to bob@example.net. */
async function sendOn({
  sender = 'ada@example.org',
  by = domain('kvt.dk'),
  message = content,
  recipients = ['info@kvt.dk'],
  ...asked
}: Asked) {
  const sent: (SubmissionEnvelope & { text: string })[] = [];
  const submission = {
    async submit(octets: Iterable<Uint8Array> | AsyncIterable<Uint8Array>, envelope: SubmissionEnvelope) {
      const pieces: Uint8Array[] = [];
      for await (const piece of octets) pieces.push(piece);
      if (asked.refuses) throw asked.refuses;
      sent.push({ ...envelope, text: Buffer.concat(pieces).toString('latin1') });
    },
  };
  const sendOn = createForwarding({ submission, srs, rewritesSenders: asked.rewritesSenders ?? true, directory, log: silent });
  const head = Buffer.from(message, 'latin1');
  const unasked = () => Promise.reject(new Error('not asked for'));
  const store: MaildropStore = { deliver: unasked, open: unasked, usage: unasked, locate: unasked };
  const outcomes = await deliver(
    { octets: head.length, head, content: [head], close() {} },
    {
      sender,
      recipients: recipients.map((address) => ({
        address,
        original: undefined,
        destinations: [{ kind: 'forward', address: 'bob@example.net', by }],
      })),
      reception,
      receivedAt: new Date(now()),
    },
    { store, sendOn, partial: noPartialDeliveries, clock: () => 0 },
  );
  return { sent, faults: outcomes.map(({ fault }) => fault) };
}

test('trace fields come first, and every octet of the message stays as it was', async () => {
  const { sent, faults } = await sendOn({});
  assert.deepEqual(faults, [undefined]);
  assert.deepEqual(sent, [
    { sender: srs.forward('ada@example.org', 'kvt.dk'), recipients: ['bob@example.net'], text: trace('info@kvt.dk') + content },
  ]);
});

test('which senders are rewritten', async () => {
  const cases: readonly (readonly [Asked, string])[] = [
    [{}, srs.forward('ada@example.org', 'kvt.dk')],
    [{ by: domain('other.example') }, srs.forward('ada@example.org', 'other.example')],
    [{ sender: '' }, ''],
    [{ sender: 'abc@kvt.dk' }, 'abc@kvt.dk'],
    [{ sender: 'anybody@OWN.example' }, 'anybody@OWN.example'],
    [{ rewritesSenders: false }, 'ada@example.org'],
    [{ rewritesSenders: false, by: domain('kvt.dk', { rewritesSenders: true }) }, srs.forward('ada@example.org', 'kvt.dk')],
    [{ by: domain('kvt.dk', { rewritesSenders: false }) }, 'ada@example.org'],
  ];
  for (const [asked, sender] of cases)
    assert.deepEqual(
      (await sendOn(asked)).sent.map((one) => one.sender),
      [sender],
    );
});

test('however many recipients lead to an address, it gets the message once', async () => {
  const { sent, faults } = await sendOn({ recipients: ['info@kvt.dk', 'sales@kvt.dk', 'info@kvt.dk'] });
  assert.equal(sent.length, 1);
  assert.deepEqual(faults, [undefined, undefined, undefined]);
});

test('a message that went on from here before, or has come too far, goes no further', async () => {
  const statuses = async (message: string) => (await sendOn({ message })).faults.map((fault) => fault && 'status' in fault && fault.status);
  assert.deepEqual(await statuses(`Delivered-To: INFO@kvt.dk\r\n${content}`), ['5.4.6']);
  assert.deepEqual(await statuses(`Delivered-To: sales@kvt.dk\r\n${content}`), [undefined]);
  assert.deepEqual(await statuses('Received: x\r\n'.repeat(100) + content), ['5.4.6']);
  assert.deepEqual(await statuses('Received: x\r\n'.repeat(99) + content), [undefined]);
});

test('what the mail server says is what the recipient is told', async () => {
  const refuses = new Fault('temporary', 'the message can not be sent on just now');
  assert.deepEqual((await sendOn({ refuses, recipients: ['a@kvt.dk', 'b@kvt.dk'] })).faults, [refuses, refuses]);
});

test('a message that begins with white space does not go on where the Received line ends', async () => {
  assert.equal((await sendOn({ message: ' x\r\n' })).sent[0]?.text, `${trace('info@kvt.dk')}\r\n x\r\n`);
});

test('a bounce to a rewritten sender goes on to whom it is for', async () => {
  const resolve = (recipient: string, days = 0) => {
    const later = createSrs({ secret: Buffer.alloc(32, 7), now: () => now() + days * 86_400_000 });
    return createResolver({ directory, recipientDelimiter: '+', defaultDomain: undefined, foldSubdomains: false, srs: later }).resolve(
      recipient,
    );
  };
  const rewritten = srs.forward('ada@example.org', 'kvt.dk');
  for (const recipient of [rewritten, rewritten.toLowerCase(), rewritten.replace('=', '+')]) {
    const found = await resolve(recipient);
    assert.deepEqual(found.outcome === 'deliver' && found.destinations, [
      { kind: 'forward', address: 'ada@example.org', by: await directory.domain('kvt.dk' as DomainName) },
    ]);
  }
  const refused = async (recipient: string, days?: number) => {
    const found = await resolve(recipient, days);
    return found.outcome === 'refuse' && 'status' in found.fault && found.fault.status;
  };
  assert.equal(await refused(rewritten.replace('=ada@', '=eve@')), '5.1.1');
  assert.equal(await refused(rewritten.replace('@kvt.dk', '@own.example')), '5.1.1');
  assert.equal(await refused(rewritten, 22), '5.7.1');
  // Sent on twice, it is for the first of those who did.
  const second = await resolve(srs.forward('SRS0=abcd=XY=example.org=ada@one.example', 'kvt.dk'));
  assert.deepEqual(second.outcome === 'deliver' && second.destinations.map((one) => one.kind === 'forward' && one.address), [
    'SRS0=abcd=XY=example.org=ada@one.example',
  ]);
});
