import assert from 'node:assert/strict';
import { test } from 'node:test';
import { smallDirectory } from '../../test/support/directory.ts';
import { createResolver } from '../delivery/resolver.ts';
import { Undeliverable } from '../delivery/undeliverable.ts';
import { ownDomainsOnly } from './ownDomains.ts';

test('mail for what is not of this user waits, and never goes back', async () => {
  const whole = smallDirectory(
    { name: 'kvt.dk', users: ['abc'], aliases: 'out: ada@example.org\nother: lene@lene.example\n' },
    { name: 'lene.example', users: ['lene'] },
  );
  const directory = ownDomainsOnly(whole, (domain) => domain !== 'lene.example');
  const options = { directory, recipientDelimiter: '+', defaultDomain: undefined, foldSubdomains: false };
  const cases: [string, string][] = [
    ['abc@kvt.dk', 'deliver'],
    ['nobody@kvt.dk', 'refuse 5.1.1'],
    ['lene@lene.example', 'defer temporary'],
    ['nobody@lene.example', 'defer temporary'],
    ['ada@example.org', 'defer temporary'],
    ['out@kvt.dk', 'defer temporary'],
    ['other@kvt.dk', 'defer temporary'],
    // Whether it is folded is said by who asks: below a domain of ours there is none.
    ['abc@z.kvt.dk', 'refuse 5.7.1'],
    ['lene@z.lene.example', 'defer temporary'],
    ['no address', 'refuse 5.1.3'],
  ];
  for (const [recipient, expected] of cases) {
    const resolution = await createResolver(options).resolve(recipient);
    const why =
      resolution.outcome === 'deliver' ? '' : resolution.fault instanceof Undeliverable ? resolution.fault.status : resolution.fault.kind;
    assert.equal(`${resolution.outcome} ${why}`.trim(), expected, recipient);
  }
  const folding = await createResolver({ ...options, foldSubdomains: true }).resolve('abc@z.kvt.dk');
  assert.equal(folding.outcome, 'deliver');
});
