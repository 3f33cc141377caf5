import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import type { ListenOptions } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { smallDirectory } from '../../test/support/directory.ts';
import { Client } from '../../test/support/socketDialogue.ts';
import { cannotSendOn, createResolver, noPartialDeliveries } from '../delivery/index.ts';
import type { Envelope } from '../model/envelope.ts';
import { Fault } from '../model/fault.ts';
import type { LogFields } from '../model/log.ts';
import type { MaildropStore } from '../model/maildrop.ts';
import { Networks } from '../model/networks.ts';
import { disk } from '../os/disk.ts';
import { createSpeaker } from '../texts/speaker.ts';
import { startLmtpListener } from './lmtpListener.ts';
import type { MailListener, MailListenerOptions } from './mailListener.ts';
import { startSmtpReceiver } from './smtpReceiver.ts';

interface Kept {
  readonly mailbox: string;
  readonly octets: Buffer;
  readonly envelope: Envelope;
}

interface House {
  readonly listener: MailListener;
  readonly kept: Kept[];
  readonly events: [string, LogFields][];
  readonly folder: string;
  client(more?: { readonly allowHalfOpen: boolean }): Client;
}

interface Changes extends Partial<MailListenerOptions> {
  readonly service?: 'lmtp' | 'smtp';
  readonly listenOn?: (folder: string) => ListenOptions;
  /** Called before a message is kept. */
  readonly before?: (mailbox: string) => Promise<void>;
}

async function house(t: TestContext, changes: Changes = {}): Promise<House> {
  const folder = mkdtempSync(join(tmpdir(), 'lmtp-'));
  const kept: Kept[] = [];
  const events: [string, LogFields][] = [];
  const note = (event: string, fields: LogFields = {}) => void events.push([event, fields]);
  const store: MaildropStore = {
    async deliver(mailbox, message, envelope) {
      await changes.before?.(mailbox.name);
      const pieces: Uint8Array[] = [];
      for await (const piece of message) pieces.push(Buffer.from(piece));
      kept.push({ mailbox: mailbox.name, octets: Buffer.concat(pieces), envelope });
    },
    open: () => Promise.reject(new Error('not asked for')),
    usage: async () => ({ octets: 0 }),
    locate: () => Promise.reject(new Error('not asked for')),
  };
  const directory = smallDirectory({ name: 'kvt.dk', users: ['abc', 'kvt', 'full', 'broken'] });
  let ids = 0;
  const start = changes.service === 'smtp' ? startSmtpReceiver : startLmtpListener;
  const listen = changes.listenOn?.(folder) ?? { host: '127.0.0.1', port: 0 };
  const listener = await start({
    resolver: createResolver({ directory, recipientDelimiter: '+', defaultDomain: undefined, foldSubdomains: false }),
    sendOn: cannotSendOn,
    partial: noPartialDeliveries,
    store,
    speaker: createSpeaker(),
    log: { debug() {}, info: note, warn: note, error: note },
    now: () => Date.UTC(2026, 10, 22, 12),
    clock: () => 0,
    hostname: 'mail.kvt.dk',
    spool: { disk, folder, name: () => String(ids++) },
    maxMessageOctets: 1_000_000,
    maxRecipients: 3,
    random: (octets) => Buffer.alloc(octets, 0xab),
    idleTimeoutMs: 60_000,
    maxConnections: 100,
    maxConnectionsPerSource: 100,
    ...changes,
    listen,
  });
  assert.deepEqual(
    events.splice(0).map(([event]) => event),
    ['net.listening'],
  );
  const clients: Client[] = [];
  t.after(async () => {
    for (const client of clients) await client.end();
    await listener.stop(0);
    rmSync(folder, { recursive: true });
  });
  return {
    listener,
    kept,
    events,
    folder,
    client(more) {
      const where = listen.path === undefined ? { host: '127.0.0.1', port: listener.port } : { path: listen.path };
      const client = new Client({ ...where, ...more });
      clients.push(client);
      return client;
    },
  };
}

const greeting = `S: 220 mail.kvt.dk LMTP
  C: LHLO mx.example
  S: 250-mail.kvt.dk
  S: 250-PIPELINING
  S: 250-8BITMIME
  S: 250-SMTPUTF8
  S: 250-ENHANCEDSTATUSCODES
  S: 250 SIZE 1000000`;

