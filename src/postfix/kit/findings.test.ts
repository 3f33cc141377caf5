import assert from 'node:assert/strict';
import { test } from 'node:test';
import { debianServices, installation, kvt, question } from './fakes.test.ts';
import { compiledTables, type Facts, findings } from './findings.ts';
import type { Question } from './question.ts';

const limits = { message_size_limit: '10240000', virtual_mailbox_limit: '0', mailbox_size_limit: '0' };

function facts(more: Partial<Facts> = {}): Facts {
  return {
    question: question({ installation: installation(limits) }),
    changes: 0,
    held: [],
    conflicts: [],
    sockets: [],
    files: [],
    tables: [],
    maxMessageOctets: 104_857_600,
    ...more,
  };
}

/** A Postfix with these settings and domains of this style. */
function found(main: Record<string, string>, more: Partial<Question> = {}): string[] {
  const asked = question({ installation: installation({ ...limits, ...main }), ...more });
  return findings(facts({ question: asked })).map(({ text }) => text);
}

test('nothing is wrong where nothing is', () => {
  assert.deepEqual(findings(facts()), []);
});

test('settings that disagree with ours', () => {
  const jth = { domains: [kvt({ style: 'jth' })] };
  const right = { home_mailbox: 'Mail/mailbox', command_time_limit: '1000s' };
  const table: [Record<string, string>, Partial<Question>, string | undefined][] = [
    [
      { recipient_delimiter: '-' },
      {},
      'recipient_delimiter is {value} in Postfix and {own} in our settings (delivery.recipient_delimiter): make them the same',
    ],
    [{ recipient_delimiter: '+-' }, {}, undefined],
    [right, jth, undefined],
    [
      { ...right, home_mailbox: 'Maildir/' },
      jth,
      'home_mailbox is {value} in Postfix and {own} in our settings (mailboxes.home): mail for users of the host is not looked for where it lies',
    ],
    [
      { ...right, command_time_limit: '300s' },
      jth,
      'command_time_limit is {value}: leave it above 660s, or Postfix returns mail that would only have had to wait',
    ],
    [{ ...right, allow_mail_to_files: 'alias' }, jth, '{setting} lacks forward: .forward files can not do what they say'],
    [{ ...right, mailbox_size_limit: '51200000' }, jth, '{setting} is {value}: a larger mbox gets no more mail; 0 is no limit'],
    [
      { virtual_mailbox_limit: '51200000' },
      { domains: [kvt({ style: 'virtual' })] },
      '{setting} is {value}: a larger mbox gets no more mail; 0 is no limit',
    ],
    [
      { message_size_limit: '0' },
      {},
      'message_size_limit is {value} in Postfix and delivery.max_message_octets {own}: what is larger is taken, and then returned to its sender',
    ],
    [
      { smtpd_recipient_restrictions: 'reject_unverified_recipient', virtual_mailbox_maps: 'hash:/x' },
      {},
      '{setting} has reject_unverified_recipient: with virtual_mailbox_maps it is not needed, and keeps a new user waiting for hours',
    ],
    [{ smtpd_recipient_restrictions: 'reject_unverified_recipient' }, {}, undefined],
  ];
  for (const [main, more, expected] of table)
    assert.deepEqual(found(main, more), expected === undefined ? [] : [expected], JSON.stringify(main));
});

test('types that this Postfix does not have', () => {
  const said = (main: Record<string, string>) =>
    findings(facts({ question: question({ installation: installation({ ...limits, ...main }) }) })).map(({ values }) => values);
  assert.deepEqual(said({ canonical_maps: 'lmdb:/x, proxy:mysql:/y hash:/z' }), [
    { setting: 'canonical_maps', type: 'lmdb' },
    { setting: 'canonical_maps', type: 'mysql' },
  ]);
  assert.deepEqual(said({ default_transport: 'smtp:example.org', virtual_transport: 'lmtp:unix:private/x', content_filter: 'unix:x' }), []);
});

test('a socket that is named as it looks from outside a chroot', () => {
  const text = '{setting} names {socket}, which {command} can not see from its chroot {folder}: postkasse postfix plan says it otherwise';
  const listeners = {
    lmtp: { kind: 'unix', path: '/run/postkasse/lmtp' },
    socketmap: { kind: 'unix', path: '/run/postkasse/lookups' },
    policy: { kind: 'unix', path: '/run/postkasse/policy' },
    sasl: { kind: 'unix', path: '/var/spool/postfix/private/sasl' },
  } as const;
  const table: [Record<string, string>, string[]][] = [
    [{ virtual_transport: 'lmtp:unix:/run/postkasse/lmtp' }, [text]],
    [{ virtual_transport: 'postkasse:unix:/run/postkasse/lmtp' }, []],
    [{ virtual_mailbox_maps: 'socketmap:unix:/run/postkasse/lookups:mailboxes' }, [text]],
    [{ virtual_mailbox_maps: 'proxy:socketmap:unix:/run/postkasse/lookups:mailboxes' }, []],
    [{ smtpd_recipient_restrictions: 'check_policy_service unix:/run/postkasse/policy' }, [text]],
    [{ smtpd_sasl_path: '/run/postkasse/policy' }, [text]],
    [{ smtpd_sasl_path: 'private/sasl' }, []],
    [{ virtual_transport: 'lmtp:unix:/run/postkasse/lmtp-of-another' }, []],
  ];
  for (const [main, expected] of table) assert.deepEqual(found(main, { listeners }), expected, JSON.stringify(main));
  const unjailed = installation({ ...limits, virtual_transport: 'lmtp:unix:/run/postkasse/lmtp' }, debianServices.replaceAll(' y ', ' n '));
  assert.deepEqual(findings(facts({ question: question({ installation: unjailed, listeners }) })), []);
});

test('what was looked up is put in words', () => {
  const said = findings(
    facts({
      changes: 3,
      held: [{ path: '/a', why: 'edited' }],
      sockets: [
        { socket: '/s', problem: undefined, detail: '' },
        { socket: '/s', problem: 'nobody', detail: 'ENOENT' },
        { socket: '/s', problem: 'denied', detail: 'EACCES' },
      ],
      tables: [
        { table: 'hash:/t', setting: 'transport_maps', problem: 'missing' },
        { table: 'hash:/t', setting: 'transport_maps', problem: 'older' },
      ],
      files: [{ path: '/f', problem: 'writable', uid: 1, wanted: 2 }],
    }),
  );
  assert.deepEqual(
    said.map(({ text }) => text),
    [
      '{path} was changed since it was written; --force replaces it',
      '{count} files are not as they should be: look at postkasse postfix plan',
      '{setting} names {table}, which postmap has not been run on: run postmap {table}',
      '{setting} names {table}, whose source has changed since: run postmap {table}',
      'nobody listens at {socket} ({detail}): is Postkasse running, with these settings?',
      "Postfix' user may not connect to {socket} ({detail}): see to the modes of the socket and of the folders above it",
      '{path} can be written by others: take that away (chmod go-w)',
    ],
  );
  assert.deepEqual(said[1]?.values, { count: 2 });
});

test('tables that postmap makes another file of', () => {
  const main = {
    virtual_alias_maps: 'hash:/etc/postfix/virtual, regexp:/x, proxy:btree:/y',
    alias_maps: 'hash:/etc/aliases',
    smtp_tls_session_cache_database: 'btree:/var/lib/postfix/smtp_scache',
  };
  assert.deepEqual(
    compiledTables(installation(main)).map(({ table }) => table),
    ['hash:/etc/postfix/virtual', 'btree:/y'],
  );
});
