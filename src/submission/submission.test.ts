/** Both ways to a mail server, which here does as it is told. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';
import { missing } from '../../test/system/support/programs.ts';
import { transform } from '../message/transform.ts';
import { Fault } from '../model/fault.ts';
import type { Octets } from '../model/octets.ts';
import type { Submission } from '../model/submission.ts';
import { nodeChild } from '../os/children.test.ts';
import { codeOf, disk } from '../os/disk.ts';
import { createSubmission, type SubmissionOptions, wayOf } from './index.ts';
import { LfEnds } from './lfEnds.ts';

const message = [Buffer.from('Subject: hello\r\n\r\n'), Buffer.from('.\r\n..\r\nFrom x\r'), Buffer.from('\nend\r\n')];
const asText = Buffer.concat(message).toString();
const envelope = { sender: 'ada@example.org', recipients: ['bob@example.net'] };

function folderFor(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'submission-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

function submissionFor(t: TestContext, options: Partial<SubmissionOptions>): Submission {
  let made = 0;
  return createSubmission({
    via: 'sendmail',
    sendmail: '/nonexistent',
    smtp: { host: '127.0.0.1', port: 9 },
    hostname: 'mx.example.org',
    disk,
    folder: folderFor(t),
    name: () => String(made++),
    ...options,
  });
}

/** A program that keeps what it was given, and then does `then`. */
function program(t: TestContext, then: string) {
  const folder = folderFor(t);
  const path = join(folder, 'sendmail');
  writeFileSync(path, `#!/bin/sh\nprintf '%s\\0' "$@" >'${folder}/args'\ncat >'${folder}/input'\n${then}\n`);
  chmodSync(path, 0o755);
  return {
    path,
    args: () => readFileSync(join(folder, 'args'), 'utf8').split('\0').slice(0, -1),
    input: () => readFileSync(join(folder, 'input')),
    wasRun: () => existsSync(join(folder, 'args')),
  };
}

async function faultOf(work: Promise<unknown>): Promise<Fault> {
  const thrown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(thrown instanceof Fault, String(thrown));
  return thrown;
}

test('sendmail gets sender and recipients as arguments, and the message with the line ends of the host', async (t) => {
  const cases = [
    [envelope, message, ['-i', '-f', 'ada@example.org', '--', 'bob@example.net']],
    [
      { sender: '', recipients: ['-x@example.net', 'b@x', '$(id)@x;y'] },
      message,
      ['-i', '-f', '<>', '--', '-x@example.net', 'b@x', '$(id)@x;y'],
    ],
    [
      { sender: '-f@example.org', recipients: ['æ@bücher.example'] },
      [Buffer.from('\r\næ\n')],
      ['-i', '-B8BITMIME', '-f', '-f@example.org', '--', 'æ@bücher.example'],
    ],
  ] as const;
  for (const [to, content, args] of cases) {
    const sendmail = program(t, 'exit 0');
    await submissionFor(t, { sendmail: sendmail.path }).submit(content, to);
    assert.deepEqual(sendmail.args(), args);
    assert.equal(sendmail.input().toString(), Buffer.concat(content).toString().replaceAll('\r\n', '\n'));
  }
});

test('a message larger than any buffer arrives whole, and no file is left', async (t) => {
  const folder = folderFor(t);
  const sendmail = program(t, 'exit 0');
  const line = Buffer.from('0123456789abcde\n');
  const lent = Buffer.alloc(65_536);
  const pieces: Octets = {
    async *[Symbol.asyncIterator]() {
      // In lent memory: each piece is gone when the next one is asked for.
      for (let n = 0; n < 40; n += 1) {
        lent.fill(line);
        yield lent;
        lent.fill(0);
      }
    },
  };
  await submissionFor(t, { sendmail: sendmail.path, folder }).submit(pieces, envelope);
  assert.ok(sendmail.input().equals(Buffer.alloc(40 * 65_536, line)));
  assert.deepEqual(readdirSync(folder), []);
});

