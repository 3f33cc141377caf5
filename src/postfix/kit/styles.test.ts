/** What each style asks of an untouched Postfix, and of some that aren't. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { needsOf } from './allNeeds.ts';
import { settingChanges } from './changes.ts';
import { account, debianServices, installation, kvt, question } from './fakes.test.ts';
import { forwardName } from './jthStyle.ts';
import { nothingExisting, type Question } from './question.ts';

function settings(asked: Question): Record<string, string | undefined> {
  return Object.fromEntries(settingChanges(asked.installation, needsOf(asked, [])).map(({ name, after }) => [name, after]));
}

/** Lines of a map, without the two on top. */
function map(asked: Question, name: string): string[] | undefined {
  const text = needsOf(asked, []).maps.find((one) => one.name === name)?.text;
  return text?.trimEnd().split('\n').slice(2);
}

/** The `.forward` files, name and what they say. */
function forwards(asked: Question): Record<string, string | undefined> {
  return Object.fromEntries(
    needsOf(asked, []).forwards.map(({ path, text }) => [path.replace('/home/kvt_dk/', ''), text.trimEnd().split('\n')[1]]),
  );
}

function conflicts(asked: Question): string[] {
  return needsOf(asked, []).conflicts.map(({ text }) => text);
}

const other = kvt({ name: 'other.example', owner: { uid: 8, gid: 8, name: 'mail', home: '/var/mail' }, accounts: [account('x')] });
const inPostfix = '/etc/postfix/postkasse';

test('lmtp: recipients from files, mail to a service of its own where lmtp is shut in', () => {
  const asked = question({ domains: [kvt(), other] });
  assert.deepEqual(settings(asked), {
    // Tables know `abc`, and mail comes for `abc+tag`, too.
    recipient_delimiter: '+',
    virtual_mailbox_domains: `hash:${inPostfix}/domains`,
    virtual_mailbox_maps: `hash:${inPostfix}/mailboxes`,
    virtual_transport: 'postkasse:unix:/run/postkasse/lmtp',
  });
  assert.deepEqual(map(asked, 'domains'), ['kvt.dk lmtp', 'other.example lmtp']);
  assert.deepEqual(map(asked, 'mailboxes'), ['abc@kvt.dk lmtp', 'kvt@kvt.dk lmtp', 'x@other.example lmtp']);
  assert.deepEqual(needsOf(asked, []).services, ['postkasse unix - - n - - lmtp']);
});

test('lmtp: no service of its own where lmtp can reach the socket', () => {
  const unjailed = installation({}, debianServices.replace('lmtp unix - - y', 'lmtp unix - - n'));
  const table: [Question, string][] = [
    [question({ installation: unjailed }), 'lmtp:unix:/run/postkasse/lmtp'],
    [
      question({ listeners: { ...question().listeners, lmtp: { kind: 'unix', path: '/var/spool/postfix/postkasse/lmtp' } } }),
      'lmtp:unix:postkasse/lmtp',
    ],
    [question({ listeners: { ...question().listeners, lmtp: { kind: 'tcp', host: '0.0.0.0', port: 1024 } } }), 'lmtp:inet:127.0.0.1:1024'],
    [question({ listeners: { ...question().listeners, lmtp: { kind: 'tcp', host: '::1', port: 1024 } } }), 'lmtp:inet:[::1]:1024'],
  ];
  for (const [asked, transport] of table) {
    assert.equal(settings(asked).virtual_transport, transport);
    assert.deepEqual(needsOf(asked, []).services, []);
  }
});

