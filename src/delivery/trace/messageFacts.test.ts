import assert from 'node:assert/strict';
import { test } from 'node:test';
import { messageFacts, queueIdOf } from './messageFacts.ts';

test('the queue id is in the id clause of a Received field, RFC 5321 section 4.4, as servers write it', () => {
  for (const [received, expected] of [
    [
      'from mx.example.org (mx.example.org [192.0.2.1]) by mail.kvt.dk (Postfix) with ESMTPS id 4Bd2Xy3Z1kz9sT for <a@kvt.dk>; Thu, 1 Jan 2026 00:00:00 +0000',
      '4Bd2Xy3Z1kz9sT',
    ],
    ['by mail.kvt.dk (Postfix, from userid 1000) id 5F3A21C0; Thu, 1 Jan 2026 00:00:00 +0000 (UTC)', '5F3A21C0'],
    [
      'from a ([192.0.2.1] helo=b) by mail.kvt.dk with esmtps (TLS1.3) tls TLS_AES (Exim 4.96) (envelope-from <x@y>) id 1qABCd-0001Ef-2G for a@kvt.dk; date',
      '1qABCd-0001Ef-2G',
    ],
    ['from a (b [192.0.2.1]) by kvt.dk (8.17.1/8.17.1) with ESMTP id 3AB0CdEf012345; date', '3AB0CdEf012345'],
    ['from a by b with LMTP id <4711@b>; date', '4711@b'],
    // What the client called itself is no word of the server's.
    ['from id (id FORGED [192.0.2.1]) by mail.kvt.dk (Postfix) with ESMTP id REAL01; date', 'REAL01'],
    ['from a (x (y id FORGED) \\) id FORGED) by mail.kvt.dk with ESMTP id REAL02; date', 'REAL02'],
    ['from a by b with ESMTP; id late', undefined],
    ['from a by b (id comment) with ESMTP; date', undefined],
    ['nonsense', undefined],
    ['', undefined],
  ] as const)
    assert.equal(queueIdOf(received), expected, received);
});

test('the first Received field and the first Message-ID count, folded or not; those of the body do not', () => {
  const header = (...lines: string[]) =>
    Buffer.from(`${lines.join('\r\n')}\r\n\r\nReceived: by x with y id BODY; z\r\nMessage-ID: <body>\r\n`);
  assert.deepEqual(
    messageFacts(
      header(
        'X-Original-To: a@b',
        'Received: from a',
        '\tby b (Postfix) with LMTP',
        '\tid FIRST;',
        ' date',
        'Received: by c id SECOND; d',
        'message-id:',
        ' <1@x>',
      ),
    ),
    { queueId: 'FIRST', messageId: '<1@x>' },
  );
  assert.deepEqual(messageFacts(header('Subject: x')), { queueId: undefined, messageId: undefined });
  assert.deepEqual(messageFacts(header('Message-ID: <2@x>', 'Message-ID: <3@x>')), { queueId: undefined, messageId: '<2@x>' });
  assert.deepEqual(messageFacts(Buffer.alloc(0)), { queueId: undefined, messageId: undefined });
  // A server without an id doesn't borrow that of the one before it.
  assert.deepEqual(messageFacts(header('Received: from a by b; d', 'Received: by c id SECOND; d')), {
    queueId: undefined,
    messageId: undefined,
  });
});
