import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Client, FakeDialogue, ok, serve, settled } from './fakes.test.ts';

test('commands are answered in order, however they are cut and joined', async (t) => {
  const { port, dialogue } = await serve(t);
  const client = await Client.connect(port);
  assert.equal(await client.line(), '+OK hello');
  for (const piece of ['AB', 'C\r', '\nDEF\nG', 'HI\r\n\r\nJKL\r\n']) client.send(piece);
  assert.deepEqual(await client.lines(5), ['+OK ABC', '+OK DEF', '+OK GHI', '+OK', '+OK JKL']);
  client.send('QUIT\r\n');
  assert.equal(await client.rest(), '+OK bye\r\n');
  assert.deepEqual(dialogue.sessions[0]?.lines, ['ABC', 'DEF', 'GHI', '', 'JKL', 'QUIT']);
});

test('a bare CR, NEL, U+2028 and NUL are no line ends and pass as octets', async (t) => {
  const { port, dialogue } = await serve(t);
  const client = await Client.connect(port);
  const line = Buffer.from('a\rQUIT\u0085QUIT\u2028QUIT\0b');
  client.send(Buffer.concat([line, Buffer.from('\r\nQUIT\r\n')]));
  await client.rest();
  assert.deepEqual(dialogue.sessions[0]?.lines, [line.toString('latin1'), 'QUIT']);
});

test('an over-long line gets one -ERR, wherever it is cut, and its tail is not executed', async (t) => {
  const { port, dialogue } = await serve(t);
  const client = await Client.connect(port);
  assert.equal(await client.line(), '+OK hello');
  client.send('x'.repeat(30));
  client.send(`${'y'.repeat(100_000)}`);
  assert.equal(await client.line(), '-ERR too long');
  client.send(`${'z'.repeat(100)}\rTAIL 1\u0085TAIL 2`);
  client.send('\r\nNEXT\r\n');
  assert.equal(await client.line(), '+OK NEXT');
  assert.deepEqual(dialogue.sessions[0]?.lines, ['NEXT']);
});

test('pipelined commands never overtake each other', async (t) => {
  const { port, dialogue } = await serve(t);
  const waits = [3, 0, 2, 1];
  dialogue.answers.set('WAIT', async (_session, line) => {
    for (let turns = waits[Number(line.slice(5))] ?? 0; turns > 0; turns--) await new Promise(setImmediate);
    return ok(line);
  });
  const client = await Client.connect(port);
  client.send('WAIT 0\r\nWAIT 1\r\nNOW\r\nWAIT 2\r\nWAIT 3\r\nQUIT\r\n');
  assert.equal(await client.rest(), '+OK hello\r\n+OK WAIT 0\r\n+OK WAIT 1\r\n+OK NOW\r\n+OK WAIT 2\r\n+OK WAIT 3\r\n+OK bye\r\n');
  assert.equal(dialogue.mostUnderWay, 1);
});

test('replies to pipelined commands that need no waiting go out together', async (t) => {
  const { port } = await serve(t);
  const client = await Client.connect(port);
  await client.line();
  let chunks = 0;
  client.socket.on('data', () => chunks++);
  client.send('A\r\nB\r\nC\r\nD\r\n');
  assert.deepEqual(await client.lines(4), ['+OK A', '+OK B', '+OK C', '+OK D']);
  assert.equal(chunks, 1);
});

test('a flood of commands behind one that takes its time stays in the client', async (t) => {
  const { port, dialogue, server } = await serve(t);
  const release = Promise.withResolvers<void>();
  dialogue.answers.set('HANG', async (_session, line) => {
    await release.promise;
    return ok(line);
  });
  const client = await Client.connect(port);
  await client.line();
  const line = 'NOOP 0123456789 0123456789\r\n';
  const count = 500_000;
  client.send('HANG\r\n');
  client.send(`${line.repeat(count)}QUIT\r\n`);
  await settled(() => server.bytes.received);
  assert.ok(server.bytes.received < 1_000_000, `${server.bytes.received} octets were read while a command was under way`);
  release.resolve();
  assert.equal(await client.line(), '+OK HANG');
  // The client reads no replies from here on, and then the server reads no commands.
  client.socket.pause();
  await settled(() => dialogue.sessions[0]?.lines.length ?? 0);
  assert.ok((dialogue.sessions[0]?.lines.length ?? 0) < count);
  client.socket.resume();
  assert.equal(await client.rest(), `${`+OK ${line}`.repeat(count)}+OK bye\r\n`);
});

