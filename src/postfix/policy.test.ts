/** From SMTPD_POLICY_README and access(5). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { smallDirectory } from '../../test/support/directory.ts';
import { Fault } from '../model/fault.ts';
import { silent } from '../model/log.ts';
import type { Quota } from '../model/quota.ts';
import { noPolicyCounts } from '../model/report.ts';
import { createAddresses } from './addresses.ts';
import { speaker } from './fakes.test.ts';
import { type PolicyRules, policyDialogue } from './policy.ts';
import { cutPolicyRequest, parsePolicyRequest } from './policyRequest.ts';

const small = smallDirectory(
  { name: 'kvt.dk', users: ['abc', 'kvt', 'shut', 'mute'], closed: ['shut'], mute: ['mute'], aliases: 'both: abc, kvt\n' },
  { name: 'catch.example', users: ['postmaster'], unknownUsers: { kind: 'postmaster' } },
);
const directory = {
  ...small,
  async domain(name: Parameters<typeof small.domain>[0]) {
    if (name === 'broken.example') throw new Fault('temporary', 'accounts can not be looked up just now');
    return small.domain(name);
  },
};
const resolverOptions = { directory, recipientDelimiter: '+', defaultDomain: undefined, foldSubdomains: false };
const addresses = createAddresses(resolverOptions);
const recentLogins = { has: (address: string) => address === '192.0.2.7' };

const noRules = { permitsRecentLogins: false, checksSenders: false };
const parts = { rules: noRules, addresses, recentLogins, speaker, counts: noPolicyCounts(), log: silent };

function service(rules: Partial<PolicyRules> = {}) {
  const counts = noPolicyCounts();
  return { counts, ...policyDialogue({ ...parts, rules: { ...noRules, ...rules }, counts }) };
}

/** As Postfix 3.7 sends it. */
function request(attributes: Readonly<Record<string, string>>): Buffer {
  const all = {
    request: 'smtpd_access_policy',
    protocol_state: 'RCPT',
    protocol_name: 'ESMTP',
    client_address: '192.0.2.1',
    client_name: 'unknown',
    helo_name: 'mail.example.org',
    sender: 'ada@example.org',
    recipient: 'abc@kvt.dk',
    recipient_count: '0',
    queue_id: '',
    instance: '123.456.7',
    size: '0',
    sasl_method: '',
    sasl_username: '',
    encryption_protocol: '',
    server_port: '25',
    ...attributes,
  };
  return Buffer.from(
    Object.entries(all)
      .map(([name, value]) => `${name}=${value}\n`)
      .join(''),
  );
}

async function action(attributes: Readonly<Record<string, string>>, rules: Partial<PolicyRules> = {}): Promise<string | undefined> {
  return (await service(rules).answer(request(attributes)))?.toString();
}

test('a recipient is refused, put off or left to the next restriction as the resolver says', async () => {
  const cases: [string, string][] = [
    ['abc@kvt.dk', 'DUNNO'],
    ['ABC@KVT.DK', 'DUNNO'],
    ['abc+tag@kvt.dk', 'DUNNO'],
    ['"abc"@kvt.dk', 'DUNNO'],
    ['anything@catch.example', 'DUNNO'],
    ['nobody@kvt.dk', 'reject 5.1.1 no such user here'],
    ['../abc@kvt.dk', 'reject 5.1.1 no such user here'],
    ['shut@kvt.dk', 'reject 5.2.1 this mailbox takes no mail'],
    // Whether mail for others is taken isn't ours to say.
    ['abc@elsewhere.example', 'DUNNO'],
    ['abc@[192.0.2.1]', 'DUNNO'],
    ['abc', 'DUNNO'],
    ['', 'DUNNO'],
    ['abc@broken.example', 'defer_if_permit 4.3.0 accounts can not be looked up just now'],
  ];
  for (const [recipient, said] of cases) assert.equal(await action({ recipient }), `action=${said}\n\n`, recipient);
});

