import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { WireBody } from './wireBody.ts';

function sent(pieces: readonly (string | Uint8Array)[]): string {
  const wire = new WireBody();
  return Buffer.concat([...pieces.map((piece) => wire.next(Buffer.from(piece as string))), wire.end()]).toString('latin1');
}

test('lines end in CRLF and dots are stuffed, RFC 5321 section 4.5.2', () => {
  const cases: [readonly string[], string][] = [
    [['a\nb\n'], 'a\r\nb\r\n.\r\n'],
    [['a\r\nb\r\n'], 'a\r\nb\r\n.\r\n'],
    [['a\r', '\nb\n'], 'a\r\nb\r\n.\r\n'],
    [['.\n..\n.x\n'], '..\r\n...\r\n..x\r\n.\r\n'],
    [['a\n', '.', '\n'], 'a\r\n..\r\n.\r\n'],
    [['a\rb\n'], 'a\rb\r\n.\r\n'],
    [['no end'], 'no end\r\n.\r\n'],
    [[], '.\r\n'],
    [['\n\n'], '\r\n\r\n.\r\n'],
  ];
  for (const [pieces, wire] of cases) assert.equal(sent(pieces), wire, JSON.stringify(pieces));
});

test('however it comes in pieces, it is the same', () => {
  const piece = fc.uint8Array({ maxLength: 12 }).map((octets) => octets.map((octet) => [0x0a, 0x0d, 0x2e, 0x61][octet % 4] ?? octet));
  fc.assert(fc.property(fc.array(piece, { maxLength: 6 }), (pieces) => assert.equal(sent(pieces), sent([Buffer.concat(pieces)]))));
});