test('lmtp: recipients from the look-up socket, through proxymap where smtpd is shut in', () => {
  const listeners = { ...question().listeners, socketmap: { kind: 'unix', path: '/run/postkasse/lookups' } as const };
  assert.equal(settings(question({ listeners })).virtual_mailbox_maps, 'proxy:socketmap:unix:/run/postkasse/lookups:mailboxes');
  const unjailed = installation({}, debianServices.replaceAll(' y ', ' n '));
  assert.equal(
    settings(question({ listeners, installation: unjailed })).virtual_mailbox_maps,
    'socketmap:unix:/run/postkasse/lookups:mailboxes',
  );
  // Postfix goes on with all other mail while we are stopped: the domains are in a file.
  assert.equal(settings(question({ listeners })).virtual_mailbox_domains, `hash:${inPostfix}/domains`);
  // virtual(8) would take any answer for a path.
  const mixed = question({ listeners, domains: [kvt(), kvt({ ...other, style: 'virtual' })] });
  assert.equal(settings(mixed).virtual_mailbox_maps, `hash:${inPostfix}/mailboxes`);
});

test('lmtp: mailbox domains of the administrator keep their transport', () => {
  const asked = question({ installation: installation({ virtual_mailbox_domains: 'theirs.example', virtual_mailbox_maps: 'hash:/x' }) });
  assert.deepEqual(settings(asked), {
    recipient_delimiter: '+',
    transport_maps: `hash:${inPostfix}/transport`,
    virtual_mailbox_domains: `theirs.example, hash:${inPostfix}/domains`,
    virtual_mailbox_maps: `hash:/x, hash:${inPostfix}/mailboxes`,
  });
  assert.deepEqual(map(asked, 'transport'), ['kvt.dk postkasse:unix:/run/postkasse/lmtp']);
});

test('lmtp: a set-up by hand that is right is left alone', () => {
  const asked = question({
    installation: installation(
      { virtual_mailbox_domains: 'kvt.dk', recipient_delimiter: '+', virtual_transport: 'lmtp:unix:/run/postkasse/lmtp' },
      debianServices.replace('lmtp unix - - y', 'lmtp unix - - n'),
    ),
    existing: { ...nothingExisting, mailboxDomains: new Set(['kvt.dk']) },
  });
  assert.deepEqual(settings(asked), { virtual_mailbox_maps: `hash:${inPostfix}/mailboxes` });
});

test('lmtp: aliases, patterns, catch-all and folded subdomains are recipients, who takes no mail is not', () => {
  const rich = kvt({
    accounts: [account('abc'), account('closed', { receives: false })],
    aliases: [{ name: 'info', targets: ['abc@kvt.dk'] }],
    patterns: [{ name: 'sales-*', targets: ['abc@kvt.dk'] }],
    foldsSubdomains: true,
  });
  const asked = question({ domains: [rich, kvt({ name: 'all.example', unknownUsers: 'postmaster@all.example', accounts: [] })] });
  assert.deepEqual(map(asked, 'mailboxes'), ['@all.example lmtp', 'abc@kvt.dk lmtp', 'info@kvt.dk lmtp']);
  assert.deepEqual(map(asked, 'mailboxes_regexp'), ['/^sales-[^@]*@kvt\\.dk$/ lmtp', '/^[^@]+@.+\\.kvt\\.dk$/ lmtp']);
  assert.deepEqual(map(asked, 'domains_regexp'), ['/^[^@]+\\.kvt\\.dk$/ lmtp']);
});