test('a message for several: one reply each, in the order of RCPT, and one that fails leaves the others alone', async (t) => {
  const { client, kept, events } = await house(t, {
    before: async (mailbox) => {
      if (mailbox === 'full@kvt.dk') throw new Fault('over-quota', 'no room for the message at the moment');
      if (mailbox === 'broken@kvt.dk') throw new TypeError('a slip of ours, /secret/path');
    },
    maxRecipients: 100,
  });
  await client().play(`${greeting}
    C: MAIL FROM:<jens@jth.example> SIZE=10 BODY=8BITMIME
    S: 250 2.1.0 Accepted
    C: RCPT TO:<abc@kvt.dk>
    S: 250 2.1.5 Accepted
    C: RCPT TO:<nobody@kvt.dk>
    S: 550 5.1.1 no such user here
    C: RCPT TO:<abc@elsewhere.example>
    S: 550 5.7.1 we do not take mail for that domain
    C: RCPT TO:<full@kvt.dk>
    S: 250 2.1.5 Accepted
    C: RCPT TO:<broken@kvt.dk>
    S: 250 2.1.5 Accepted
    C: RCPT TO:<kvt+tag@kvt.dk>
    S: 250 2.1.5 Accepted
    the same one twice is accepted twice and so has two replies, RFC 2033 section 4.2
    C: RCPT TO:<abc@kvt.dk>
    S: 250 2.1.5 Accepted
    C: DATA
    S: 354 End data with <CR><LF>.<CR><LF>
    C: Subject: x
    C:
    C: ..
    C: .
    S: 250 2.0.0 delivered as abababababab.1
    S: 452 4.2.2 no room for the message at the moment
    S: 451 4.3.0 internal error
    S: 250 2.0.0 delivered as abababababab.1
    S: 250 2.0.0 delivered as abababababab.1
    C: QUIT
    S: 221 2.0.0 Bye
    S: (closed)`);
  const trace = (recipient: string, mailbox: string) =>
    `Return-Path: <jens@jth.example>\r\nDelivered-To: ${mailbox}\r\nX-Original-To: ${recipient}\r\nReceived: from mx.example ([127.0.0.1])\r\n` +
    `\tby mail.kvt.dk with LMTP id abababababab.1\r\n\tfor <${recipient}>; Sun, 22 Nov 2026 12:00:00 +0000\r\n`;
  assert.deepEqual(
    kept.map(({ mailbox, octets }) => [mailbox, octets.toString()]),
    [
      ['abc@kvt.dk', `${trace('abc@kvt.dk', 'abc@kvt.dk')}Subject: x\r\n\r\n.\r\n`],
      ['kvt@kvt.dk', `${trace('kvt+tag@kvt.dk', 'kvt@kvt.dk')}Subject: x\r\n\r\n.\r\n`],
    ],
  );
  const about = { id: 'abababababab.1', sender: 'jens@jth.example', octets: 17, ms: 0 };
  assert.deepEqual(
    events.map(([event, { cause: _, ...fields }]) => [event, present(fields)]),
    [
      ['lmtp.refused', { session: 'abababababab', recipient: 'nobody@kvt.dk', sender: 'jens@jth.example', why: 'no such user here' }],
      [
        'lmtp.refused',
        {
          session: 'abababababab',
          recipient: 'abc@elsewhere.example',
          sender: 'jens@jth.example',
          why: 'we do not take mail for that domain',
        },
      ],
      ['lmtp.delivered', { ...about, recipient: 'abc@kvt.dk', mailbox: 'abc@kvt.dk', rules: 'account' }],
      [
        'lmtp.failed',
        { ...about, recipient: 'full@kvt.dk', mailbox: 'full@kvt.dk', rules: 'account', why: 'no room for the message at the moment' },
      ],
      ['lmtp.failed', { ...about, recipient: 'broken@kvt.dk', mailbox: 'broken@kvt.dk', rules: 'account', why: 'internal error' }],
      ['lmtp.delivered', { ...about, recipient: 'kvt+tag@kvt.dk', mailbox: 'kvt@kvt.dk', rules: 'user and tag' }],
      ['lmtp.delivered', { ...about, recipient: 'abc@kvt.dk', mailbox: 'abc@kvt.dk', rules: 'account' }],
    ],
  );
});

/** Fields that have a value, as the log shows them. */
function present(fields: LogFields): LogFields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

