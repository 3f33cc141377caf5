import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Networks, networkOf, plainAddress, sourceOf } from './networks.ts';

test('an IPv4 address stays one behind a listener on ::', () => {
  const table: [string, string][] = [
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::FFFF:192.0.2.1', '192.0.2.1'],
    ['::1', '::1'],
    ['fe80::1%eth0', 'fe80::1'],
    ['2001:db8::192.0.2.1', '2001:db8::192.0.2.1'],
    ['', ''],
  ];
  for (const [address, expected] of table) assert.equal(plainAddress(address), expected, address);
});

test('a source is an IPv4 address or an IPv6 /64', () => {
  const table: [string, string][] = [
    ['192.0.2.1', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:0DB8:0001:0002::1', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['2001:db8:1:2::', '2001:db8:1:2::/64'],
    ['::1', '0:0:0:0::/64'],
    ['::', '0:0:0:0::/64'],
    ['1::2:3:4:5:6:7', '1:0:2:3::/64'],
    ['64:ff9b::192.0.2.1', '64:ff9b:0:0::/64'],
    ['1:2:3:4:5:6:192.0.2.1', '1:2:3:4::/64'],
  ];
  for (const [address, expected] of table) assert.equal(sourceOf(address), expected, address);
});

test('networks hold addresses of both families', () => {
  const networks = new Networks(['127.0.0.0/8', '::1/128', '192.0.2.7', '2001:db8::/32', '::ffff:198.51.100.1']);
  for (const inside of ['127.0.0.1', '127.255.255.255', '::1', '192.0.2.7', '2001:db8:ffff::1', '198.51.100.1']) {
    assert.equal(networks.has(inside), true, inside);
  }
  for (const outside of ['128.0.0.1', '::2', '192.0.2.8', '2001:db9::', '', 'localhost', '198.51.100.2']) {
    assert.equal(networks.has(outside), false, outside);
  }
  assert.equal(new Networks([]).has('127.0.0.1'), false);
  assert.equal(new Networks(['0.0.0.0/0']).has('203.0.113.9'), true);
  assert.equal(new Networks(['0.0.0.0/0']).has('::1'), false);
});

test('what is no network is named', () => {
  for (const entry of [
    'localhost',
    '127.0.0.1/33',
    '::1/129',
    '127.0.0.1/',
    '127.0.0.1/8/8',
    '127.0.0.1/-1',
    '127.0.0.1/1e1',
    '',
    '127.1',
  ]) {
    assert.throws(
      () => new Networks([entry]),
      new RangeError(`not a network: ${JSON.stringify(entry)}; written like 192.0.2.0/24 or 2001:db8::/32`),
    );
  }
});

test('a network has the addresses that share its first bits', () => {
  const octets = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
  const address = fc.oneof(
    octets(4).map((four) => four.join('.')),
    octets(16).map((sixteen) =>
      Buffer.from(sixteen)
        .toString('hex')
        .replace(/(....)(?=.)/g, '$1:'),
    ),
  );
  fc.assert(
    fc.property(address, fc.nat(128), fc.nat(127), (network, someBits, flipped) => {
      const widest = network.includes(':') ? 128 : 32;
      const bits = Math.min(someBits, widest);
      const bit = flipped % widest;
      assert.equal(new Networks([`${network}/${bits}`]).has(flip(network, bit)), bit >= bits);
    }),
  );
});

/** Counted from the most significant bit. */
function flip(address: string, bit: number): string {
  const base = address.includes(':') ? 16 : 10;
  const width = base === 16 ? 16 : 8;
  const parts = address.split(base === 16 ? ':' : '.').map((part) => Number.parseInt(part, base));
  const at = Math.floor(bit / width);
  parts[at] = (parts[at] ?? 0) ^ (1 << (width - 1 - (bit % width)));
  return parts.map((part) => part.toString(base)).join(base === 16 ? ':' : '.');
}

test('the network around a source', () => {
  for (const [address, network] of [
    ['192.0.2.77', '192.0.2.0/24'],
    ['10.0.0.1', '10.0.0.0/24'],
    ['2001:db8:7:8:9::1', '2001:db8:7::/48'],
    ['2001:db8::1', '2001:db8:0::/48'],
    ['::1', '0:0:0::/48'],
  ] as const) {
    assert.equal(networkOf(sourceOf(address)), network);
  }
});