test('what a status of sendmail says: sysexits.h', async (t) => {
  const cases = [
    ['echo "unknown user" >&2; exit 67', 'permanent', 'unknown user'],
    ['echo "bad data" >&2; exit 65', 'permanent', 'bad data'],
    ['exit 68', 'permanent', ''],
    // As Postfix says it.
    ['echo "sendmail: fatal: ada@example.org(1000): message file too big" >&2; exit 69', 'permanent', undefined],
    ['echo "sendmail: fatal: ada@example.org(1000): message file too big" >&2; exit 75', 'permanent', undefined],
    ['echo "sendmail: fatal: mail system is down" >&2; exit 69', 'temporary', undefined],
    ['exit 75', 'temporary', undefined],
    ['exit 64', 'temporary', undefined],
    ['exit 71', 'temporary', undefined],
    ['exit 78', 'temporary', undefined],
    ['exit 1', 'temporary', undefined],
    ['exit 127', 'temporary', undefined],
    ['kill -9 $$', 'temporary', undefined],
  ] as const;
  for (const [then, kind, reply] of cases) {
    const fault = await faultOf(submissionFor(t, { sendmail: program(t, then).path }).submit(message, envelope));
    assert.equal(fault.kind, kind, then);
    if (reply !== undefined) assert.deepEqual(fault.values, { reply }, then);
  }
});

test('sendmail that is not there, or never ends, is temporary', async (t) => {
  assert.equal((await faultOf(submissionFor(t, {}).submit(message, envelope))).kind, 'temporary');
  // With a child of its own, that holds its standard error, as Postfix' postdrop does.
  const sleepy = program(t, 'sleep 600 & echo $! >&2; wait');
  const fault = await faultOf(submissionFor(t, { sendmail: sleepy.path, timeoutMs: 300 }).submit(message, envelope));
  const [, pid = ''] = /took too long: (\d+)$/.exec(String(fault.cause)) ?? [];
  assert.notEqual(pid, '');
  assert.ok(
    !existsSync(`/proc/${pid}`) || /^State:\s*Z/m.test(readFileSync(`/proc/${pid}/status`, 'latin1')),
    'nothing goes on without it',
  );
});

test('a message that can not be read to its end is not sent, either way', async (t) => {
  const torn: Octets = {
    async *[Symbol.asyncIterator]() {
      yield Buffer.from('Subject: half\r\n\r\n');
      throw new Error('torn');
    },
  };
  const sendmail = program(t, 'exit 0');
  await assert.rejects(submissionFor(t, { sendmail: sendmail.path }).submit(torn, envelope), /^Error: torn$/);
  assert.equal(sendmail.wasRun(), false);
  const server = await mailServer(t);
  await assert.rejects(submissionFor(t, { via: 'smtp', smtp: server.at }).submit(torn, envelope), /^Error: torn$/);
  assert.deepEqual(server.received, []);
});

test('killed in the middle of a message, nothing of it is sent by sendmail, and no file is left', async (t) => {
  const sendmail = program(t, 'exit 0');
  const folder = folderFor(t);
  const child = nodeChild(
    t,
    `
    import { createSubmission } from '${import.meta.dirname}/index.ts';
    import { disk } from '${import.meta.dirname}/../os/disk.ts';
    const message = { async *[Symbol.asyncIterator]() {
      yield Buffer.from('Subject: half\\r\\n\\r\\n');
      console.log('begun');
      await new Promise(() => setInterval(() => {}, 1000));
    } };
    const parts = { via: 'sendmail', sendmail: '${sendmail.path}', smtp: { host: '127.0.0.1', port: 9 }, hostname: 'x', disk, folder: '${folder}', name: () => '1' };
    createSubmission(parts).submit(message, { sender: '', recipients: ['a@x'] });
  `,
  );
  assert.equal(await child.line(), 'begun');
  await child.kill();
  assert.equal(sendmail.wasRun(), false);
  assert.deepEqual(readdirSync(folder), []);
});

test('what no envelope can hold goes nowhere', async (t) => {
  const sendmail = program(t, 'exit 0');
  const submission = submissionFor(t, { sendmail: sendmail.path });
  for (const address of ['a\r\nRCPT TO:<b@x>', 'a\0b@x', 'a\u2028b@x', `${'a'.repeat(1000)}@x`]) {
    assert.equal((await faultOf(submission.submit(message, { sender: '', recipients: [address] }))).kind, 'permanent');
    assert.equal((await faultOf(submission.submit(message, { sender: address, recipients: ['a@x'] }))).kind, 'permanent');
  }
  assert.equal(sendmail.wasRun(), false);
});