test('250 waits for the store', async (t) => {
  const gate = Promise.withResolvers<void>();
  const entered = Promise.withResolvers<void>();
  const { client, kept } = await house(t, {
    before: () => {
      entered.resolve();
      return gate.promise;
    },
  });
  const one = client();
  await one.play(`${greeting}
    C: MAIL FROM:<>
    S: 250 2.1.0 Accepted
    C: RCPT TO:<abc@kvt.dk>
    S: 250 2.1.5 Accepted
    C: DATA
    S: 354 End data with <CR><LF>.<CR><LF>`);
  let answered = false;
  one.write('\r\n.\r\n');
  const reply = one.line().then((line) => {
    answered = true;
    return line;
  });
  await entered.promise;
  assert.equal(answered, false);
  assert.equal(kept.length, 0);
  gate.resolve();
  assert.equal(await reply, '250 2.0.0 delivered as abababababab.1');
  assert.equal(kept[0]?.octets.toString().startsWith('Return-Path: <>\r\n'), true);
});

test('commands out of order, unknown ones and bad arguments', async (t) => {
  const { client } = await house(t);
  await client().play(`S: 220 mail.kvt.dk LMTP
    C: MAIL FROM:<a@b.example>
    S: 503 5.5.1 Error: send LHLO first
    C: EHLO mx.example
    S: 500 Error: EHLO not allowed in LMTP server
    C: LHLO mx.example
    S: 250-mail.kvt.dk
    S: 250-PIPELINING
    S: 250-8BITMIME
    S: 250-SMTPUTF8
    S: 250-ENHANCEDSTATUSCODES
    S: 250 SIZE 1000000
    C: RCPT TO:<abc@kvt.dk>
    S: 503 5.5.1 Error: need MAIL command
    C: DATA
    S: 503 5.5.1 Error: need RCPT command
    C: MAIL FROM:a@b.example
    S: 501 5.1.7 Error: Bad sender address syntax
    C: MAIL FROM:<a@b.example> SIZE=2000000
    S: 552 5.3.4 Error: message exceeds fixed maximum message size 1000000
    C: MAIL FROM:<a@b.example> REQUIRETLS
    S: 530 5.7.0 REQUIRETLS not permitted on non-TLS connections
    C: MAIL FROM:<a@b.example> BY=1
    S: 555 5.5.4 parameter BY is not known here
    C: MAIL FROM:<"odd one"@b.example>
    S: 250 2.1.0 Accepted
    C: MAIL FROM:<a@b.example>
    S: 503 5.5.1 Error: nested MAIL command
    C: RCPT TO:<>
    S: 501 5.1.3 Error: Bad recipient address syntax
    C: RCPT TO:<abc>
    S: 553 5.1.3 this is no mail address
    C: RCPT TO:<abc@kvt.dk> X=1
    S: 555 5.5.4 parameter X is not known here
    C: DATA
    S: 503 5.5.1 Error: need RCPT command
    C: RSET
    S: 250 2.0.0 Flushed
    C: RCPT TO:<abc@kvt.dk>
    S: 503 5.5.1 Error: need MAIL command
    C: NOOP
    S: 250 2.0.0 OK
    C: VRFY abc
    S: 252 2.1.5 Try to send something. No promises though
    C: AUTH PLAIN AGFiYwBhYmM=
    S: 500 5.5.2 Error: command not recognized
    C: STARTTLS
    S: 500 5.5.2 Error: command not recognized
    C: XCLIENT ADDR=192.0.2.1
    S: 500 5.5.2 Error: command not recognized
    C: WIZ x
    S: 500 5.5.2 Error: command not recognized`);
});

