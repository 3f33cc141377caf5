/** POP before SMTP: who fetched mail may send for a while. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { type DomainName, parseDomainName, parseUserName } from '../model/address.ts';
import { silent } from '../model/log.ts';
import { Networks } from '../model/networks.ts';
import { disk } from '../os/disk.ts';
import { type Front, makeFronts, oneFront } from './fakes.test.ts';
import { keepAdmission } from './keeping.ts';
import { createLoginNotes } from './loginNotes.ts';
import { policy } from './policy.ts';
import { RecentTable } from './recentTable.ts';

const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;
const ada = 'ada@example.org';

function front(fronts: readonly Front[], n: number): Front {
  return fronts[n] ?? assert.fail('a test that asks for one too many');
}

test('an address counts for half an hour after its last fetch, and no other does', () => {
  const { admission, clock } = oneFront();
  const { recentLogins } = admission;
  assert.equal(recentLogins.has('198.51.100.7'), false);
  admission.remember('198.51.100.7', ada);
  clock.pass(20 * minuteMs);
  admission.remember('198.51.100.7', ada);
  clock.pass(30 * minuteMs - 1);
  assert.equal(recentLogins.has('198.51.100.7'), true);
  for (let n = 0; n < 10; n++) assert.equal(recentLogins.has(`198.51.100.${8 + n}`), false);
  clock.pass(1);
  assert.equal(recentLogins.has('198.51.100.7'), false);
});

test('IPv4 counts by address, in either spelling; IPv6 by /64, which is what one customer gets', () => {
  const { admission } = oneFront();
  admission.remember('198.51.100.7', ada);
  admission.remember('2001:db8:0:1::7', ada);
  const table: [string, boolean][] = [
    ['198.51.100.7', true],
    ['::ffff:198.51.100.7', true],
    ['198.51.100.6', false],
    ['2001:db8:0:1::7', true],
    ['2001:0DB8:0000:0001:ffff:ffff:ffff:ffff', true],
    ['2001:db8:0:2::7', false],
    ['2001:db8::1:7', false],
    ['198.51.100', false],
    ['198.51.100.7 ', false],
    ['mail.example.org', false],
    ['', false],
    ['198.51.100.0/24', false],
  ];
  for (const [address, expected] of table) assert.deepEqual([address, admission.recentLogins.has(address)], [address, expected]);
});

test('a clock that jumps makes nobody’s time longer', () => {
  const { admission, clock } = oneFront();
  admission.remember('198.51.100.7', ada);
  clock.ms -= 31 * minuteMs;
  assert.equal(admission.recentLogins.has('198.51.100.7'), false);
  clock.ms += 40 * minuteMs;
  assert.equal(admission.recentLogins.has('198.51.100.7'), true);
});

test('switched off, nothing is remembered', () => {
  const { admission } = oneFront({ recentLoginMs: 0 });
  admission.remember('198.51.100.7', ada);
  assert.equal(admission.recentLogins.has('198.51.100.7'), false);
  assert.equal(admission.changes, 0);
});

test('memory is bounded, and who fetched lately is in it', () => {
  const { admission } = oneFront();
  const addressOf = (n: number) => `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`;
  const count = policy.recent.capacity * 3;
  for (let n = 0; n < count; n++) admission.remember(addressOf(n), ada);
  let remembered = 0;
  for (let n = 0; n < count; n++) if (admission.recentLogins.has(addressOf(n))) remembered++;
  assert.ok(remembered >= policy.recent.capacity / 2 && remembered <= policy.recent.capacity, String(remembered));
  assert.equal(admission.recentLogins.has(addressOf(count - 1)), true);
});

test('all fronts know at once; of many at a time they hear together', () => {
  const { clock, fronts, published } = makeFronts(2);
  const [one, two] = [front(fronts, 0), front(fronts, 1)];
  one.admission.remember('198.51.100.1', ada);
  assert.equal(two.admission.recentLogins.has('198.51.100.1'), true);
  for (let n = 2; n < 100; n++) one.admission.remember(`198.51.100.${n}`, ada);
  // And that it was used, by the other, at once, too.
  assert.equal(published.length, 2);
  clock.pass(50);
  assert.equal(published.length, 3);
  for (let n = 2; n < 100; n++) assert.equal(two.admission.recentLogins.has(`198.51.100.${n}`), true);
  clock.pass(50);
  assert.deepEqual([published.length, clock.timers], [3, 0]);
});

test('all fronts know, by a message a minute at most', () => {
  const { clock, fronts, published } = makeFronts(3);
  const [one, two] = [front(fronts, 0), front(fronts, 1)];
  for (let second = 0; second < 60; second++) {
    one.admission.remember('198.51.100.7', ada);
    clock.pass(1000);
  }
  assert.equal(published.length, 1);
  assert.equal(two.admission.recentLogins.has('198.51.100.7'), true);
  for (let minute = 1; minute < 40; minute++) {
    one.admission.remember('198.51.100.7', ada);
    clock.pass(minuteMs);
  }
  assert.equal(two.admission.recentLogins.has('198.51.100.7'), true);
  clock.pass(30 * minuteMs);
  for (const { admission } of fronts) assert.equal(admission.recentLogins.has('198.51.100.7'), false);
});

test('a short time is told to the others before it is up', () => {
  const { clock, fronts } = makeFronts(2, { recentLoginMs: 3000 });
  for (let n = 0; n < 20; n++) {
    front(fronts, 0).admission.remember('198.51.100.7', ada);
    clock.pass(1000);
    assert.equal(front(fronts, 1).admission.recentLogins.has('198.51.100.7'), true);
  }
});

test('that it was used is told to the log once for each account and day, whichever front was asked', () => {
  const { clock, fronts } = makeFronts(2);
  const used = () => fronts.flatMap(({ events }) => events).filter(([event]) => event === 'relay.recent-login');
  const send = (n: number, address: string) => {
    assert.equal(front(fronts, n).admission.recentLogins.has(address), true);
    clock.pass(50);
  };
  const fetch = () => {
    front(fronts, 0).admission.remember('198.51.100.7', ada);
    front(fronts, 0).admission.remember('2001:db8:0:1::7', 'bea@example.org');
    clock.pass(50);
  };
  fetch();
  assert.deepEqual(used(), []);
  send(0, '198.51.100.7');
  send(1, '198.51.100.7');
  send(1, '2001:db8:0:1::9');
  send(0, '2001:db8:0:1::9');
  assert.deepEqual(used(), [
    ['relay.recent-login', { account: ada, remote: '198.51.100.7' }],
    ['relay.recent-login', { account: 'bea@example.org', remote: '2001:db8:0:1::9' }],
  ]);
  clock.pass(dayMs);
  fetch();
  send(1, '198.51.100.7');
  assert.equal(used().length, 3);
  for (const { admission } of fronts) {
    assert.deepEqual(
      admission.relays().map(({ account, source }) => [account, source]),
      [
        [ada, '198.51.100.7'],
        ['bea@example.org', '2001:db8:0:1::/64'],
      ],
    );
  }
  clock.pass(31 * dayMs);
  assert.deepEqual(front(fronts, 0).admission.relays(), []);
});

test('a restart forgets nothing, and gives nobody more time', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'postkasse-recent-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'throttle');
  const before = oneFront();
  const keeping = keepAdmission({ ...before, disk, path, keeps: true, log: silent });
  before.admission.remember('198.51.100.7', ada);
  assert.equal(before.admission.recentLogins.has('198.51.100.7'), true);
  before.clock.pass(20 * minuteMs);
  before.admission.remember('2001:db8:0:1::7', ada);
  await keeping.stop();

  const after = oneFront();
  after.clock.ms = before.clock.ms;
  await keepAdmission({ ...after, disk, path, keeps: false, log: silent }).stop();
  assert.deepEqual(after.admission.relays(), before.admission.relays());
  assert.equal(after.admission.recentLogins.has('198.51.100.7'), true);
  // Not told to the log again on the same day.
  assert.deepEqual(after.events, []);
  after.clock.pass(10 * minuteMs);
  assert.equal(after.admission.recentLogins.has('198.51.100.7'), false);
  assert.equal(after.admission.recentLogins.has('2001:db8:0:1::8'), true);
});

test('the table keeps the later of two', () => {
  const table = new RecentTable({ lastsMs: 1000, capacity: 10, refreshMs: 100 });
  table.note('198.51.100.7', ada, 5000);
  table.put({ source: '198.51.100.7', account: 'bea@example.org', atMs: 4900 });
  assert.equal(table.find('198.51.100.7', 5000), ada);
  assert.deepEqual([...table.entries(5500)], [{ source: '198.51.100.7', account: ada, atMs: 5000 }]);
});

test('at a reload the next fronts hear of who fetched mail a moment ago, and give them no more time', () => {
  const { clock, fronts } = makeFronts(2, { fronts: 1 });
  const [old, next] = [front(fronts, 0), front(fronts, 1)];
  old.admission.remember('198.51.100.6', ada);
  clock.pass(2 * minuteMs);
  old.admission.remember('198.51.100.7', ada);
  clock.pass(minuteMs);
  assert.equal(next.admission.recentLogins.has('198.51.100.7'), false);
  old.admission.handOver();
  assert.equal(next.admission.recentLogins.has('198.51.100.7'), true);
  // It is in the file that the next fronts have read.
  assert.equal(next.admission.recentLogins.has('198.51.100.6'), false);
  clock.pass(29 * minuteMs - 1);
  assert.equal(next.admission.recentLogins.has('198.51.100.7'), true);
  clock.pass(1);
  assert.equal(next.admission.recentLogins.has('198.51.100.7'), false);
});

function notes({ wants = ['wants.example'], exempt = [] as string[] } = {}) {
  let nowMs = 0;
  const asked: string[] = [];
  const remembered: string[] = [];
  const wanting = new Set(wants);
  const made = createLoginNotes({
    directory: {
      async domain(name) {
        asked.push(name);
        if (name === 'broken.example') throw new Error('not now');
        return { name, unknownUsers: { kind: 'bounce' }, popBeforeSmtp: wanting.has(name) ? true : undefined };
      },
    },
    exemptNetworks: new Networks(exempt),
    now: () => nowMs,
    remember: (address, account) => void remembered.push(`${address} ${account}`),
  });
  return {
    asked,
    remembered,
    wanting,
    pass(ms: number) {
      nowMs += ms;
    },
    async logIn(address: string, domain: string | undefined, isProxy = false) {
      const user = parseUserName('ada') ?? assert.fail();
      const at: DomainName | undefined = domain === undefined ? undefined : parseDomainName(domain);
      const mailbox = { name: domain === undefined ? 'ada' : `ada@${domain}`, user, domain: at, home: undefined, owner: undefined };
      made.note({ remoteAddress: address, isProxy }, mailbox);
      await turn();
    },
  };
}

test('logins count for domains that want it: not from the host itself, a webmail, or a proxy that speaks for itself', async () => {
  const { logIn, remembered } = notes({ exempt: ['192.0.2.0/24'] });
  for (const address of ['198.51.100.7', '127.0.0.1', '127.9.9.9', '::1', '192.0.2.80', '2001:db8::1'])
    await logIn(address, 'wants.example');
  await logIn('198.51.100.8', 'other.example');
  await logIn('198.51.100.9', undefined);
  await logIn('198.51.100.10', 'broken.example');
  await logIn('198.51.100.11', 'wants.example', true);
  assert.deepEqual(remembered, ['198.51.100.7 ada@wants.example', '2001:db8::1 ada@wants.example']);
});

test('a domain is asked once in ten seconds, and what its file says counts from then on', async () => {
  const { logIn, asked, remembered, wanting, pass } = notes({ wants: [] });
  for (let n = 0; n < 100; n++) await logIn('198.51.100.7', 'wants.example');
  assert.deepEqual(asked, ['wants.example']);
  wanting.add('wants.example');
  pass(10_000);
  await logIn('198.51.100.7', 'wants.example');
  await logIn('198.51.100.8', 'wants.example');
  assert.deepEqual(remembered, ['198.51.100.7 ada@wants.example', '198.51.100.8 ada@wants.example']);
  wanting.delete('wants.example');
  pass(10_000);
  await logIn('198.51.100.9', 'wants.example');
  assert.equal(remembered.length, 2);
  assert.equal(asked.length, 3);
});