test('only so many run at a time, and who waits too long is told', async (t) => {
  const gate = join(folderFor(t), 'gate');
  const counter = folderFor(t);
  // Each says that it runs, and ends when the gate is there.
  const path = program(t, `: >'${counter}/'$$; while [ ! -e '${gate}' ]; do sleep 0.02; done; exit 0`).path;
  const submission = submissionFor(t, { sendmail: path, atOnce: 2, timeoutMs: 20_000 });
  const all = Array.from({ length: 5 }, () => submission.submit(message, envelope));
  while (readdirSync(counter).length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
  writeFileSync(gate, '');
  await Promise.all(all);
  assert.equal(readdirSync(counter).length, 5);

  const stuck = submissionFor(t, { sendmail: program(t, 'exec sleep 600').path, atOnce: 1, timeoutMs: 300 });
  const [, second] = await Promise.all([faultOf(stuck.submit(message, envelope)), faultOf(stuck.submit(message, envelope))]);
  assert.equal(second.kind, 'temporary');
});

interface Received {
  readonly sender: string;
  readonly args: unknown;
  readonly recipients: readonly string[];
  readonly content: string;
}

async function mailServer(t: TestContext, options: SMTPServerOptions = {}) {
  const received: Received[] = [];
  const server = new SMTPServer({
    disabledCommands: ['STARTTLS', 'AUTH'],
    authOptional: true,
    onData(stream, { envelope: { mailFrom, rcptTo } }, done) {
      const pieces: Buffer[] = [];
      stream.on('data', (piece: Buffer) => pieces.push(piece));
      stream.on('end', () => {
        const sender = mailFrom === false ? { address: '', args: {} } : mailFrom;
        const recipients = rcptTo.map(({ address }) => address);
        received.push({ sender: sender.address, args: sender.args, recipients, content: Buffer.concat(pieces).toString() });
        done();
      });
    },
    ...options,
  });
  server.on('error', () => {});
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  t.after(() => new Promise<void>((resolve) => server.close(resolve)));
  return { received, at: { host: '127.0.0.1', port: (server.server.address() as AddressInfo).port } };
}

test('SMTP carries the same, with CRLF', async (t) => {
  const server = await mailServer(t);
  const submission = submissionFor(t, { via: 'smtp', smtp: server.at });
  await submission.submit(message, envelope);
  await submission.submit([Buffer.from(asText.replaceAll('\r\n', '\n'))], { sender: '', recipients: ['a@x.example', '-b@x.example'] });
  await submission.submit(message, { sender: 'æ@x.example', recipients: ['ø@x.example'] });
  assert.deepEqual(
    server.received.map(({ args, ...rest }) => ({ ...rest, args: { ...(args as object) } })),
    [
      { sender: 'ada@example.org', recipients: ['bob@example.net'], content: asText, args: { BODY: '8BITMIME' } },
      { sender: '', recipients: ['a@x.example', '-b@x.example'], content: asText, args: { BODY: '8BITMIME' } },
      { sender: 'æ@x.example', recipients: ['ø@x.example'], content: asText, args: { SMTPUTF8: true, BODY: '8BITMIME' } },
    ],
  );
});

test('what a reply of SMTP says: RFC 5321 section 4.2.1', async (t) => {
  const refusing = (responseCode: number, text: string) => Object.assign(new Error(text), { responseCode });
  const cases: readonly (readonly [SMTPServerOptions, string, string | undefined])[] = [
    [{ onRcptTo: (_, __, done) => done(refusing(550, '5.1.1 no such user')) }, 'permanent', '550 5.1.1 no such user'],
    [{ onRcptTo: (_, __, done) => done(refusing(450, '4.2.0 greylisted')) }, 'temporary', undefined],
    [{ onMailFrom: (_, __, done) => done(refusing(553, '5.1.8 bad sender')) }, 'permanent', '553 5.1.8 bad sender'],
    [{ onMailFrom: (_, __, done) => done(refusing(451, '4.3.0 later')) }, 'temporary', undefined],
    [{ onConnect: (_, done) => done(refusing(554, 'no service')) }, 'temporary', undefined],
    [
      { onData: (stream, _, done) => stream.resume().on('end', () => done(refusing(552, '5.3.4 too large'))) },
      'permanent',
      '552 5.3.4 too large',
    ],
    [{ onData: (stream, _, done) => stream.resume().on('end', () => done(refusing(452, '4.3.1 full'))) }, 'temporary', undefined],
  ];
  for (const [options, kind, reply] of cases) {
    const server = await mailServer(t, options);
    const fault = await faultOf(submissionFor(t, { via: 'smtp', smtp: server.at }).submit(message, envelope));
    assert.deepEqual([fault.kind, fault.values.reply], [kind, reply]);
  }
});

test('a server that is not there, or never answers, is temporary', async (t) => {
  const gone = await mailServer(t);
  const fault = await faultOf(submissionFor(t, { via: 'smtp', smtp: { ...gone.at, port: 1 } }).submit(message, envelope));
  assert.equal(fault.kind, 'temporary');
  const silent = await mailServer(t, { onMailFrom() {} });
  assert.equal(
    (await faultOf(submissionFor(t, { via: 'smtp', smtp: silent.at, timeoutMs: 300 }).submit(message, envelope))).kind,
    'temporary',
  );
});

test('auto is sendmail where it is there and can do its work', () => {
  const here = { via: 'auto', sendmail: '/bin/sh', disk } as const;
  assert.equal(wayOf(here), /^NoNewPrivs:\s*1$/m.test(readFileSync('/proc/self/status', 'latin1')) ? 'smtp' : 'sendmail');
  assert.equal(wayOf({ ...here, sendmail: '/nonexistent' }), 'smtp');
  assert.equal(wayOf({ ...here, via: 'smtp' }), 'smtp');
  assert.equal(wayOf({ ...here, via: 'sendmail', sendmail: '/nonexistent' }), 'sendmail');
});

test('auto is smtp where no program gains rights: NoNewPrivileges of systemd', { skip: missing('setpriv', 'util-linux') }, () => {
  const code = `
    import { wayOf } from '${import.meta.dirname}/index.ts';
    import { disk } from '${import.meta.dirname}/../os/disk.ts';
    console.log(wayOf({ via: 'auto', sendmail: '/bin/sh', disk }));
  `;
  const node = [process.execPath, '--input-type=module-typescript', '--eval', code];
  const { stdout, stderr } = spawnSync('setpriv', ['--no-new-privs', ...node], { encoding: 'utf8' });
  assert.equal(stdout, 'smtp\n', stderr);
});

test('a full disc is temporary, and the message is not sent', async (t) => {
  const sendmail = program(t, 'exit 0');
  const full = Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' });
  const fault = await faultOf(
    submissionFor(t, { sendmail: sendmail.path, disk: { ...disk, writeLater: () => Promise.reject(full) } }).submit(message, envelope),
  );
  assert.deepEqual([fault.kind, codeOf(fault.cause)], ['temporary', 'ENOSPC']);
  assert.equal(sendmail.wasRun(), false);
});

test('line ends become LF wherever the message is cut, and all else stays', () => {
  const text = fc.array(fc.constantFrom('\r', '\n', 'x', '\r\n', '\0'), { maxLength: 40 }).map((parts) => parts.join(''));
  fc.assert(
    fc.property(text, fc.array(fc.nat(40)), (whole, cuts) => {
      const octets = Buffer.from(whole);
      const edges = [0, ...cuts.filter((cut) => cut < octets.length).sort((a, b) => a - b), octets.length];
      const pieces = edges.slice(1).map((end, n) => octets.subarray(edges[n], end));
      const got = transform(pieces, () => new LfEnds());
      assert.ok(Symbol.iterator in got);
      assert.equal(Buffer.concat([...got]).toString(), whole.replace(/(?<!\r)\r\n/g, '\n'));
    }),
  );
});