test('commands that come together are answered in order, RFC 2920', async (t) => {
  const { client, kept } = await house(t);
  const one = client();
  one.write(
    'LHLO mx\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<nobody@kvt.dk>\r\nRCPT TO:<abc@kvt.dk>\r\nDATA\r\n\r\none\r\n.\r\n' +
      'MAIL FROM:<c@d.example>\r\nRCPT TO:<kvt@kvt.dk>\r\nDATA\r\n\r\ntwo\r\n.\r\nQUIT\r\n',
  );
  await one.play(`S: 220 mail.kvt.dk LMTP
    S: 250-mail.kvt.dk
    S: 250-PIPELINING
    S: 250-8BITMIME
    S: 250-SMTPUTF8
    S: 250-ENHANCEDSTATUSCODES
    S: 250 SIZE 1000000
    S: 250 2.1.0 Accepted
    S: 550 5.1.1 no such user here
    S: 250 2.1.5 Accepted
    S: 354 End data with <CR><LF>.<CR><LF>
    S: 250 2.0.0 delivered as abababababab.1
    S: 250 2.1.0 Accepted
    S: 250 2.1.5 Accepted
    S: 354 End data with <CR><LF>.<CR><LF>
    S: 250 2.0.0 delivered as abababababab.2
    S: 221 2.0.0 Bye
    S: (closed)`);
  assert.deepEqual(
    kept.map(({ mailbox, envelope }) => `${envelope.sender} ${mailbox}`),
    ['a@b.example abc@kvt.dk', 'c@d.example kvt@kvt.dk'],
  );
});

test('too many recipients wait for the next transaction, RFC 5321 section 4.5.3.1.10', async (t) => {
  const { client } = await house(t);
  const accepted = 'C: RCPT TO:<abc+1@kvt.dk>\nS: 250 2.1.5 Accepted\n'.repeat(3);
  await client().play(`${greeting}
    C: MAIL FROM:<a@b.example>
    S: 250 2.1.0 Accepted
    ${accepted}
    C: RCPT TO:<abc@kvt.dk>
    S: 452 4.5.3 too many recipients`);
});

test('ORCPT, 8 bits and UTF-8 in addresses', async (t) => {
  const { client, kept } = await house(t);
  await client().play(
    `${greeting}
    C: MAIL FROM:<bl\u00c3\u00a5@b.example> SMTPUTF8
    S: 250 2.1.0 Accepted
    C: RCPT TO:<abc@kvt.dk> NOTIFY=NEVER ORCPT=rfc822;alias+2Bx@kvt.dk
    S: 250 2.1.5 Accepted
    C: DATA
    S: 354 End data with <CR><LF>.<CR><LF>
    C: .
    S: 250 2.0.0 delivered as abababababab.1`.replaceAll('\u00c3\u00a5', 'å'),
  );
  assert.deepEqual(kept[0]?.envelope, {
    sender: 'blå@b.example',
    recipient: 'abc@kvt.dk',
    originalRecipient: 'alias+x@kvt.dk',
    receivedAt: new Date(Date.UTC(2026, 10, 22, 12)),
  });
  assert.match(kept[0]?.octets.toString() ?? '', /^Return-Path: <blå@b\.example>\r\n[\s\S]*\tby mail\.kvt\.dk with UTF8LMTP id /);
});

test('a message over the limit is read to its end and refused for each recipient', async (t) => {
  const { client, kept, folder } = await house(t, { maxMessageOctets: 400_000 });
  const one = client();
  await one.play(`${greeting.replace('1000000', '400000')}
    C: MAIL FROM:<a@b.example>
    S: 250 2.1.0 Accepted
    C: RCPT TO:<abc@kvt.dk>
    S: 250 2.1.5 Accepted
    C: RCPT TO:<kvt@kvt.dk>
    S: 250 2.1.5 Accepted
    C: DATA
    S: 354 End data with <CR><LF>.<CR><LF>`);
  one.write(Buffer.concat([Buffer.alloc(2_000_000, 'x'), Buffer.from('\r\n.\r\nNOOP\r\n')]));
  await one.play(`S: 552 5.3.4 message too large, the limit is 400000 octets
    S: 552 5.3.4 message too large, the limit is 400000 octets
    S: 250 2.0.0 OK`);
  assert.deepEqual(kept, []);
  assert.deepEqual(readdirSync(folder), []);
});

