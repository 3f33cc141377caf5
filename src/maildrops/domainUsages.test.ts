import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mailboxNamed } from '../../test/support/mail.ts';
import { parseDomainName } from '../model/address.ts';
import { Fault } from '../model/fault.ts';
import type { Mailbox } from '../model/mailbox.ts';
import type { Usage } from '../model/maildrop.ts';
import { createDomainUsages } from './domainUsages.ts';

const kvt = parseDomainName('kvt.dk') ?? assert.fail();

function domain(usage: (mailbox: Mailbox) => Promise<Usage>) {
  let nowMs = 0;
  let asked = 0;
  const store = {
    usage(mailbox: Mailbox) {
      asked += 1;
      return usage(mailbox);
    },
  };
  const inhabitants = { mailboxes: async () => ['a@kvt.dk', 'b@kvt.dk', 'c@kvt.dk'].map(mailboxNamed) };
  return {
    usages: createDomainUsages({ inhabitants, store, clock: () => nowMs }),
    asked: () => asked,
    pass(ms: number) {
      nowMs += ms;
    },
  };
}

test('it is the sum, kept for five seconds, or for one when somebody has to know', async () => {
  let each = 100;
  const { usages, asked, pass } = domain(async () => ({ octets: each, messages: 2 }));
  assert.deepEqual(await usages.of(kvt), { octets: 300, messages: 6 });
  each = 10;
  assert.deepEqual(await usages.of(kvt), { octets: 300, messages: 6 });
  assert.deepEqual(await usages.of(kvt, true), { octets: 300, messages: 6 });
  pass(1000);
  assert.deepEqual(await usages.of(kvt), { octets: 300, messages: 6 });
  assert.deepEqual(await usages.of(kvt, true), { octets: 30, messages: 6 });
  each = 1;
  pass(4999);
  assert.deepEqual(await usages.of(kvt), { octets: 30, messages: 6 });
  pass(1);
  assert.deepEqual(await usages.of(kvt), { octets: 3, messages: 6 });
  assert.equal(asked(), 9);
});

test('what comes meanwhile counts at once, also while it is being added up', async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const { usages } = domain(async () => promise.then(() => ({ octets: 100 })));
  usages.add(kvt, 7);
  const sum = usages.of(kvt);
  usages.add(kvt, 20);
  resolve();
  assert.deepEqual(await sum, { octets: 320 });
  usages.add(kvt, 3);
  assert.deepEqual(await usages.of(kvt), { octets: 323 });
});

test('a storm of questions is answered by one reading', async () => {
  const { usages, asked } = domain(async () => ({ octets: 1 }));
  await Promise.all(Array.from({ length: 1000 }, () => usages.of(kvt)));
  assert.equal(asked(), 3);
});

test('a mailbox that can not be looked at does not keep the mail of all others waiting', async () => {
  const { usages } = domain(async ({ name }) => {
    if (name === 'b@kvt.dk') throw new Fault('temporary', 'the mailbox can not be used');
    return { octets: 100, messages: 1 };
  });
  assert.deepEqual(await usages.of(kvt), { octets: 200 });
});

test('a directory that does not answer is no answer, and the next one asks again', async () => {
  let isDown = true;
  const inhabitants = {
    async mailboxes() {
      if (isDown) throw new Fault('temporary', 'accounts can not be looked up just now');
      return [];
    },
  };
  const usages = createDomainUsages({ inhabitants, store: { usage: async () => ({ octets: 1 }) }, clock: () => 0 });
  await assert.rejects(usages.of(kvt), { kind: 'temporary' });
  isDown = false;
  assert.deepEqual(await usages.of(kvt), { octets: 0, messages: 0 });
});
