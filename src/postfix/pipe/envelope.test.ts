import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readCommandLine } from './commandLine.ts';
import { type Environment, type NoEnvelope, type PipeEnvelope, readEnvelope } from './envelope.ts';

const noTop = { length: 0, returnPath: undefined, originalTo: undefined, deliveredTo: undefined };
const empty = { from: undefined, original: undefined, socket: undefined, config: undefined, recipients: [] };

/** What Postfix 3.7 and later says for mail to an address of kvt.dk, which a map gives to kvt_dk+user--domain. */
interface Told {
  readonly environment: Environment;
  readonly originalTo?: string;
  readonly deliveredTo?: string;
  readonly returnPath?: string;
}

function envelopeOf({ environment, originalTo, deliveredTo, returnPath }: Told): PipeEnvelope | NoEnvelope {
  return readEnvelope(empty, environment, { ...noTop, originalTo, deliveredTo, returnPath });
}

function told(extension: string, original: string): Environment {
  return { EXTENSION: extension, RECIPIENT: `kvt_dk+${extension}@mx.example.org`, ORIGINAL_RECIPIENT: original, SENDER: 'ada@example.org' };
}

test('from the environment of local(8) to a recipient', () => {
  const cases: [Told, string, string, (readonly string[])?][] = [
    [{ environment: told('abc--kvt.dk', 'abc@kvt.dk') }, 'abc@kvt.dk', 'abc@kvt.dk'],
    // The extension is in lower case, the original recipient as the sender wrote it.
    [{ environment: told('abc+tag--kvt.dk', 'Abc+Tag@KVT.dk') }, 'Abc+Tag@kvt.dk', 'Abc+Tag@KVT.dk'],
    [{ environment: told('a--b--kvt.dk', 'a--b@kvt.dk') }, 'a--b@kvt.dk', 'a--b@kvt.dk'],
    // The map leaves the subdomain, or folds it.
    [{ environment: told('y--z.kvt.dk', 'y@z.kvt.dk') }, 'y@z.kvt.dk', 'y@z.kvt.dk', ['y@kvt.dk']],
    [{ environment: told('y--kvt.dk', 'y@z.kvt.dk') }, 'y@kvt.dk', 'y@z.kvt.dk'],
    [{ environment: told('y--a.b.kvt.dk', 'y@a.b.kvt.dk') }, 'y@a.b.kvt.dk', 'y@a.b.kvt.dk', ['y@b.kvt.dk', 'y@kvt.dk']],
    // An alias of Postfix's: the original recipient is another.
    [{ environment: told('abc--kvt.dk', 'info@kvt.dk') }, 'abc@kvt.dk', 'info@kvt.dk'],
    [{ environment: told('abc--kvt.dk', 'abc@other.example') }, 'abc@kvt.dk', 'abc@other.example'],
    // A domain that only ends alike is no subdomain.
    [{ environment: told('abc--kvt.dk', 'abc@xkvt.dk') }, 'abc@kvt.dk', 'abc@xkvt.dk'],
    // What the environment can't say is on top of the message.
    [{ environment: told('o_neil--kvt.dk', 'o_neil@kvt.dk'), originalTo: "o'neil@kvt.dk" }, "o'neil@kvt.dk", "o'neil@kvt.dk"],
    [
      {
        environment: told('o_neil--kvt.dk', 'info@kvt.dk'),
        originalTo: 'info@kvt.dk',
        deliveredTo: "kvt_dk+o'neil--kvt.dk@mx.example.org",
      },
      "o'neil@kvt.dk",
      'info@kvt.dk',
    ],
    // What doesn't agree with the environment is somebody else's.
    [{ environment: told('o_neil--kvt.dk', 'o_neil@kvt.dk'), originalTo: 'o.neil@kvt.dk' }, 'o_neil@kvt.dk', 'o_neil@kvt.dk'],
    [{ environment: told('abc--kvt.dk', 'abc@kvt.dk'), originalTo: 'kvt@kvt.dk', deliveredTo: 'kvt@kvt.dk' }, 'abc@kvt.dk', 'abc@kvt.dk'],
    // Without an extension: whom it was for at first.
    [
      { environment: { EXTENSION: '', RECIPIENT: 'kvt_dk+@mx.example.org', ORIGINAL_RECIPIENT: 'a_b@kvt.dk' }, originalTo: '"a b"@kvt.dk' },
      '"a b"@kvt.dk',
      '"a b"@kvt.dk',
    ],
    [{ environment: { RECIPIENT: 'kvt_dk+a/b--kvt.dk@mx.example.org', ORIGINAL_RECIPIENT: 'a/b@kvt.dk' } }, 'a/b@kvt.dk', 'a/b@kvt.dk'],
    [{ environment: { RECIPIENT: 'kvt_dk@mx.example.org' } }, 'kvt_dk@mx.example.org', 'kvt_dk@mx.example.org'],
  ];
  for (const [given, path, original, above = []] of cases) {
    const envelope = envelopeOf(given);
    assert.deepEqual(typeof envelope === 'string' ? envelope : envelope.recipients, [{ path, above, original }], JSON.stringify(given));
  }
});