test('no room for a large message: it waits, and the next one is welcome', async (t) => {
  let full = true;
  const { client, kept } = await house(t, {
    spool: {
      disk: {
        open: (path, flags, mode) => disk.open(path, flags, mode),
        close: (fd) => disk.close(fd),
        unlink: (path) => disk.unlink(path),
        readLater: (...args) => disk.readLater(...args),
        writeLater: (...args) => (full ? Promise.reject(Object.assign(new Error('full'), { code: 'ENOSPC' })) : disk.writeLater(...args)),
      },
      folder: tmpdir(),
      name: () => `${process.pid}-${Math.random()}`,
    },
  });
  const one = client();
  const body = `${'x'.repeat(998)}\r\n`.repeat(600);
  const send = `C: MAIL FROM:<a@b.example>
    S: 250 2.1.0 Accepted
    C: RCPT TO:<abc@kvt.dk>
    S: 250 2.1.5 Accepted
    C: DATA
    S: 354 End data with <CR><LF>.<CR><LF>`;
  await one.play(`${greeting}\n${send}`);
  one.write(`\r\n${body}.\r\n`);
  await one.play('S: 452 4.3.1 no room for the message at the moment');
  full = false;
  await one.play(send);
  one.write(`\r\n${body}.\r\n`);
  await one.play('S: 250 2.0.0 delivered as abababababab.2');
  assert.equal(kept[0]?.octets.toString().endsWith(`\r\n\r\n${body}`), true);
});

test('half a message is none', async (t) => {
  const { client, kept, listener, folder } = await house(t);
  for (const part of ['\r\nhalf', '\r\nhalf\r\n.', '\r\nhalf\r\n.\r', `\r\n${'x'.repeat(600_000)}`]) {
    const one = client();
    await one.play(`${greeting}
      C: MAIL FROM:<a@b.example>
      S: 250 2.1.0 Accepted
      C: RCPT TO:<abc@kvt.dk>
      S: 250 2.1.5 Accepted
      C: DATA
      S: 354 End data with <CR><LF>.<CR><LF>`);
    one.socket.end(part);
    while ((await one.line()) !== undefined);
  }
  await listener.stop(1000);
  assert.deepEqual(kept, []);
  assert.deepEqual(readdirSync(folder), []);
});

test('who has said everything and closes that side still gets the answers, but for a command without its end', async (t) => {
  const { client, kept } = await house(t);
  const one = client({ allowHalfOpen: true });
  one.socket.end(
    'LHLO mx\r\nMAIL FROM:<>\r\nRCPT TO:<abc@kvt.dk>\r\nDATA\r\n.\r\nMAIL FROM:<>\r\nRCPT TO:<kvt@kvt.dk>\r\nDATA\r\n.\r\nNOOP',
  );
  await one.play(`${greeting.replace(/C:.*/, '')}
    S: 250 2.1.0 Accepted
    S: 250 2.1.5 Accepted
    S: 354 End data with <CR><LF>.<CR><LF>
    S: 250 2.0.0 delivered as abababababab.1
    S: 250 2.1.0 Accepted
    S: 250 2.1.5 Accepted
    S: 354 End data with <CR><LF>.<CR><LF>
    S: 250 2.0.0 delivered as abababababab.2
    S: (closed)`);
  assert.equal(kept.length, 2);
});

test('octets in are octets out', async (t) => {
  const { client, kept } = await house(t);
  const one = client();
  await one.play(greeting);
  const messages = [
    'Subject: dots\r\n\r\n.\r\n..\r\n.a\r\na.\r\n',
    'Subject: From\r\n\r\nFrom the start\r\n>From quoted\r\n',
    'Subject: eight bits\r\n\r\n\xe5\xff\x80\r\n',
    'Subject: NUL\r\n\r\n\0a\0\r\n',
    `Subject: long\r\n\r\n${'x'.repeat(200_000)}\r\n`,
    'Subject: bare\r\n\r\na\nb\n.\nc\n..d\r.\re\r\n',
    '\r\n',
    'no header at all\r\n',
  ];
  for (const [n, message] of messages.entries()) {
    await one.play(`C: MAIL FROM:<a@b.example>
      S: 250 2.1.0 Accepted
      C: RCPT TO:<abc@kvt.dk>
      S: 250 2.1.5 Accepted
      C: DATA
      S: 354 End data with <CR><LF>.<CR><LF>`);
    one.write(Buffer.from(`${message.replace(/(^|\r\n)\./g, '$1..')}.\r\n`, 'latin1'));
    await one.play(`S: 250 2.0.0 delivered as abababababab.${n + 1}`);
    const octets = kept[n]?.octets.toString('latin1') ?? '';
    assert.equal(octets.slice(octets.indexOf('+0000\r\n') + 7), message);
  }
});

