import assert from 'node:assert/strict';
import { test } from 'node:test';
import { serviceChanges, settingChanges } from './changes.ts';
import { debianServices, installation } from './fakes.test.ts';
import { type Needs, noNeeds } from './needs.ts';

const domains: Needs = { ...noNeeds, lists: [{ name: 'virtual_mailbox_domains', word: 'hash:/etc/postfix/postkasse/domains' }] };
const uids: Needs = { ...noNeeds, lists: [{ name: 'virtual_uid_maps', word: 'hash:/etc/postfix/postkasse/uids' }] };

/** `undefined` among the values: not set. */
function after(main: Record<string, string>, needs: Needs): Record<string, string | undefined> {
  return Object.fromEntries(settingChanges(installation(main), needs).map((change) => [change.name, change.after]));
}

test('a list is extended, and what is there is kept as it was written', () => {
  const ours = 'hash:/etc/postfix/postkasse/domains';
  const table: [Record<string, string>, Record<string, string | undefined>][] = [
    [{}, { virtual_mailbox_domains: ours }],
    [{ virtual_mailbox_domains: '' }, { virtual_mailbox_domains: ours }],
    [{ virtual_mailbox_domains: 'a.example  b.example' }, { virtual_mailbox_domains: `a.example  b.example, ${ours}` }],
    [{ virtual_mailbox_domains: 'a.example,' }, { virtual_mailbox_domains: `a.example, ${ours}` }],
    [{ virtual_mailbox_domains: `${ours}, b.example` }, {}],
    // Postfix's own default goes on where it meant something.
    [{ virtual_mailbox_maps: 'hash:/etc/postfix/vmaps' }, { virtual_mailbox_domains: `$virtual_mailbox_maps, ${ours}` }],
    // What nobody needs any more.
    [{ virtual_mailbox_domains: `b.example, ${ours}, hash:/etc/postfix/postkasse/old` }, { virtual_mailbox_domains: `b.example, ${ours}` }],
    [{ virtual_mailbox_domains: ours, transport_maps: 'hash:/etc/postfix/postkasse/transport' }, { transport_maps: undefined }],
  ];
  for (const [main, expected] of table) assert.deepEqual(after(main, domains), expected, JSON.stringify(main));
});

test('a map that answers everything comes last', () => {
  const ours = 'hash:/etc/postfix/postkasse/uids';
  assert.deepEqual(after({ virtual_uid_maps: 'static:5000' }, uids), { virtual_uid_maps: `${ours}, static:5000` });
  assert.deepEqual(after({ virtual_uid_maps: `${ours}, static:5000` }, uids), {});
});

test('a value stands where somebody has set one, unless it has to be so', () => {
  const value = (when: 'always' | 'unset'): Needs => ({ ...noNeeds, values: [{ name: 'home_mailbox', value: 'Mail/mailbox', when }] });
  assert.deepEqual(after({}, value('unset')), { home_mailbox: 'Mail/mailbox' });
  assert.deepEqual(after({ home_mailbox: 'Maildir/' }, value('unset')), {});
  assert.deepEqual(after({ home_mailbox: 'Maildir/' }, value('always')), { home_mailbox: 'Mail/mailbox' });
  assert.deepEqual(after({ home_mailbox: 'Mail/mailbox' }, value('always')), {});
});

test('a restriction goes in front of what would end the list', () => {
  const words = 'check_client_access socketmap:unix:x:recent-logins';
  const needs = (name: string): Needs => ({ ...noNeeds, restrictions: [{ name, words, before: ['defer_unauth_destination', 'reject'] }] });
  const table: [string, Record<string, string>, string | undefined][] = [
    ['smtpd_relay_restrictions', {}, `permit_mynetworks, permit_sasl_authenticated, ${words}, defer_unauth_destination`],
    [
      'smtpd_relay_restrictions',
      { smtpd_relay_restrictions: 'permit_mynetworks defer_unauth_destination' },
      `permit_mynetworks ${words}, defer_unauth_destination`,
    ],
    ['smtpd_recipient_restrictions', {}, words],
    [
      'smtpd_recipient_restrictions',
      { smtpd_recipient_restrictions: 'reject_unknown_sender_domain' },
      `reject_unknown_sender_domain, ${words}`,
    ],
    ['smtpd_recipient_restrictions', { smtpd_recipient_restrictions: `${words}, permit` }, undefined],
  ];
  for (const [name, main, expected] of table) assert.equal(after(main, needs(name))[name], expected);
});

test('our own virtual_transport goes when it is not needed, and no other does', () => {
  assert.deepEqual(after({ virtual_transport: 'postkasse:unix:/run/postkasse/lmtp' }, noNeeds), { virtual_transport: undefined });
  assert.deepEqual(after({ virtual_transport: 'lmtp:unix:private/dovecot-lmtp' }, noNeeds), {});
});

test('proxy_read_maps is extended where somebody has listed what may be read', () => {
  const needs: Needs = { ...noNeeds, lists: [{ name: 'virtual_mailbox_maps', word: 'proxy:socketmap:unix:/run/x:mailboxes' }] };
  assert.equal(after({}, needs).proxy_read_maps, undefined);
  assert.equal(after({ proxy_read_maps: '$alias_maps' }, needs).proxy_read_maps, '$alias_maps, $virtual_mailbox_maps');
  assert.equal(after({ proxy_read_maps: '$virtual_mailbox_maps' }, needs).proxy_read_maps, undefined);
});

test('a service is added where it is not there as it should be', () => {
  const line = 'postkasse unix - - n - - lmtp';
  const needs: Needs = { ...noNeeds, services: [line] };
  assert.deepEqual(serviceChanges(installation({}), needs), [line]);
  assert.deepEqual(serviceChanges(installation({}, `${debianServices}${line}\n`), needs), []);
  assert.deepEqual(serviceChanges(installation({}, `${debianServices}postkasse unix - - y - - lmtp\n`), needs), [line]);
});
