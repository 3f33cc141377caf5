import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type ProxyHeader, parseProxyHeader } from './proxyProtocol.ts';

const signature = Buffer.from([0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a]);

function v2(command: number, family: number, block: Buffer, length = block.length): Buffer {
  return Buffer.concat([signature, Buffer.from([command, family, length >> 8, length & 0xff]), block]);
}

const tcp4 = Buffer.from([192, 0, 2, 1, 198, 51, 100, 2, 0xdc, 0x04, 0, 110]);
const tcp6 = Buffer.concat([
  Buffer.from('20010db8000000000000000000000001', 'hex'),
  Buffer.from('20010db8000100000000000000000002', 'hex'),
  Buffer.from([0xdc, 0x04, 0x03, 0xe3]),
]);
const mapped = Buffer.concat([
  Buffer.from('00000000000000000000ffffc0000201', 'hex'),
  Buffer.from('00000000000000000000ffffc6336402', 'hex'),
  Buffer.from([0xdc, 0x04, 0, 110]),
]);
const from4 = { remoteAddress: '192.0.2.1', remotePort: 56_324, localAddress: '198.51.100.2', localPort: 110 };
const from6 = { remoteAddress: '2001:db8::1', remotePort: 56_324, localAddress: '2001:db8:1::2', localPort: 995 };

function header(length: number, endpoints?: typeof from4): ProxyHeader {
  return { kind: 'header', length, endpoints };
}

test('version 1', () => {
  const longest = 'PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n';
  const table: [string, ProxyHeader][] = [
    ['PROXY TCP4 192.0.2.1 198.51.100.2 56324 110\r\n', header(45, from4)],
    ['PROXY TCP4 192.0.2.1 198.51.100.2 56324 110\r\nCAPA\r\n', header(45, from4)],
    ['PROXY TCP6 2001:db8::1 2001:db8:1::2 56324 995\r\n', header(48, from6)],
    ['PROXY UNKNOWN\r\n', header(15)],
    ['PROXY UNKNOWN whatever 1 2 3 4 5 6\r\n', header(36)],
    [longest, header(107)],
    ['', { kind: 'incomplete' }],
    ['PROX', { kind: 'incomplete' }],
    ['PROXY TCP4 192.0.2.1 198.51.100.2 56324 110\r', { kind: 'incomplete' }],
    ['PROXY TCP4 192.0.2.1 198.51.100.2 56324 110\n', { kind: 'incomplete' }],
    [`PROXY UNKNOWN ${'x'.repeat(100)}\r\n`, { kind: 'malformed', reason: 'version 1: line too long' }],
    ['CAPA\r\n', { kind: 'malformed', reason: 'no PROXY header' }],
    ['proxy TCP4 192.0.2.1 198.51.100.2 1 2\r\n', { kind: 'malformed', reason: 'no PROXY header' }],
    ['PROXY TCP4 192.0.2.1 198.51.100.2 56324\r\n', { kind: 'malformed', reason: 'version 1: not a port' }],
    ['PROXY TCP4 192.0.2.1 198.51.100.2 56324 110 \r\n', { kind: 'malformed', reason: 'version 1: too many words' }],
    ['PROXY TCP4 192.0.2.1  198.51.100.2 56324 110\r\n', { kind: 'malformed', reason: 'version 1: too many words' }],
    ['PROXY TCP4 192.0.2.1 198.51.100.2 65536 110\r\n', { kind: 'malformed', reason: 'version 1: not a port' }],
    ['PROXY TCP4 192.0.2.1 198.51.100.2 1e3 110\r\n', { kind: 'malformed', reason: 'version 1: not a port' }],
    ['PROXY TCP4 192.0.2.1 198.51.100.2 01 110\r\n', { kind: 'malformed', reason: 'version 1: not a port' }],
    ['PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n', { kind: 'malformed', reason: 'version 1: not an address' }],
    ['PROXY TCP6 192.0.2.1 198.51.100.2 1 2\r\n', { kind: 'malformed', reason: 'version 1: not an address' }],
    ['PROXY TCP6 fe80::1%eth0 2001:db8::2 1 2\r\n', { kind: 'malformed', reason: 'version 1: not an address' }],
    ['PROXY UDP4 192.0.2.1 198.51.100.2 1 2\r\n', { kind: 'malformed', reason: 'version 1: unknown family' }],
    ['PROXY  TCP4 192.0.2.1 198.51.100.2 1 2\r\n', { kind: 'malformed', reason: 'version 1: unknown family' }],
  ];
  for (const [text, expected] of table) assert.deepEqual(parseProxyHeader(Buffer.from(text)), expected, JSON.stringify(text));
});

