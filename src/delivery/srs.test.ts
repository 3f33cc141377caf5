/** The sender rewriting scheme: what goes out comes back, for as long as it is good, and nothing else does. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createSrs } from './srs.ts';

const secret = Buffer.alloc(32, 7);
const day = 86_400_000;
const noon = Date.parse('2026-11-29T12:00:00Z');

function at(ms: number, key = secret) {
  return createSrs({ secret: key, now: () => ms });
}

/** Local part and domain. */
function parted(address: string): [string, string] {
  const split = address.lastIndexOf('@');
  const local = address.slice(0, split);
  return [/^".*"$/s.test(local) ? local.slice(1, -1).replace(/\\(.)/gs, '$1') : local, address.slice(split + 1)];
}

test('the parts stand in the order of the paper, and the day is two digits of base 32', () => {
  const rewritten = at(noon).forward('Ada@Example.org', 'kvt.dk');
  assert.match(rewritten, /^SRS0=[A-Z2-7]{6}=[A-Z2-7]{2}=Example\.org=Ada@kvt\.dk$/);
  // Day 20786 of 1970 is day 306 of its round of 1024: 9 and 18 in base 32.
  assert.equal(rewritten.split('=')[2], 'JS');
});

test('what stays as it is', () => {
  for (const sender of ['', 'nobody', '@example.org', 'a b@example.org']) assert.equal(at(noon).forward(sender, 'kvt.dk'), sender);
});

test('a bounce finds its way back for 21 days, whatever became of the case of its letters', () => {
  const [local, domain] = parted(at(noon).forward('Ada.L@example.org', 'kvt.dk'));
  assert.deepEqual(at(noon).reverse(local, domain), { kind: 'address', address: 'Ada.L@example.org' });
  assert.deepEqual(at(noon + 21 * day).reverse(local, domain), { kind: 'address', address: 'Ada.L@example.org' });
  assert.deepEqual(at(noon + 22 * day).reverse(local, domain), { kind: 'expired' });
  assert.deepEqual(at(noon - 2 * day).reverse(local, domain), { kind: 'expired' });
  assert.deepEqual(at(noon).reverse(local.toLowerCase(), domain), { kind: 'address', address: 'ada.l@example.org' });
  assert.deepEqual(at(noon).reverse(local.toUpperCase(), domain.toUpperCase()), { kind: 'address', address: 'ADA.L@EXAMPLE.ORG' });
});

test('the round of 1024 days goes over its end', () => {
  const last = 1023 * day + 20 * 1024 * day;
  const [local, domain] = parted(at(last).forward('ada@example.org', 'kvt.dk'));
  assert.equal(local.split('=')[2], '77');
  assert.deepEqual(at(last + day).reverse(local, domain), { kind: 'address', address: 'ada@example.org' });
});

test('all three separators are read', () => {
  const [local, domain] = parted(at(noon).forward('ada@example.org', 'kvt.dk'));
  for (const separator of '=+-') {
    assert.deepEqual(at(noon).reverse(local.replace('=', separator), domain), { kind: 'address', address: 'ada@example.org' });
  }
});

test('what is nothing of ours', () => {
  const [local, domain] = parted(at(noon).forward('ada@example.org', 'kvt.dk'));
  const forged = [
    [local.replace('=ada', '=bob'), domain],
    [local.replace('example.org', 'example.com'), domain],
    [local.replace(/=([A-Z2-7]{2})=/, '=AA='), domain],
    [local.replace(/=[A-Z2-7]{6}=/, '=AAAAAA='), domain],
    [local.replace(/=[A-Z2-7]{6}=/, '=A='), domain],
    // Made for one of our domains, it is nothing at another.
    [local, 'other.example'],
    ['SRS0=', 'kvt.dk'],
    ['SRS0=a=b=c=d', 'kvt.dk'],
    ['SRS0====', 'kvt.dk'],
    ['SRS1=a=b==c=d=e=f', 'kvt.dk'],
    ['SRS1=', 'kvt.dk'],
  ] as const;
  for (const [one, of] of forged) assert.deepEqual(at(noon).reverse(one, of), { kind: 'forged' }, one);
  assert.deepEqual(at(noon, Buffer.alloc(32, 8)).reverse(local, domain), { kind: 'forged' });
  for (const other of ['ada', 'srs', 'SRS0', 'SRS0x', 'SRS2=a=b=c=d', 'xSRS0=a=b=c=d']) {
    assert.equal(at(noon).reverse(other, 'kvt.dk'), undefined, other);
  }
});

test('from forwarder to forwarder: the second one and the third name the first', () => {
  const first = at(noon, Buffer.alloc(32, 1));
  const second = at(noon, Buffer.alloc(32, 2));
  const third = at(noon, Buffer.alloc(32, 3));
  const atFirst = first.forward('ada@example.org', 'one.example');
  const atSecond = second.forward(atFirst, 'two.example');
  const atThird = third.forward(atSecond, 'three.example');
  const rest = atFirst.slice('SRS0'.length, -'@one.example'.length);
  assert.match(atSecond, /^SRS1=[A-Z2-7]{6}=one\.example==.*@two\.example$/);
  assert.ok(atSecond.endsWith(`=one.example=${rest}@two.example`));
  assert.match(atThird, /^SRS1=[A-Z2-7]{6}=one\.example==.*@three\.example$/);
  for (const [srs, address] of [
    [second, atSecond],
    [third, atThird],
  ] as const) {
    assert.deepEqual(srs.reverse(...parted(address)), { kind: 'address', address: atFirst });
  }
  assert.deepEqual(first.reverse(...parted(atFirst)), { kind: 'address', address: 'ada@example.org' });
  assert.deepEqual(second.reverse(...parted(atSecond.replace('one.example', 'own.example'))), { kind: 'forged' });
  // Another's separators stay as they are.
  const foreign = second.forward('srs0+abcd+xy+example.org+ada@one.example', 'two.example');
  assert.deepEqual(second.reverse(...parted(foreign)), { kind: 'address', address: 'SRS0+abcd+xy+example.org+ada@one.example' });
});

test('whoever the sender is, and whatever comes in', () => {
  const srs = at(noon);
  const local = fc.stringMatching(/^[a-zA-Z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}$/).filter((text) => !/^SRS[01][=+-]/i.test(text));
  fc.assert(
    fc.property(local, fc.domain(), (user, host) => {
      const rewritten = srs.forward(`${user}@${host}`, 'kvt.dk');
      assert.deepEqual(srs.reverse(...parted(rewritten)), { kind: 'address', address: `${user}@${host}` });
    }),
  );
  const quoted = srs.forward('"a \\"b\\\\ (c)"@[192.0.2.1]', 'kvt.dk');
  assert.deepEqual(srs.reverse(...parted(quoted)), { kind: 'address', address: '"a \\"b\\\\ (c)"@[192.0.2.1]' });
  fc.assert(
    fc.property(fc.constantFrom('SRS0', 'SRS1', 'srs0', ''), fc.string({ unit: 'binary' }), (kind, text) => {
      const found = srs.reverse(`${kind}=${text}`, 'kvt.dk');
      assert.ok(found === undefined || found.kind === 'forged');
    }),
  );
});