test('virtual: paths below /, a slash for a Maildir, whose each is, and forwards', () => {
  const asked = question({
    domains: [
      kvt({
        style: 'virtual',
        accounts: [
          account('abc', { uid: 8, gid: 8 }),
          account('kvt', { path: '/home/kvt_dk/Mail/mailbox' }),
          account('dir', { format: 'maildir', forward: ['x@example.net'] }),
          account('gone', { forward: ['y@example.net'], keepsCopy: false }),
        ],
        aliases: [{ name: 'two', targets: ['abc@kvt.dk', 'x@example.net'] }],
      }),
    ],
  });
  assert.deepEqual(settings(asked), {
    recipient_delimiter: '+',
    virtual_alias_maps: `hash:${inPostfix}/aliases`,
    virtual_gid_maps: `hash:${inPostfix}/gids`,
    virtual_mailbox_base: '/',
    virtual_mailbox_domains: `hash:${inPostfix}/domains`,
    virtual_mailbox_limit: '0',
    virtual_mailbox_maps: `hash:${inPostfix}/mailboxes`,
    virtual_minimum_uid: '8',
    virtual_uid_maps: `hash:${inPostfix}/uids`,
  });
  assert.deepEqual(map(asked, 'mailboxes'), [
    'abc@kvt.dk var/spool/virtual/kvt.dk/abc',
    'dir@kvt.dk var/spool/virtual/kvt.dk/dir/',
    'gone@kvt.dk var/spool/virtual/kvt.dk/gone',
    'kvt@kvt.dk home/kvt_dk/Mail/mailbox',
  ]);
  assert.deepEqual(map(asked, 'uids'), ['abc@kvt.dk 8', 'dir@kvt.dk 601', 'gone@kvt.dk 601', 'kvt@kvt.dk 601']);
  assert.deepEqual(map(asked, 'aliases'), [
    'dir@kvt.dk dir@kvt.dk, x@example.net',
    'gone@kvt.dk y@example.net',
    'two@kvt.dk abc@kvt.dk, x@example.net',
  ]);
});

test('virtual: a catch-all leaves the mailboxes their mail', () => {
  const asked = question({ domains: [kvt({ style: 'virtual', unknownUsers: 'kvt@kvt.dk' })] });
  assert.deepEqual(map(asked, 'aliases'), ['@kvt.dk kvt@kvt.dk', 'abc@kvt.dk abc@kvt.dk', 'kvt@kvt.dk kvt@kvt.dk']);
});

test('virtual: a base of the administrator is used where all is below it', () => {
  const domains = [kvt({ style: 'virtual', accounts: [account('abc')] })];
  const below = question({ domains, installation: installation({ virtual_mailbox_base: '/var/spool/' }) });
  assert.deepEqual(map(below, 'mailboxes'), ['abc@kvt.dk virtual/kvt.dk/abc']);
  const elsewhere = question({ domains, installation: installation({ virtual_mailbox_base: '/var/vmail' }) });
  assert.deepEqual(conflicts(elsewhere), ['virtual_mailbox_base is {base}, and mailboxes of ours are elsewhere']);
});

test('jth: as the predecessor made it (A56-A66)', () => {
  const asked = question({ domains: [kvt({ style: 'jth' })] });
  assert.deepEqual(settings(asked), {
    allow_mail_to_commands: 'forward',
    allow_mail_to_files: 'forward',
    home_mailbox: 'Mail/mailbox',
    mailbox_size_limit: '0',
    recipient_delimiter: '+',
    virtual_alias_maps: `hash:${inPostfix}/virtual, regexp:${inPostfix}/virtual_regexp`,
  });
  assert.deepEqual(map(asked, 'virtual'), ['kvt.dk anything', 'postmaster@kvt.dk postmaster']);
  assert.deepEqual(map(asked, 'virtual_regexp'), [
    '/^([^+]+)\\+.*@(.+\\.)?(kvt\\.dk)$/ kvt_dk+$1--$2$3',
    '/^(.+)@(.+\\.)?(kvt\\.dk)$/ kvt_dk+$1--$2$3',
    '/^[^@]+\\.kvt\\.dk$/ anything',
  ]);
  assert.deepEqual(forwards(asked), {
    '.forward': '|"exit 67"',
    '.forward+abc--kvt.dk': '"|/usr/bin/postkasse deliver"',
    '.forward+kvt--kvt.dk': '/home/kvt_dk/Mail/mailbox',
  });
});

test('jth: what a host has already is not asked for', () => {
  const asked = question({
    domains: [kvt({ style: 'jth' })],
    installation: installation({
      recipient_delimiter: '+',
      home_mailbox: 'Mail/mailbox',
      mailbox_size_limit: '0',
      allow_mail_to_commands: 'forward',
      allow_mail_to_files: 'forward',
      virtual_alias_maps: 'hash:/etc/postfix/virtual, regexp:/etc/postfix/virtual_regexp',
    }),
    existing: {
      ...nothingExisting,
      aliasDomains: new Set(['kvt.dk']),
      aliases: new Map([
        ['postmaster@kvt.dk', 'postmaster'],
        ['postkasse-probe@kvt.dk', 'kvt_dk+postkasse-probe--kvt.dk'],
      ]),
    },
  });
  assert.deepEqual(settings(asked), {});
  assert.deepEqual(needsOf(asked, []).maps, []);
});