test('a client that goes on sending after QUIT gets its goodbye, and is let go when it closes', async (t) => {
  const { port, dialogue, server } = await serve(t);
  const release = Promise.withResolvers<void>();
  dialogue.answers.set('HANG', async () => {
    await release.promise;
    return ok('hung');
  });
  const client = await Client.connect(port);
  client.send(`HANG\r\nQUIT\r\n${'NOOP\r\n'.repeat(1_000_000)}`);
  await settled(() => server.bytes.received);
  release.resolve();
  client.socket.end();
  assert.equal(await client.rest(), '+OK hello\r\n+OK hung\r\n+OK bye\r\n');
  await settled(() => server.bytes.received);
  assert.equal(server.counts().connections, 0);
});

test('rows are byte-stuffed and end with a dot, in one write where they are few', async (t) => {
  const { port, dialogue } = await serve(t);
  dialogue.answers.set('ROWS', () => ({ ...ok('rows'), rows: ['1 a', '.', '..b', '', 'c.'] }));
  const client = await Client.connect(port);
  await client.line();
  let chunks = 0;
  client.socket.on('data', () => chunks++);
  client.send('ROWS\r\n');
  assert.deepEqual(await client.lines(7), ['+OK rows', '1 a', '..', '...b', '', 'c.', '.']);
  assert.equal(chunks, 1);
});

test('text beyond ASCII is written as UTF-8', async (t) => {
  const { port, dialogue } = await serve(t);
  dialogue.answers.set('LANG', () => ({ ...ok('sproget er ændret'), rows: ['da Dansk', 'el Ελληνικά'] }));
  const client = await Client.connect(port);
  client.send('LANG\r\nQUIT\r\n');
  const text = Buffer.from(await client.rest(), 'latin1').toString();
  assert.equal(text, '+OK hello\r\n+OK sproget er ændret\r\nda Dansk\r\nel Ελληνικά\r\n.\r\n+OK bye\r\n');
});

test('a long listing waits for a client that reads slowly', async (t) => {
  const { port, dialogue } = await serve(t);
  const count = 600_000;
  let made = 0;
  dialogue.answers.set('LIST', () => ({
    ...ok('list'),
    rows: (function* () {
      while (made < count) {
        made++;
        yield `${made} 1234567890`;
      }
    })(),
  }));
  const client = await Client.connect(port);
  await client.line();
  client.socket.pause();
  client.send('LIST\r\nQUIT\r\n');
  await settled(() => made);
  assert.ok(made > 0 && made < count);
  client.socket.resume();
  const lines = (await client.rest()).split('\r\n');
  assert.equal(lines.length, count + 4);
  assert.deepEqual(lines.slice(0, 2), ['+OK list', '1 1234567890']);
  assert.deepEqual(lines.slice(-4), [`${count} 1234567890`, '.', '+OK bye', '']);
});

test('a half-closed client gets the answers to its whole lines, and the rest of a line is not executed', async (t) => {
  const { port, dialogue } = await serve(t);
  const quitting = await Client.connect(port);
  quitting.send('LOGIN\r\nDELE 1\r\nQUIT\r\n');
  quitting.socket.end();
  assert.equal(await quitting.rest(), '+OK hello\r\n+OK in\r\n+OK DELE 1\r\n+OK bye\r\n');
  const torn = await Client.connect(port);
  torn.send('LOGIN\r\nDELE 1\r\nQUIT');
  torn.socket.end();
  assert.equal(await torn.rest(), '+OK hello\r\n+OK in\r\n+OK DELE 1\r\n');
  assert.deepEqual(
    dialogue.sessions.map((session) => session.lines),
    [
      ['LOGIN', 'DELE 1', 'QUIT'],
      ['LOGIN', 'DELE 1'],
    ],
  );
});

test('a half-closed client gets the answer to a command that takes its time', async (t) => {
  const { port, dialogue, server } = await serve(t);
  const asked = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  dialogue.answers.set('UPDATE', async () => {
    asked.resolve();
    await release.promise;
    return ok('updated');
  });
  const client = await Client.connect(port);
  client.send('UPDATE\r\nQUIT\r\n');
  client.socket.end();
  await asked.promise;
  // Until the server has seen the end of input.
  await settled(() => server.bytes.received);
  release.resolve();
  assert.equal(await client.rest(), '+OK hello\r\n+OK updated\r\n+OK bye\r\n');
});