test('a full mailbox is refused or put off as the host says, where no other has room', async () => {
  const quota: Quota = {
    standings: () => assert.fail(),
    deliver: () => assert.fail(),
    async require({ mailbox }, octets) {
      if (mailbox.user === 'kvt' && octets > 1000) throw new Fault('over-quota', 'the mailbox is full');
    },
  };
  const told = async (whenFull: 'refuse' | 'defer', recipient: string, size: string) => {
    const { answer } = policyDialogue({ ...parts, limits: { quota, whenFull } });
    return (await answer(request({ recipient, size })))?.toString();
  };
  assert.equal(await told('refuse', 'kvt@kvt.dk', '1001'), 'action=reject 5.2.2 the mailbox is full\n\n');
  assert.equal(await told('defer', 'kvt@kvt.dk', '1001'), 'action=defer_if_permit 4.2.2 the mailbox is full\n\n');
  for (const size of ['1000', '0', '', '1e9', '-1']) assert.equal(await told('refuse', 'kvt@kvt.dk', size), 'action=DUNNO\n\n', size);
  assert.equal(await told('refuse', 'abc@kvt.dk', '1001'), 'action=DUNNO\n\n');
  assert.equal(await told('refuse', 'both@kvt.dk', '1001'), 'action=DUNNO\n\n');
});

test('every state gets an answer; only RCPT is about a recipient', async () => {
  for (const protocol_state of ['CONNECT', 'EHLO', 'HELO', 'MAIL', 'DATA', 'END-OF-MESSAGE', 'VRFY', 'ETRN', 'LATER', ''])
    assert.equal(await action({ protocol_state, recipient: 'nobody@kvt.dk' }), 'action=DUNNO\n\n', protocol_state);
});

test('attributes may be missing, and there may be others', async () => {
  const { answer } = service();
  const cases: [string, string | undefined][] = [
    ['request=smtpd_access_policy\n', 'action=DUNNO\n\n'],
    ['request=smtpd_access_policy\nprotocol_state=RCPT\n', 'action=DUNNO\n\n'],
    [
      'protocol_state=RCPT\nrecipient=nobody@kvt.dk\nrequest=smtpd_access_policy\nnew=a=b\nempty=\n',
      'action=reject 5.1.1 no such user here\n\n',
    ],
    ['recipient=nobody@kvt.dk\nrequest=smtpd_access_policy\n', 'action=DUNNO\n\n'],
    // What makes no sense gets no answer at all, and Postfix says "try again".
    ['', undefined],
    ['\n', undefined],
    ['protocol_state=RCPT\nrecipient=abc@kvt.dk\n', undefined],
    ['request=something_else\n', undefined],
    ['request=smtpd_access_policy', undefined],
    ['request=smtpd_access_policy\nno equals sign\n', undefined],
    ['request=smtpd_access_policy\n=x\n', undefined],
    ['request=smtpd_access_policy\nrecipient=abc@kvt.dk\nrecipient=nobody@kvt.dk\n', undefined],
  ];
  for (const [octets, said] of cases) assert.equal((await answer(Buffer.from(octets)))?.toString(), said, JSON.stringify(octets));
});

test('POP before SMTP: who has just fetched mail may send to anywhere, if that is switched on', async () => {
  const rules = { permitsRecentLogins: true };
  const cases: [Record<string, string>, string, Partial<PolicyRules>?][] = [
    [{ client_address: '192.0.2.7', recipient: 'x@elsewhere.example' }, 'permit', rules],
    [{ client_address: '192.0.2.7', recipient: 'x@elsewhere.example' }, 'DUNNO'],
    [{ client_address: '192.0.2.8', recipient: 'x@elsewhere.example' }, 'DUNNO', rules],
    [{ client_address: '', recipient: 'x@elsewhere.example' }, 'DUNNO', rules],
    // Further restrictions see to mail that comes in.
    [{ client_address: '192.0.2.7', recipient: 'abc@kvt.dk' }, 'DUNNO', rules],
    [{ client_address: '192.0.2.7', recipient: 'nobody@kvt.dk' }, 'reject 5.1.1 no such user here', rules],
    [{ client_address: '192.0.2.7', recipient: 'x@broken.example' }, 'defer_if_permit 4.3.0 accounts can not be looked up just now', rules],
    [{ client_address: '192.0.2.7', recipient: 'x@elsewhere.example', protocol_state: 'MAIL' }, 'DUNNO', rules],
    [{ client_address: '192.0.2.7', recipient: 'x@elsewhere.example', protocol_state: 'CONNECT' }, 'DUNNO', rules],
  ];
  for (const [attributes, said, on = {}] of cases)
    assert.equal(await action(attributes, on), `action=${said}\n\n`, JSON.stringify(attributes));
});