test('over a Unix socket', async (t) => {
  const { client, kept } = await house(t, { listenOn: (folder) => ({ path: join(folder, 'lmtp') }) });
  await client().play(`${greeting}
    C: MAIL FROM:<a@b.example>
    S: 250 2.1.0 Accepted
    C: RCPT TO:<abc@kvt.dk>
    S: 250 2.1.5 Accepted
    C: DATA
    S: 354 End data with <CR><LF>.<CR><LF>
    C: .
    S: 250 2.0.0 delivered as abababababab.1`);
  assert.match(kept[0]?.octets.toString() ?? '', /\nReceived: from mx\.example\r\n\tby mail/);
});

test('a PROXY header is believed from where it is expected', async (t) => {
  const { client, kept } = await house(t, { proxyProtocolFrom: new Networks(['127.0.0.0/8']) });
  const one = client();
  one.write('PROXY TCP4 192.0.2.9 192.0.2.1 1234 24\r\nLHLO mx\r\nMAIL FROM:<>\r\nRCPT TO:<abc@kvt.dk>\r\nDATA\r\n.\r\nQUIT\r\n');
  while ((await one.line()) !== undefined);
  assert.match(kept[0]?.octets.toString() ?? '', /\nReceived: from mx \(\[192\.0\.2\.9\]\)\r\n/);
  const other = client();
  other.write('LHLO mx\r\n');
  await other.play('S: (closed)');
});

test('limits: connections, connections of one source, and silence', async (t) => {
  const few = await house(t, { maxConnections: 1 });
  const first = few.client();
  await first.play('S: 220 mail.kvt.dk LMTP');
  await few.client().play('S: 421 4.3.2 too many connections\nS: (closed)');
  await first.end();
  const again = few.client();
  await again.play('S: 220 mail.kvt.dk LMTP');

  const proxied = await house(t, { maxConnectionsPerSource: 1, proxyProtocolFrom: new Networks(['127.0.0.0/8']) });
  const one = proxied.client();
  one.write('PROXY TCP6 2001:db8::1 2001:db8::2 1 24\r\n');
  await one.play('S: 220 mail.kvt.dk LMTP');
  const two = proxied.client();
  two.write('PROXY TCP6 2001:db8::ffff 2001:db8::2 1 24\r\n');
  await two.play('S: 421 4.3.2 too many connections\nS: (closed)');

  // The proxy speaks for itself: any number of times.
  for (let n = 0; n < 3; n++) {
    const health = proxied.client();
    health.write('PROXY UNKNOWN\r\n');
    await health.play('S: 220 mail.kvt.dk LMTP');
  }

  const elsewhere = { enter: () => 2, leave() {}, size: 0 };
  const crowded = await house(t, { maxConnectionsPerSource: 1, sources: elsewhere, uncountedNetworks: new Networks() });
  await crowded.client().play('S: 421 4.3.2 too many connections\nS: (closed)');

  const hasty = await house(t, { idleTimeoutMs: 50 });
  await hasty.client().play('S: 220 mail.kvt.dk LMTP\nS: 421 4.4.2 Timeout - closing connection\nS: (closed)');
});

test('stopping: idle clients are sent away, a message on its way is finished', async (t) => {
  const gate = Promise.withResolvers<void>();
  const entered = Promise.withResolvers<void>();
  const { client, listener, kept } = await house(t, {
    before: () => {
      entered.resolve();
      return gate.promise;
    },
  });
  const idle = client();
  await idle.play(greeting);
  const busy = client();
  await busy.play(greeting);
  busy.write('MAIL FROM:<>\r\nRCPT TO:<abc@kvt.dk>\r\nDATA\r\n.\r\n');
  await entered.promise;
  const stopped = listener.stop(60_000);
  await idle.play('S: 421 4.3.2 the server is shutting down\nS: (closed)');
  gate.resolve();
  await busy.play(`S: 250 2.1.0 Accepted
    S: 250 2.1.5 Accepted
    S: 354 End data with <CR><LF>.<CR><LF>
    S: 250 2.0.0 delivered as abababababab.1
    S: 421 4.3.2 the server is shutting down
    S: (closed)`);
  await stopped;
  assert.equal(kept.length, 1);
  assert.equal(await client().line(), undefined);
});