test('a reset connection ends its own session only, once, with the session it had reached', async (t) => {
  const dialogue = new FakeDialogue();
  const gone = Promise.withResolvers<void>();
  dialogue.disconnected = async (session) => {
    dialogue.gone.push(session);
    gone.resolve();
  };
  const { port } = await serve(t, { dialogue });
  const asked = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  dialogue.answers.set('OPEN', async (session) => {
    asked.resolve();
    await release.promise;
    return { ...ok('open'), enters: { ...session, state: 'TRANSACTION' } };
  });
  const other = await Client.connect(port);
  const client = await Client.connect(port);
  await client.line();
  client.send('OPEN\r\nDELE 1\r\nQUIT\r\n');
  await asked.promise;
  client.socket.resetAndDestroy();
  await once(client.socket, 'close');
  other.send('STILL\r\n');
  assert.deepEqual(await other.lines(2), ['+OK hello', '+OK STILL']);
  assert.deepEqual(dialogue.gone, []);
  release.resolve();
  await gone.promise;
  assert.deepEqual(
    dialogue.gone.map(({ state, lines }) => ({ state, lines })),
    [{ state: 'TRANSACTION', lines: ['OPEN'] }],
  );
  other.send('QUIT\r\n');
  assert.equal(await other.rest(), '+OK bye\r\n');
});

test('a dialogue that throws costs one -ERR and not the session', async (t) => {
  const { port, dialogue } = await serve(t);
  dialogue.answers.set('THROW', () => {
    throw new Error('at once');
  });
  dialogue.answers.set('REJECT', async () => {
    throw new Error('later');
  });
  const client = await Client.connect(port);
  client.send('THROW\r\nREJECT\r\nNEXT\r\nQUIT\r\n');
  assert.equal(await client.rest(), '+OK hello\r\n-ERR refused: at once\r\n-ERR refused: later\r\n+OK NEXT\r\n+OK bye\r\n');
});

test('a fault that nobody foresaw costs its own connection and no other', async (t) => {
  const recorded: string[] = [];
  const log = { debug() {}, info() {}, warn() {}, error: (event: string) => recorded.push(event) };
  const { port, dialogue, server } = await serve(t, { log });
  const other = await Client.connect(port);
  await other.line();
  const fault = () => {
    throw new Error('a mistake of ours');
  };
  dialogue.answers.set('SENT', () => ({ ...ok('here'), body: [Buffer.from('a')], sent: fault }));
  dialogue.answers.set('LATER', async () => ({ ...ok('here'), body: [Buffer.from('a')], sent: fault }));
  dialogue.answers.set('REFUSE', fault);
  for (const command of ['SENT', 'LATER', 'REFUSE']) {
    const client = await Client.connect(port);
    await client.line();
    if (command === 'REFUSE') dialogue.refusal = fault;
    client.send(`${command}\r\nNOOP\r\n`);
    assert.doesNotMatch(await client.rest(), /NOOP|-ERR/);
  }
  dialogue.start = fault;
  const greeted = await Client.connect(port);
  assert.equal(await greeted.rest(), '');
  assert.deepEqual(recorded, Array(4).fill('net.trouble'));
  while (server.counts().connections > 1) await new Promise(setImmediate);
  other.send('QUIT\r\n');
  assert.equal(await other.rest(), '+OK bye\r\n');
});

test('the trace is a dialogue, with secrets masked', async (t) => {
  const traced: string[] = [];
  const dialogue = new FakeDialogue();
  dialogue.answers.set('ROWS', () => ({
    ...ok('rows'),
    rows: (function* () {
      yield 'a';
    })(),
  }));
  const { port } = await serve(t, { dialogue, trace: (_id, line) => traced.push(line) });
  const client = await Client.connect(port);
  client.send(`GUESS secret\r\nROWS\r\n${'secret'.repeat(10)}\r\nQUIT\r\n`);
  await client.rest();
  assert.deepEqual(traced, [
    'S: +OK hello',
    'C: GUESS ***',
    'S: -ERR no',
    'C: ROWS',
    'S: +OK rows',
    'S: a',
    'S: .',
    'C: (over-long line)',
    'S: -ERR too long',
    'C: QUIT',
    'S: +OK bye',
  ]);
});

test('where the dialogue has to wait for something, what the client says meanwhile is answered after the greeting', async (t) => {
  const waits: (() => void)[] = [];
  const { port, dialogue } = await serve(t);
  dialogue.ready = () => new Promise((resolve) => waits.push(resolve));
  const client = await Client.connect(port);
  client.send('ABC\r\nQUIT\r\n');
  await settled(() => waits.length);
  assert.equal(dialogue.sessions.length, 0);
  waits[0]?.();
  assert.equal(await client.rest(), '+OK hello\r\n+OK ABC\r\n+OK bye\r\n');

  // Who leaves before is forgotten.
  const gone = await Client.connect(port);
  await settled(() => waits.length);
  gone.socket.resetAndDestroy();
  const next = await Client.connect(port);
  await settled(() => waits.length);
  waits[1]?.();
  waits[2]?.();
  assert.equal(await next.line(), '+OK hello');
  assert.ok(dialogue.sessions.length <= 3);
});