test('a sender of ours is for its owner, if that is switched on', async () => {
  const rules = { checksSenders: true };
  const stranger = 'reject 5.7.1 this sender address is for its owner, who has to log in';
  const cases: [sender: string, login: string, said: string, rules?: Partial<PolicyRules>][] = [
    ['abc@kvt.dk', '', stranger, rules],
    ['abc@kvt.dk', '', 'DUNNO', {}],
    ['abc@kvt.dk', 'abc@kvt.dk', 'DUNNO', rules],
    ['abc@kvt.dk', 'ABC@kvt.dk', 'DUNNO', rules],
    ['abc+tag@kvt.dk', 'abc@kvt.dk', 'DUNNO', rules],
    ['abc@kvt.dk', 'kvt@kvt.dk', stranger, rules],
    ['mute@kvt.dk', 'mute@kvt.dk', stranger, rules],
    ['shut@kvt.dk', 'shut@kvt.dk', 'DUNNO', rules],
    ['nobody@kvt.dk', 'abc@kvt.dk', stranger, rules],
    ['ada@example.org', '', 'DUNNO', rules],
    ['', '', 'DUNNO', rules],
    ['x@broken.example', '', 'defer_if_permit 4.3.0 accounts can not be looked up just now', rules],
  ];
  for (const [sender, sasl_username, said, on] of cases) {
    const message = `${sender} as ${sasl_username}`;
    assert.equal(await action({ protocol_state: 'MAIL', sender, sasl_username }, on), `action=${said}\n\n`, message);
    assert.equal(await action({ protocol_state: 'RCPT', sender, sasl_username }, on), `action=${said}\n\n`, message);
    assert.equal(await action({ protocol_state: 'EHLO', sender, sasl_username }, on), 'action=DUNNO\n\n', message);
  }
});

test('answers are counted by what they say', async () => {
  const { answer, counts } = service({ permitsRecentLogins: true });
  for (const recipient of ['abc@kvt.dk', 'nobody@kvt.dk', 'x@elsewhere.example', 'x@broken.example'])
    await answer(request({ recipient, client_address: '192.0.2.7' }));
  assert.deepEqual(counts, { neutral: 1, permitted: 1, rejected: 1, deferred: 1 });
});

test('an empty line ends a request', () => {
  const cut = (text: string, lookedAt = 0) => {
    const found = cutPolicyRequest(Buffer.from(text), lookedAt);
    return found.kind === 'whole' ? [found.request.toString(), found.end] : found.kind;
  };
  assert.deepEqual(cut('a=b\nc=d\n\nnext'), ['a=b\nc=d\n', 9]);
  assert.deepEqual(cut('\nnext'), ['', 1]);
  assert.deepEqual(cut('a=b\n'), 'part');
  assert.deepEqual(cut('a=b\n\n', 4), ['a=b\n', 5]);
  assert.deepEqual(cut(''), 'part');
  assert.deepEqual(cut(`${'x'.repeat(65_535)}\n\n`), [`${'x'.repeat(65_535)}\n`, 65_537]);
  assert.deepEqual(cut(`${'x'.repeat(65_536)}\n\n`), 'malformed');
  assert.deepEqual(cut('x'.repeat(65_536)), 'part');
  assert.deepEqual(cut('x'.repeat(65_537)), 'malformed');
});

test('whatever comes: no answer, or one action that permits nothing', async () => {
  const { answer } = service({ permitsRecentLogins: true, checksSenders: true });
  const value = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom('RCPT', 'MAIL', 'smtpd_access_policy', 'abc@kvt.dk', 'x@elsewhere.example'),
  );
  const name = fc.oneof(
    fc.string(),
    fc.constantFrom('request', 'protocol_state', 'sender', 'recipient', 'client_address', 'sasl_username'),
  );
  const lines = fc.array(fc.tuple(name, value).map(([left, right]) => `${left}=${right}\n`)).map((all) => Buffer.from(all.join('')));
  const likely = fc.array(fc.tuple(name, value)).map((all) => request({ ...Object.fromEntries(all), request: 'smtpd_access_policy' }));
  const octets = fc.uint8Array().map((all) => Buffer.from(all));
  await fc.assert(
    fc.asyncProperty(fc.oneof(octets, lines, likely), async (input) => {
      const cut = cutPolicyRequest(input, 0);
      if (cut.kind === 'whole') assert.ok(cut.end <= input.length);
      assert.match(
        (await answer(input))?.toString() ?? '',
        /^(?:|action=DUNNO\n\n|action=(?:reject 5|defer_if_permit 4)\.\d\.\d [\w ,]+\n\n)$/,
      );
      for (const key of parsePolicyRequest(input)?.keys() ?? []) assert.doesNotMatch(key, /[=\n]/);
    }),
  );
});