test('jth: aliases of the host that run commands go on', () => {
  const asked = question({ domains: [kvt({ style: 'jth' })], existing: { ...nothingExisting, aliasesRunCommands: true } });
  assert.equal('allow_mail_to_commands' in settings(asked), false);
  const closed = question({ domains: [kvt({ style: 'jth' })], installation: installation({ allow_mail_to_commands: 'alias' }) });
  assert.equal(settings(closed).allow_mail_to_commands, 'alias, forward');
});

test("jth: names of the host below a domain, and other domains, are none of the owner's", () => {
  const asked = question({
    domains: [kvt({ style: 'jth' }), kvt({ name: 'z.kvt.dk', style: 'lmtp' })],
    installation: installation({ myhostname: 'mail.kvt.dk', mydestination: '$myhostname, localhost' }),
  });
  assert.deepEqual(map(asked, 'virtual_regexp'), [
    'if !/^(.+@)?(mail\\.kvt\\.dk|z\\.kvt\\.dk)$/',
    '/^([^+]+)\\+.*@(.+\\.)?(kvt\\.dk)$/ kvt_dk+$1--$2$3@localhost',
    '/^(.+)@(.+\\.)?(kvt\\.dk)$/ kvt_dk+$1--$2$3@localhost',
    '/^[^@]+\\.kvt\\.dk$/ anything',
    'endif',
  ]);
  assert.deepEqual(map(asked, 'virtual'), ['kvt.dk anything', 'postmaster@kvt.dk postmaster@localhost']);
});

test('jth: deeper domains first, owners apart (A66)', () => {
  const owner = { uid: 8, gid: 8, name: 'lene', home: '/home/lene' };
  const asked = question({
    recipientDelimiter: '',
    domains: [kvt({ style: 'jth' }), kvt({ name: 'a.kvt.dk', style: 'jth', owner, accounts: [] })],
  });
  assert.deepEqual(
    map(asked, 'virtual_regexp')?.filter((line) => !line.endsWith('anything')),
    ['/^(.+)@(.+\\.)?(a\\.kvt\\.dk)$/ lene+$1--$2$3', '/^(.+)@(.+\\.)?(kvt\\.dk)$/ kvt_dk+$1--$2$3'],
  );
});

test('jth: whoever does more than rest mail, and whose name local(8) would write otherwise, goes through deliver', () => {
  const home = { path: '/home/kvt_dk/Mail/mailbox' };
  const piped = '"|/usr/bin/postkasse deliver"';
  const contents: [Partial<Parameters<typeof account>[1]> & { user?: string }, string][] = [
    [{}, '/home/kvt_dk/Mail/mailbox'],
    [{ format: 'maildir' }, piped],
    [{ hasRules: true }, piped],
    [{ forward: ['x@example.net'] }, piped],
    [{ receives: false }, piped],
    [{ uid: 602 }, piped],
    [{ path: '/var/spool/virtual/kvt.dk/a' }, piped],
    [{ user: 'a_b' }, piped],
  ];
  for (const [more, expected] of contents) {
    const asked = question({ domains: [kvt({ style: 'jth', accounts: [account('a', { ...home, ...more })] })] });
    assert.equal(forwards(asked)[forwardName(more.user ?? 'a', 'kvt.dk')], expected, JSON.stringify(more));
  }
  assert.equal(forwardName('a*b', 'kvt.dk'), '.forward+a_b--kvt.dk');
});

