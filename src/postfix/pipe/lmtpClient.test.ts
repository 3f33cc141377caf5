import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import type { PipeEnvelope } from './envelope.ts';
import { type Transmission, transmit } from './lmtpClient.ts';

const one: PipeEnvelope = {
  sender: 'ada@example.org',
  recipients: [{ path: 'abc@kvt.dk', above: [], original: undefined }],
  isUtf8: false,
};
const hello = '250-mx\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n';

/** What a server says: a step for each command, in order; a step may end the connection. */
type Step = string | ((socket: Socket) => void);
interface Script {
  readonly greeting?: Step;
  readonly LHLO?: Step;
  readonly MAIL?: Step;
  readonly RCPT?: readonly Step[];
  readonly DATA?: Step;
  readonly end?: readonly Step[];
}

const cut = (socket: Socket): void => void socket.destroy();
const reset = (socket: Socket): void => void socket.resetAndDestroy();

async function told(
  t: TestContext,
  script: Script,
  envelope = one,
  pieces: readonly string[] = ['Subject: x\n\nhi\n'],
  isComplete = () => true,
): Promise<{ transmission: Transmission; heard: string }> {
  let heard = '';
  const over = Promise.withResolvers<void>();
  const server = createServer((socket) => {
    socket.once('close', () => over.resolve());
    const act = (step: Step | undefined, usual: string) => (typeof step === 'function' ? step(socket) : socket.write(step ?? usual));
    const rcpt = [...(script.RCPT ?? [])];
    let isData = false;
    let held = '';
    socket.on('error', () => {});
    act(script.greeting, '220 mx LMTP\r\n');
    socket.on('data', (octets) => {
      heard += octets.toString('latin1');
      held += octets.toString('latin1');
      for (;;) {
        const end = isData ? held.indexOf('\r\n.\r\n') : held.indexOf('\r\n');
        if (end < 0) return;
        const line = held.slice(0, end);
        held = held.slice(end + (isData ? 5 : 2));
        if (isData) {
          isData = false;
          for (const step of script.end ?? envelope.recipients.map(() => '250 2.0.0 ok\r\n')) act(step, '');
        } else if (line.startsWith('LHLO')) act(script.LHLO, hello);
        else if (line.startsWith('MAIL')) act(script.MAIL, '250 2.1.0 ok\r\n');
        else if (line.startsWith('RCPT')) act(rcpt.shift(), '250 2.1.5 ok\r\n');
        else if (line === 'DATA') {
          isData = script.DATA === undefined || (typeof script.DATA === 'string' && script.DATA.startsWith('354'));
          act(script.DATA, '354 go\r\n');
        } else if (line === 'QUIT') socket.end('221 bye\r\n');
      }
    });
  });
  const socket = await opened(t, server);
  const content = (async function* () {
    for (const piece of pieces) yield Buffer.from(piece, 'latin1');
  })();
  const transmission = await transmit(socket, 'mx.example.org', envelope, { content, isComplete });
  await over.promise;
  return { transmission, heard };
}

async function opened(t: TestContext, server: Server): Promise<Socket> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('no port');
  const socket = connect({ port: address.port, host: '127.0.0.1' });
  await once(socket, 'connect');
  return socket;
}

test('a message is handed over as RFC 2033 says', async (t) => {
  const recipients = [
    { path: 'abc@kvt.dk', above: [], original: 'info@kvt.dk' },
    { path: '"a b"@kvt.dk', above: [], original: undefined },
  ];
  const { transmission, heard } = await told(t, {}, { ...one, recipients, isUtf8: true }, ['Subject: x\n\n.', '\nhi']);
  assert.equal(
    heard,
    'LHLO mx.example.org\r\nMAIL FROM:<ada@example.org> BODY=8BITMIME SMTPUTF8\r\nRCPT TO:<abc@kvt.dk> ORCPT=rfc822;info@kvt.dk\r\n' +
      'RCPT TO:<"a b"@kvt.dk>\r\nDATA\r\nSubject: x\r\n\r\n..\r\nhi\r\n.\r\nQUIT\r\n',
  );
  const ok = { code: 250, text: '2.0.0 ok' };
  assert.deepEqual(transmission, { kind: 'answered', replies: [ok, ok] });
});

test('extensions that are not announced are not used', async (t) => {
  const { heard } = await told(t, { LHLO: '250 mx\r\n' }, { ...one, isUtf8: true });
  assert.match(heard, /\r\nMAIL FROM:<ada@example\.org>\r\n/);
});

test('each recipient has the reply that is meant for it', async (t) => {
  const recipients = ['a', 'b', 'c'].map((user) => ({ path: `${user}@kvt.dk`, above: [], original: undefined }));
  const { transmission } = await told(
    t,
    { RCPT: ['250 ok\r\n', '550 5.1.1 no\r\n', '250-ok\r\n250 ok\r\n'], end: ['451 4.3.0 later\r\n', '250 2.0.0 ok\r\n'] },
    { ...one, recipients },
  );
  assert.deepEqual(transmission, {
    kind: 'answered',
    replies: [
      { code: 451, text: '4.3.0 later' },
      { code: 550, text: '5.1.1 no' },
      { code: 250, text: '2.0.0 ok' },
    ],
  });
});

