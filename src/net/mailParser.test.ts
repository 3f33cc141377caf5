import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { cuts, cutUp, messageOctets } from '../../test/support/mailOctets.ts';
import { MailParser } from './mailParser.ts';

/** RFC 5321 section 4.5.2, as a client does it: a line that begins with a dot gets another one. A line ends in CRLF and nothing else. */
function stuffed(message: string): string {
  return message.replace(/(^|\r\n)\./g, '$1..');
}

/** What a parser in data mode makes of the pieces: the message, and the commands that come after it. */
async function received(pieces: readonly Uint8Array[]): Promise<{ message: string; commands: string[] }> {
  const parser = new MailParser();
  const commands: string[] = [];
  parser.oncommand = (command, next) => {
    commands.push(command.toString('latin1'));
    next?.();
  };
  const stream = parser.startDataMode();
  const ended = (async () => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of stream) chunks.push(chunk);
    parser.continue();
    return Buffer.concat(chunks).toString('latin1');
  })();
  for (const piece of pieces) parser.write(piece);
  const message = await ended;
  await new Promise<void>((resolve) => parser.end(() => resolve()));
  return { message, commands };
}

test('the dot that ends a message and the dots that do not', async () => {
  const cases: [string, string][] = [
    ['.\r\n', ''],
    ['a\r\n.\r\n', 'a\r\n'],
    ['\r\n.\r\n', '\r\n'],
    ['..\r\n.\r\n', '.\r\n'],
    ['.a\r\n.\r\n', 'a\r\n'], // RFC 5321: the dot goes, whoever put it there
    ['a\n.\r\n.\r\n', 'a\n.\r\n'], // a bare LF ends no line
    ['a\n..b\r\n.\r\n', 'a\n..b\r\n'],
    ['a\r.\r\n.\r\n', 'a\r.\r\n'], // nor does a bare CR
    ['.\rb\r\n.\r\n', '\rb\r\n'],
    ['.\r\r\n.\r\n', '\r\r\n'],
    ['a\r\r\n.\r\n', 'a\r\r\n'],
  ];
  for (const [wire, message] of cases) {
    const octets = Buffer.from(`${wire}NOOP\r\n`, 'latin1');
    assert.deepEqual(await received([octets]), { message, commands: ['NOOP'] }, JSON.stringify(wire));
    const single = Array.from(octets, (_, at) => octets.subarray(at, at + 1));
    assert.deepEqual(await received(single), { message, commands: ['NOOP'] }, `${JSON.stringify(wire)} octet by octet`);
  }
});

test('every message comes through as it was sent, wherever it is cut', async () => {
  await fc.assert(
    fc.asyncProperty(messageOctets, cuts, async (octets, places) => {
      const message = octets.toString('latin1');
      // What ends without CRLF can't be sent otherwise: the client adds one, RFC 5321 section 4.1.1.4.
      const whole = message === '' || message.endsWith('\r\n') ? message : `${message}\r\n`;
      const wire = Buffer.from(`${stuffed(whole)}.\r\nRSET\r\nQUIT\r\n`, 'latin1');
      assert.deepEqual(await received(cutUp(wire, places)), { message: whole, commands: ['RSET', 'QUIT'] });
    }),
    { numRuns: 300 },
  );
});