test('jth: .forward asks us where unknown users may be somebody', () => {
  for (const more of [
    { unknownUsers: 'postmaster@kvt.dk' },
    { patterns: [{ name: 's-*', targets: ['x@y.example'] }] },
    { aliasOf: 'other.example' },
  ])
    assert.equal(forwards(question({ domains: [kvt({ style: 'jth', ...more })] }))['.forward'], '"|/usr/bin/postkasse deliver"');
});

test('jth-lmtp: an inner domain leads to our LMTP socket, which is asked about the address that was written to', () => {
  const asked = question({ domains: [kvt({ style: 'jth-lmtp' })] });
  assert.equal(forwards(asked)['.forward+abc--kvt.dk'], 'abc--kvt.dk@postkasse.invalid');
  assert.equal(settings(asked).transport_maps, `hash:${inPostfix}/transport`);
  assert.equal(settings(asked).virtual_transport, undefined);
  assert.deepEqual(map(asked, 'transport'), ['postkasse.invalid postkasse:unix:/run/postkasse/lmtp']);
  assert.deepEqual(map(asked, 'inner_regexp'), ['/^(.+)--([^@]+)@postkasse\\.invalid$/ $1@$2']);
  assert.deepEqual(needsOf(asked, []).services, [`postkasse unix - - n - - lmtp -o lmtp_generic_maps=regexp:${inPostfix}/inner_regexp`]);
});

test('the three styles on one host', () => {
  const virtual = kvt({ ...other, style: 'virtual' });
  const asked = question({ domains: [kvt({ style: 'jth' }), virtual, kvt({ name: 'l.example', accounts: [account('l')] })] });
  assert.deepEqual(map(asked, 'domains'), ['l.example lmtp', 'other.example virtual']);
  assert.deepEqual(map(asked, 'mailboxes'), ['l@l.example lmtp', 'x@other.example var/spool/virtual/kvt.dk/x']);
  assert.deepEqual(map(asked, 'transport'), ['l.example postkasse:unix:/run/postkasse/lmtp']);
  assert.equal(settings(asked).virtual_transport, undefined);
});

test('what stands in the way is said, and not worked around', () => {
  const root = { uid: 0, gid: 0, name: 'root', home: '/root' };
  const table: [Question, string][] = [
    [
      question({ existing: { ...nothingExisting, destinations: new Set(['kvt.dk']) } }),
      '{domain} stands in mydestination, too: take it out there',
    ],
    [
      question({ existing: { ...nothingExisting, relayDomains: new Set(['kvt.dk']) } }),
      '{domain} stands in relay_domains, too: take it out there',
    ],
    [
      question({ domains: [kvt({ style: 'jth' })], existing: { ...nothingExisting, mailboxDomains: new Set(['kvt.dk']) } }),
      '{domain} stands in virtual_mailbox_domains, and style {style} needs it out of there',
    ],
    [
      question({ existing: { ...nothingExisting, aliasDomains: new Set(['kvt.dk']) } }),
      '{domain} is a virtual alias domain, and style {style} needs it not to be one',
    ],
    [question({ listeners: { ...question().listeners, lmtp: undefined } }), 'the settings have no listener with protocol = "lmtp"'],
    [
      question({ domains: [kvt({ style: 'jth' })], installation: installation({ recipient_delimiter: '-' }) }),
      'recipient_delimiter is {value}, and style jth needs +',
    ],
    [
      question({ domains: [kvt({ style: 'jth' })], installation: installation({ forward_path: '' }) }),
      'forward_path is {value}, and style jth needs the default',
    ],
    [question({ domains: [kvt({ style: 'jth', owner: root })] }), '{domain} belongs to root, and style jth needs a user of the host'],
    [
      question({ domains: [kvt({ style: 'jth', owner: { ...root, uid: 601, name: undefined } })] }),
      '{domain} belongs to uid {uid}, who has no home of the own on the host; style jth needs one',
    ],
    [
      question({ domains: [kvt({ style: 'jth' })], types: { indexed: 'hash', pattern: undefined } }),
      'this Postfix has neither regexp nor pcre tables',
    ],
  ];
  for (const [asked, expected] of table) assert.deepEqual(conflicts(asked), [expected]);
});