test('nobody is left: nothing is sent', async (t) => {
  const { transmission, heard } = await told(t, { RCPT: ['550 5.1.1 no\r\n'] });
  assert.deepEqual(transmission, { kind: 'answered', replies: [{ code: 550, text: '5.1.1 no' }] });
  assert.doesNotMatch(heard, /DATA/);
});

test('a subdomain that is none of ours: the domains above it are tried, until one is ours', async (t) => {
  const recipients = [{ path: 'y@a.b.kvt.dk', above: ['y@b.kvt.dk', 'y@kvt.dk'], original: 'y@a.b.kvt.dk' }];
  const notOurs = '550 5.7.1 we do not take mail for that domain\r\n';
  const folded = await told(t, { RCPT: [notOurs, notOurs, '250 ok\r\n'] }, { ...one, recipients });
  assert.match(
    folded.heard,
    /RCPT TO:<y@a\.b\.kvt\.dk> ORCPT=rfc822;y@a\.b\.kvt\.dk\r\nRCPT TO:<y@b\.kvt\.dk> ORCPT=rfc822;y@a\.b\.kvt\.dk\r\nRCPT TO:<y@kvt\.dk> ORCPT=rfc822;y@a\.b\.kvt\.dk\r\nDATA/,
  );
  assert.deepEqual(folded.transmission, { kind: 'answered', replies: [{ code: 250, text: '2.0.0 ok' }] });
  const unknown = await told(t, { RCPT: [notOurs, '550 5.1.1 no such user here\r\n'] }, { ...one, recipients });
  assert.deepEqual(unknown.transmission, { kind: 'answered', replies: [{ code: 550, text: '5.1.1 no such user here' }] });
  const exact = await told(t, { RCPT: ['550 5.1.1 no such user here\r\n'] }, { ...one, recipients });
  assert.doesNotMatch(exact.heard, /<y@b\.kvt\.dk>/);
});

test('whatever else is said, and wherever it breaks off: never delivered, never refused for good, and begun only once DATA may come', async (t) => {
  const cases: [Script, Transmission['kind']][] = [
    [{ greeting: cut }, 'not begun'],
    [{ LHLO: reset }, 'not begun'],
    [{ greeting: 'SSH-2.0\r\n' }, 'not begun'],
    [{ greeting: '421 4.3.2 too many connections\r\n' }, 'unsettled'],
    [{ greeting: '554 no\r\n' }, 'unsettled'],
    [{ greeting: `220-${'x'.repeat(70_000)}` }, 'not begun'],
    [{ LHLO: '500 what?\r\n' }, 'unsettled'],
    [{ LHLO: cut }, 'not begun'],
    [{ MAIL: '501 5.1.7 no\r\n' }, 'unsettled'],
    [{ MAIL: '452 4.3.1 no room\r\n' }, 'unsettled'],
    [{ MAIL: cut }, 'not begun'],
    [{ RCPT: [cut] }, 'not begun'],
    [{ DATA: '451 4.3.0 later\r\n' }, 'unsettled'],
    [{ DATA: '554 5.5.1 no\r\n' }, 'unsettled'],
    [{ DATA: '250 ok\r\n' }, 'unsettled'],
    [{ DATA: cut }, 'not begun'],
    [{ end: [cut] }, 'unsettled'],
    [{ end: [reset] }, 'unsettled'],
    [{ end: ['what\r\n'] }, 'unsettled'],
    [{ end: ['250-2.0.0 ok\r\n', cut] }, 'unsettled'],
  ];
  for (const [script, kind] of cases) assert.equal((await told(t, script)).transmission.kind, kind, JSON.stringify(script));
});

test('a message that is cut off, or can not be read, is not ended', async (t) => {
  const { transmission, heard } = await told(t, { DATA: '354 go\r\n' }, one, ['Subject: x\n'], () => false);
  assert.equal(transmission.kind, 'unsettled');
  assert.doesNotMatch(heard, /\r\n\.\r\n/);
});

test('a reader that goes away while much is being sent', async (t) => {
  const pieces = Array.from({ length: 200 }, () => 'x'.repeat(65_536));
  const slow = (socket: Socket) => {
    socket.write('354 go\r\n');
    socket.pause();
    setImmediate(() => socket.destroy());
  };
  assert.equal((await told(t, { DATA: slow }, one, pieces)).transmission.kind, 'unsettled');
});

test('whatever octets come as replies, it ends, and only 250 is delivered', async (t) => {
  const piece = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 6 }),
    fc.constantFrom('250 ok\r\n', '250-x\r\n', '354 go\r\n', '220 hi\r\n', '550 5.1.1 no\r\n', '550 5.7.1 x\r\n', '\r\n', '451 x\n', '\0'),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 10 }), async (pieces) => {
      const server = createServer((socket) => {
        socket.on('error', () => {});
        socket.resume().end(pieces.join(''));
      });
      const socket = await opened(t, server);
      const content = (async function* () {
        yield Buffer.from('x\n');
      })();
      const transmission = await transmit(socket, 'mx', one, { content, isComplete: () => true });
      server.close();
      if (transmission.kind !== 'answered') return;
      const replies = pieces.join('').match(/^[2-5]\d\d(?: .*)?$/gm) ?? [];
      for (const { code } of transmission.replies) assert.ok(replies.some((reply) => reply.startsWith(String(code))));
    }),
    { numRuns: 60 },
  );
});