test('who is nobody, and what is no address', () => {
  const cases: [Environment, NoEnvelope][] = [
    [{}, 'nobody'],
    [{ RECIPIENT: '', ORIGINAL_RECIPIENT: '' }, 'nobody'],
    [told('--kvt.dk', 'x@y.example'), 'no address'],
    [told('abc--', 'x@y.example'), 'no address'],
    [told('abc--kvt dk', 'x@y.example'), 'no address'],
    [{ ORIGINAL_RECIPIENT: 'abc' }, 'no address'],
  ];
  for (const [environment, expected] of cases) assert.equal(envelopeOf({ environment }), expected, JSON.stringify(environment));
});

test('the sender in full, and none where there is none', () => {
  const cases: [Partial<Told>, string | undefined, string][] = [
    [{ environment: { SENDER: 'ada@example.org' } }, undefined, 'ada@example.org'],
    [{ environment: { SENDER: 'o_neil@example.org' }, returnPath: "o'neil@example.org" }, undefined, "o'neil@example.org"],
    [{ environment: { SENDER: 'ada_b@example.org' }, returnPath: '"ada b"@example.org' }, undefined, '"ada b"@example.org'],
    [{ environment: { SENDER: 'ada@example.org' }, returnPath: 'forged@example.org' }, undefined, 'ada@example.org'],
    [{ environment: { SENDER: '' }, returnPath: '' }, undefined, ''],
    [{ environment: { SENDER: '' }, returnPath: 'forged@example.org' }, undefined, ''],
    [{ environment: {}, returnPath: 'ada@example.org' }, undefined, 'ada@example.org'],
    [{ environment: { SENDER: 'ada@example.org' } }, 'eve@example.org', 'eve@example.org'],
    [{ environment: { SENDER: 'ada@example.org' } }, '', ''],
    [{ environment: {} }, 'MAILER-DAEMON', ''],
    [{ environment: {} }, 'a\r\nRCPT TO:<b@c.example>@example.org', ''],
  ];
  for (const [{ environment = {}, returnPath }, from, sender] of cases) {
    const envelope = readEnvelope({ ...empty, from, recipients: ['abc@kvt.dk'] }, environment, { ...noTop, returnPath });
    assert.equal(typeof envelope === 'string' ? envelope : envelope.sender, sender);
  }
});

test('the command line', () => {
  const cases: [readonly string[], ReturnType<typeof readCommandLine>][] = [
    [[], empty],
    [['abc@kvt.dk', '--from'], { ...empty, recipients: ['abc@kvt.dk', '--from'] }],
    [['--from', '', '--', '-x@kvt.dk'], { ...empty, from: '', recipients: ['-x@kvt.dk'] }],
    [['-f', 'a@b', '--socket=/run/x', '-c', 'file'], { ...empty, from: 'a@b', socket: '/run/x', config: 'file' }],
    [['--original-recipient', 'i@kvt.dk', 'abc@kvt.dk'], { ...empty, original: 'i@kvt.dk', recipients: ['abc@kvt.dk'] }],
    [['--original-recipient', 'i@kvt.dk', 'abc@kvt.dk', 'kvt@kvt.dk'], undefined],
    [['--original-recipient', 'i@kvt.dk'], undefined],
    [['--from'], undefined],
    [['--from', 'a', '--from', 'b'], undefined],
    [['--unknown'], undefined],
    [['--recipients', 'a'], undefined],
    [['-x@kvt.dk'], undefined],
  ];
  for (const [words, expected] of cases) assert.deepEqual(readCommandLine(words), expected, words.join(' '));
});

test('whatever the environment holds, no line end reaches a command, and no mailbox is another', () => {
  const piece = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 6 }),
    fc.constantFrom('--', '@', 'kvt.dk', '"', '\\', '\r\n', '.', '+', '_', 'abc'),
  );
  const text = fc.array(piece, { maxLength: 8 }).map((pieces) => Buffer.from(pieces.join('')).toString('latin1'));
  const optional = fc.option(text, { nil: undefined });
  fc.assert(
    fc.property(
      optional,
      optional,
      optional,
      optional,
      optional,
      optional,
      (EXTENSION, ORIGINAL_RECIPIENT, RECIPIENT, SENDER, originalTo, deliveredTo) => {
        const environment = { EXTENSION, ORIGINAL_RECIPIENT, RECIPIENT, SENDER };
        const envelope = readEnvelope(empty, environment, { ...noTop, originalTo, deliveredTo });
        if (typeof envelope === 'string') return;
        for (const { path, above, original } of envelope.recipients)
          for (const each of [envelope.sender, path, original ?? '', ...above]) {
            // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there
            assert.doesNotMatch(each, /[\x00-\x1f\x7f]/);
            assert.ok(each === '' || /^(?:"(?:[^"\\]|\\.)*"|[^\s"<>]+)@[^\s<>"]+$/.test(each), each);
          }
      },
    ),
  );
});