test('drain: who is there goes on, nobody new comes in, and a stop can still follow', async (t) => {
  const { client, listener } = await house(t);
  const idle = client();
  await idle.play(greeting);
  const drained = listener.drain();
  assert.equal(await client().line(), undefined);
  idle.write('NOOP\r\n');
  await idle.play('S: 250 2.0.0 OK');
  const stopped = listener.stop(60_000);
  await idle.play('S: 421 4.3.2 the server is shutting down\nS: (closed)');
  await Promise.all([drained, stopped]);
});

test('random octets never end the server', async (t) => {
  const { client } = await house(t, { maxConnections: 1000 });
  const word = fc.constantFrom(
    'LHLO a\r\n',
    'MAIL FROM:<a@b.example>\r\n',
    'RCPT TO:<abc@kvt.dk>\r\n',
    'RCPT TO:<"\\"@kvt.dk> ORCPT=rfc822;+\r\n',
    'DATA\r\n',
    '.\r\n',
    '\r\n.\r\n',
    'RSET\r\n',
    'MAIL FROM:',
    'SIZE=__proto__',
    ' ',
    '\n',
    '\r',
    'QUIT\r\n',
    'VRFY constructor\r\n',
  );
  const pieces = fc.array(
    fc.oneof(
      { weight: 3, arbitrary: word.map((text) => Buffer.from(text)) },
      fc.uint8Array({ maxLength: 40 }).map((octets) => Buffer.from(octets)),
    ),
    { maxLength: 30 },
  );
  await fc.assert(
    fc.asyncProperty(pieces, async (octets) => {
      const one = client();
      for (const piece of octets) one.write(piece);
      one.socket.end();
      let line = await one.line();
      assert.equal(line, '220 mail.kvt.dk LMTP');
      for (line = await one.line(); line !== undefined; line = await one.line()) assert.match(line, /^[2345]\d\d[ -]/);
    }),
    { numRuns: 100 },
  );
  await client().play(greeting);
});

test('SMTP: mail for hosted users, nothing else', async (t) => {
  const { client, kept } = await house(t, { service: 'smtp' });
  await client().play(`S: 220 mail.kvt.dk ESMTP
    C: LHLO mx.example
    S: 500 Error: command not recognized
    C: EHLO mx.example
    S: 250-mail.kvt.dk
    S: 250-PIPELINING
    S: 250-8BITMIME
    S: 250-SMTPUTF8
    S: 250-ENHANCEDSTATUSCODES
    S: 250 SIZE 1000000
    C: MAIL FROM:<a@b.example>
    S: 250 2.1.0 Accepted
    C: RCPT TO:<someone@elsewhere.example>
    S: 550 5.7.1 we do not take mail for that domain
    C: RCPT TO:<nobody@kvt.dk>
    S: 550 5.1.1 no such user here
    C: RCPT TO:<abc@kvt.dk>
    S: 250 2.1.5 Accepted
    C: RCPT TO:<kvt@kvt.dk>
    S: 250 2.1.5 Accepted
    C: DATA
    S: 354 End data with <CR><LF>.<CR><LF>
    C: Subject: x
    C:
    C: .
    S: 250 2.0.0 delivered as abababababab.1
    C: QUIT
    S: 221 2.0.0 Bye
    S: (closed)`);
  assert.deepEqual(kept.map(({ mailbox }) => mailbox).sort(), ['abc@kvt.dk', 'kvt@kvt.dk']);
  assert.match(kept[0]?.octets.toString() ?? '', /\tby mail\.kvt\.dk with ESMTP id abababababab\.1\r\n/);
});

test('SMTP has one reply for all: when one recipient fails, the client hears of that one', async (t) => {
  const { client } = await house(t, {
    service: 'smtp',
    before: async (mailbox) => {
      if (mailbox === 'full@kvt.dk') throw new Fault('over-quota', 'no room for the message at the moment');
    },
  });
  const one = client();
  one.write('HELO mx\r\nMAIL FROM:<>\r\nRCPT TO:<abc@kvt.dk>\r\nRCPT TO:<full@kvt.dk>\r\nDATA\r\n.\r\nQUIT\r\n');
  await one.play(`S: 220 mail.kvt.dk ESMTP
    S: 250 mail.kvt.dk
    S: 250 2.1.0 Accepted
    S: 250 2.1.5 Accepted
    S: 250 2.1.5 Accepted
    S: 354 End data with <CR><LF>.<CR><LF>
    S: 452 4.2.2 no room for the message at the moment
    S: 221 2.0.0 Bye
    S: (closed)`);
});