test('version 2', () => {
  const unix = Buffer.alloc(216, '/tmp/socket');
  const tlv = Buffer.from([0x04, 0, 3, 1, 2, 3]);
  const table: [string, Buffer, ProxyHeader][] = [
    ['TCP4', v2(0x21, 0x11, tcp4), header(28, from4)],
    [
      'TCP4 with TLVs and a command after it',
      Buffer.concat([v2(0x21, 0x11, Buffer.concat([tcp4, tlv])), Buffer.from('CAPA')]),
      header(34, from4),
    ],
    ['TCP6', v2(0x21, 0x21, tcp6), header(52, from6)],
    ['IPv4 as IPv6', v2(0x21, 0x21, mapped), header(52, from4)],
    ['a Unix socket', v2(0x21, 0x31, unix), header(232)],
    ['LOCAL', v2(0x20, 0x00, Buffer.alloc(0)), header(16)],
    ['LOCAL with addresses, which mean nothing', v2(0x20, 0x11, tcp4), header(28)],
    ['LOCAL with a family nobody knows', v2(0x20, 0xff, tlv), header(22)],
    ['UNSPEC', v2(0x21, 0x00, tlv), header(22)],
    ['as long as it may be', v2(0x21, 0x11, Buffer.concat([tcp4, Buffer.alloc(4084)])), header(16 + 4096, from4)],
    ['too long', v2(0x21, 0x11, Buffer.alloc(0), 4097), { kind: 'malformed', reason: 'version 2: too long' }],
    ['version 1 in binary', v2(0x11, 0x11, tcp4), { kind: 'malformed', reason: 'version 2: unknown version or command' }],
    ['a command nobody knows', v2(0x22, 0x11, tcp4), { kind: 'malformed', reason: 'version 2: unknown version or command' }],
    ['UDP4', v2(0x21, 0x12, tcp4), { kind: 'malformed', reason: 'version 2: unknown family' }],
    ['TCP4 cut short', v2(0x21, 0x11, tcp4.subarray(0, 11)), { kind: 'malformed', reason: 'version 2: too short for its addresses' }],
    ['TCP6 cut short', v2(0x21, 0x21, tcp6.subarray(0, 35)), { kind: 'malformed', reason: 'version 2: too short for its addresses' }],
    ['without its last octet', v2(0x21, 0x11, tcp4).subarray(0, 27), { kind: 'incomplete' }],
    [
      'a signature with one octet changed',
      Buffer.concat([signature.subarray(0, 11), Buffer.from('\r')]),
      { kind: 'malformed', reason: 'no PROXY header' },
    ],
  ];
  for (const [name, octets, expected] of table) assert.deepEqual(parseProxyHeader(octets), expected, name);
});

const valid = fc.constantFrom(
  v2(0x21, 0x11, tcp4),
  v2(0x21, 0x21, tcp6),
  v2(0x20, 0, Buffer.alloc(0)),
  Buffer.from('PROXY TCP4 192.0.2.1 198.51.100.2 56324 110\r\n'),
  Buffer.from('PROXY TCP6 2001:db8::1 2001:db8:1::2 56324 995\r\n'),
  Buffer.from('PROXY UNKNOWN\r\n'),
);
const mutated = fc
  .tuple(valid, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 }), fc.uint8Array({ maxLength: 120 }))
  .map(([octets, changes, more]) => {
    const copy = Buffer.concat([octets, more]);
    for (const [at, octet] of changes) copy[at % copy.length] = octet;
    return copy;
  });
const anything = fc.oneof(
  mutated,
  fc.uint8Array({ maxLength: 300 }).map((octets) => Buffer.from(octets)),
);

test('cut anywhere, a header means the same as whole: each beginning is incomplete until the verdict is there, which then stays', () => {
  fc.assert(
    fc.property(anything, (octets) => {
      const whole = parseProxyHeader(octets);
      let verdict: ProxyHeader = { kind: 'incomplete' };
      for (let length = 0; length <= octets.length; length++) {
        const now = parseProxyHeader(octets.subarray(0, length));
        if (verdict.kind !== 'incomplete') assert.deepEqual(now, verdict);
        verdict = now;
      }
      assert.deepEqual(verdict, whole);
      if (whole.kind === 'header') assert.ok(whole.length > 0 && whole.length <= octets.length);
    }),
    { numRuns: 1000 },
  );
});

test('what a parsed header says is an address and a port', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 36, maxLength: 36 }), fc.constantFrom(0x11, 0x21), (block, family) => {
      const parsed = parseProxyHeader(v2(0x21, family, Buffer.from(block)));
      assert.ok(parsed.kind === 'header' && parsed.endpoints);
      const octets = (address: string) =>
        address.includes(':') ? new URL(`http://[${address}]`).hostname : new URL(`http://${address}`).hostname;
      assert.equal(octets(parsed.endpoints.remoteAddress).replace(/[[\]]/g, ''), parsed.endpoints.remoteAddress);
      assert.ok(parsed.endpoints.remotePort >= 0 && parsed.endpoints.remotePort <= 65_535);
    }),
  );
});
