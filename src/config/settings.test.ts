import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatProblem } from './problem.ts';
import { loadSettings, parseSettings, type Settings } from './settings.ts';
import { describeTable, showSettings } from './show.ts';

const exampleFile = new URL('../../examples/postkasse.toml', import.meta.url).pathname;
const example = readFileSync(exampleFile);

function accepted(file: string, toml: string): Settings {
  const { settings, errors } = parseSettings(file, Buffer.from(toml));
  assert.deepEqual(errors, undefined);
  return settings as Settings;
}

function complaints(toml: string | Uint8Array): string[] {
  const { errors = [] } = parseSettings('/etc/pk/pk.toml', Buffer.from(toml));
  return errors.map((problem) => formatProblem(problem));
}

/** Without what says where a value was written. */
function values(settings: Settings): unknown {
  return { ...settings, written: undefined, file: undefined };
}

test('the example is accepted as it stands', () => {
  const { settings } = loadSettings(exampleFile, { checkHost: true });
  assert.ok(settings);
  const here = new URL('../../examples', import.meta.url).pathname;
  assert.deepEqual(
    { ...settings, written: undefined, hostname: undefined },
    {
      stateDir: `${here}/state`,
      runDir: `${here}/run`,
      user: 'mail',
      group: undefined,
      fronts: 'auto',
      stopGraceS: 10,
      hostname: undefined,
      language: 'en',
      directory: {
        kind: 'passwd',
        root: `${here}/virtual`,
        passwdFile: 'passwd',
        defaultDomain: undefined,
        loginDelimiters: '@%',
        passwordKind: 'auto',
        systemUsers: false,
        minUid: 1,
        reverseNames: false,
      },
      owners: { mode: 'auto', frontUser: undefined, maxWorkers: 200, idleS: 60, answerS: 300 },
      mailboxes: { root: `${here}/spool`, home: 'Mail/mailbox', systemSpool: '/var/mail', format: 'mbox', statusHeader: 'rewrite' },
      login: {
        plaintextNetworks: ['127.0.0.0/8', '::1/128'],
        failureDelayMs: 2000,
        maxFailures: 3,
        mechanisms: 'auto',
        loginOptions: true,
      },
      pop3: { idleTimeoutS: 600, expireDays: 'never', leastExpireDays: undefined, loginDelayS: 0 },
      quota: { account: undefined, domain: undefined, whenFull: 'defer', warnPercent: 90 },
      trace: { days: 14, daySize: 100_000_000 },
      submission: { via: 'auto', sendmail: '/usr/sbin/sendmail', smtp: { kind: 'tcp', host: '127.0.0.1', port: 25 } },
      delivery: {
        recipientDelimiter: '+',
        foldSubdomains: false,
        internalDomain: undefined,
        srs: true,
        maxMessageOctets: 104857600,
        maxRecipients: 1000,
        idleTimeoutS: 300,
      },
      receipts: { policy: 'never' },
      lookups: { answerS: 10, idleTimeoutS: 600 },
      policy: { permitRecentLogins: false, checkSenders: false },
      limits: { connections: 10000, connectionsPerSource: 100, connectionsPerAccount: 20, memoryMb: 1024 },
      throttle: { exemptNetworks: [] },
      relay: { recentLoginMinutes: 30 },
      log: { level: 'info', format: 'line', to: 'stderr' },
      metrics: { address: undefined, allowRemote: false, domains: 20 },
      tls: { certificate: undefined, key: undefined, minVersion: '1.2', names: new Map() },
      addresses: new Map(),
      listen: [
        { protocol: 'pop3', address: { kind: 'tcp', host: '127.0.0.1', port: 1110 } },
        { protocol: 'pop3s', address: { kind: 'tcp', host: '127.0.0.1', port: 1995 } },
        { protocol: 'lmtp', address: { kind: 'tcp', host: '127.0.0.1', port: 1024 } },
      ].map((listen) => ({ ...listen, proxyProtocolFrom: [], mode: undefined, group: undefined, map: undefined, allowRemote: undefined })),
      file: exampleFile,
      written: undefined,
    },
  );
});

test('every line that the example has as a comment is accepted without its #', () => {
  const uncommented = example
    .toString()
    .replace(/^# (?=[a-z_]+ +=|\[|"192)/gm, '')
    .replace('address = "unix:run/lmtp"', '')
    .replaceAll('"…"', '"x.pem"');
  const settings = accepted('/etc/pk/pk.toml', uncommented);
  assert.equal(settings.user, 'mail');
  assert.equal(settings.fronts, 2);
  assert.equal(settings.tls.certificate, '/etc/pk/tls/fullchain.pem');
  assert.deepEqual([...settings.tls.names], [['mail.kvt.dk', { certificate: '/etc/pk/x.pem', key: '/etc/pk/x.pem' }]]);
  assert.deepEqual([...settings.addresses], [['192.0.2.10', 'kvt.dk']]);
  assert.deepEqual(settings.listen[2]?.proxyProtocolFrom, ['127.0.0.1/32']);
});

test('what Postfix asks stays on this host, unless the settings say otherwise; a tcp-table has one map', () => {
  const at = (protocol: string, address: string, ...more: string[]) =>
    complaints(['[[listen]]', `protocol = "${protocol}"`, `address = "${address}"`, ...more].join('\n'));
  for (const protocol of ['socketmap', 'policy']) {
    for (const address of ['unix:/run/x', '127.0.0.1:1', '127.1.2.3:1', '[::1]:1']) assert.deepEqual(at(protocol, address), []);
    for (const address of ['0.0.0.0:1', '[::]:1', '192.0.2.1:1']) {
      assert.deepEqual(at(protocol, address), [
        '/etc/pk/pk.toml:3: listen.address can be reached from other hosts; set allow_remote = true if that is meant',
      ]);
      assert.deepEqual(at(protocol, address, 'allow_remote = true'), []);
    }
    assert.deepEqual(at(protocol, '127.0.0.1:1', 'map = "domains"'), [`/etc/pk/pk.toml:4: listen.map is not for ${protocol}`]);
    assert.deepEqual(at(protocol, '127.0.0.1:1', 'proxy_protocol_from = ["127.0.0.1"]'), [
      `/etc/pk/pk.toml:4: listen.proxy_protocol_from is not for ${protocol}`,
    ]);
  }
  for (const map of ['domains', 'mailboxes', 'aliases', 'alias-domains', 'transport', 'senders', 'recent-logins'])
    assert.deepEqual(at('tcp-table', '127.0.0.1:1', `map = "${map}"`), []);
  assert.deepEqual(at('tcp-table', '127.0.0.1:1'), ['/etc/pk/pk.toml:1: listen.map is missing']);
  assert.deepEqual(at('tcp-table', '192.0.2.1:1', 'map = "domains"'), [
    '/etc/pk/pk.toml:3: listen.address can be reached from other hosts; set allow_remote = true if that is meant',
  ]);
  assert.deepEqual(at('tcp-table', '127.0.0.1:1', 'map = "virtual"'), [
    '/etc/pk/pk.toml:4: listen.map cannot be "virtual"; allowed: one of "domains", "mailboxes", "aliases", "alias-domains", "transport", "senders", "recent-logins"',
  ]);
  assert.deepEqual(at('lmtp', '192.0.2.1:1', 'allow_remote = true', 'map = "domains"'), [
    '/etc/pk/pk.toml:4: listen.allow_remote is not for lmtp',
    '/etc/pk/pk.toml:5: listen.map is not for lmtp',
  ]);
});

test('metrics stay on this host, unless the settings say otherwise', () => {
  const at = (address: string, more = '') => `[metrics]\naddress = "${address}"\n${more}`;
  for (const address of ['127.0.0.1:9273', '127.8.9.10:1', '[::1]:9273', '[::ffff:127.0.0.1]:9273'])
    accepted('/etc/pk/pk.toml', at(address));
  for (const address of ['0.0.0.0:9273', '192.0.2.1:9273', '[::]:9273', '[2001:db8::1]:9273']) {
    const reachable = 'metrics.address can be reached from other hosts; set allow_remote = true if that is meant';
    assert.deepEqual(complaints(at(address)), [`/etc/pk/pk.toml:2: ${reachable}`]);
    accepted('/etc/pk/pk.toml', at(address, 'allow_remote = true\n'));
  }
  assert.deepEqual(complaints(at('unix:metrics')), [
    '/etc/pk/pk.toml:2: metrics.address cannot be "unix:metrics"; allowed: 127.0.0.1:9273 or [::1]:9273',
  ]);
  assert.deepEqual(complaints(at('127.0.0.1:1110')), ['/etc/pk/pk.toml:2: two listeners have the address 127.0.0.1:1110']);
  const { metrics } = accepted('/etc/pk/pk.toml', at('[::1]:9273', 'domains = 0\n'));
  assert.deepEqual(metrics, { address: { kind: 'tcp', host: '::1', port: 9273 }, allowRemote: false, domains: 0 });
});

test('SMTP AUTH is for Postfix on this host, and groups are of Unix sockets', () => {
  const at = (address: string, more = '') => `[[listen]]\nprotocol = "sasl"\naddress = "${address}"\n${more}`;
  for (const address of ['unix:/var/spool/postfix/private/auth', '127.0.0.1:12345', '[::1]:12345'])
    accepted('/etc/pk/pk.toml', at(address));
  for (const address of ['0.0.0.0:12345', '192.0.2.1:12345', '[::]:12345'])
    assert.deepEqual(complaints(at(address)), ['/etc/pk/pk.toml:3: sasl is for Unix sockets and this host only']);
  assert.deepEqual(complaints(at('127.0.0.1:12345', 'group = "postfix"\nproxy_protocol_from = ["127.0.0.1"]\n')), [
    '/etc/pk/pk.toml:4: listen.group is for Unix sockets only',
    '/etc/pk/pk.toml:5: listen.proxy_protocol_from is not for sasl',
  ]);
  const { listen } = accepted('/etc/pk/pk.toml', at('unix:auth', 'group = "postfix"\nmode = "0600"\n'));
  assert.deepEqual([listen[0]?.group, listen[0]?.mode], ['postfix', 0o600]);
});

test('an empty file and no file have the defaults, with absolute paths', () => {
  const { settings } = loadSettings(undefined);
  const { settings: empty } = parseSettings('/etc/pk/pk.toml', Buffer.alloc(0));
  assert.ok(settings && empty);
  assert.deepEqual(values(settings), values(empty));
  assert.deepEqual(
    [settings.stateDir, settings.runDir, settings.directory.root, settings.mailboxes.root],
    ['/var/lib/postkasse', '/run/postkasse', '/etc/virtual', '/var/spool/virtual'],
  );
});

test('all that is wrong is said at once, with file, line and what is allowed', () => {
  const toml = `state_dirs = "x"
stop_grace_s = -1
fronts = 1.5
[login]
max_failures = "3"
plaintext_networks = ["127.0.0.0/8",
  "10.0.0.0/33"]
mechanisms = ["PLAIN", "NTLM"]
[tls]
certificate = "nope.pem"
[tls.names."mail.kvt.dk"]
key = "x"
foo
[[listen]]
protocol = "imap"
address = "localhost:1"
[[listen]]
adress = "127.0.0.1:1"
[[listen]]
protocol = "pop3"
address = "127.0.0.1:2"
mode = "0660"
[[listen]]
protocol = "lmtp"
address = "127.0.0.1:2"
[directory]
system_users = "yes"
default_domain = "a b"
[mailboxes]
home = "../x"
[addresses]
"192.0.2.300" = "kvt.dk"
"192.0.2.3" = "kvt..dk"
[logs]
level = "info"`;
  assert.deepEqual(complaints(toml), [
    '/etc/pk/pk.toml:1: there is no setting state_dirs; did you mean state_dir?',
    '/etc/pk/pk.toml:2: stop_grace_s cannot be -1; allowed: a whole number from 0 to 3600',
    '/etc/pk/pk.toml:3: fronts cannot be 1.5; allowed: "auto" or a whole number from 1 to 256',
    '/etc/pk/pk.toml:5: login.max_failures cannot be "3"; allowed: a whole number from 1 to 100',
    '/etc/pk/pk.toml:6: login.plaintext_networks cannot be "10.0.0.0/33"; allowed: a list of networks such as ["127.0.0.0/8", "::1/128"]',
    '/etc/pk/pk.toml:8: login.mechanisms cannot be ["PLAIN","NTLM"]; allowed: "auto" or a list of "PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS"',
    '/etc/pk/pk.toml:10: there is a certificate, but no key',
    '/etc/pk/pk.toml:12: there is a key, but no certificate',
    '/etc/pk/pk.toml:13: this is not TOML: illegal character in key',
    '/etc/pk/pk.toml:15: listen.protocol cannot be "imap"; allowed: one of "pop3", "pop3s", "lmtp", "smtp", "sasl", "socketmap", "tcp-table", "policy"',
    '/etc/pk/pk.toml:16: listen.address cannot be "localhost:1"; allowed: 127.0.0.1:1110, [::1]:1110 or unix:path',
    '/etc/pk/pk.toml:17: listen.protocol is missing; allowed: one of "pop3", "pop3s", "lmtp", "smtp", "sasl", "socketmap", "tcp-table", "policy"',
    '/etc/pk/pk.toml:17: listen.address is missing; allowed: 127.0.0.1:1110, [::1]:1110 or unix:path',
    '/etc/pk/pk.toml:18: there is no setting listen.adress; did you mean address?',
    '/etc/pk/pk.toml:22: listen.mode is for Unix sockets only',
    '/etc/pk/pk.toml:25: two listeners have the address 127.0.0.1:2',
    '/etc/pk/pk.toml:27: directory.system_users cannot be "yes"; allowed: false, true, "pam" or "shadow"',
    '/etc/pk/pk.toml:28: directory.default_domain cannot be "a b"; allowed: a domain name, or "" for none',
    '/etc/pk/pk.toml:30: mailboxes.home cannot be "../x"; allowed: a relative path without ".."',
    '/etc/pk/pk.toml:32: addresses."192.0.2.300" cannot be "192.0.2.300"; allowed: an IP address',
    '/etc/pk/pk.toml:33: addresses."192.0.2.3" cannot be "kvt..dk"; allowed: a domain name',
    '/etc/pk/pk.toml:34: there is no setting logs; did you mean log?',
  ]);
});

test('what is no table, no list or no text at all', () => {
  assert.deepEqual(complaints('login = 3\nlisten = "x"\naddresses = []\ntls.names = 1'), [
    '/etc/pk/pk.toml:1: login cannot be 3; allowed: a table',
    '/etc/pk/pk.toml:2: listen cannot be "x"; allowed: tables that begin with [[listen]]',
    '/etc/pk/pk.toml:3: addresses cannot be []; allowed: a table',
    '/etc/pk/pk.toml:4: tls.names cannot be 1; allowed: a table',
  ]);
  assert.deepEqual(complaints(Buffer.from('a = 1\nb = "\xff"\n', 'latin1')), ['/etc/pk/pk.toml:2: this is not UTF-8 text']);
  assert.deepEqual(complaints('listen = [1]\n'), [
    '/etc/pk/pk.toml:1: listen cannot be 1; allowed: a table',
    '/etc/pk/pk.toml:1: listen.protocol is missing; allowed: one of "pop3", "pop3s", "lmtp", "smtp", "sasl", "socketmap", "tcp-table", "policy"',
    '/etc/pk/pk.toml:1: listen.address is missing; allowed: 127.0.0.1:1110, [::1]:1110 or unix:path',
  ]);
});

test('names that mean something to JavaScript are settings that do not exist', () => {
  assert.deepEqual(complaints('__proto__ = 1\nconstructor = 2\n[tls.names."__proto__"]\n[addresses]\n"__proto__" = "kvt.dk"'), [
    '/etc/pk/pk.toml:1: there is no setting __proto__',
    '/etc/pk/pk.toml:2: there is no setting constructor',
    '/etc/pk/pk.toml:3: certificate and key are missing',
    '/etc/pk/pk.toml:5: addresses.__proto__ cannot be "__proto__"; allowed: an IP address',
  ]);
});

test('listen addresses', () => {
  const cases: [string, unknown][] = [
    ['127.0.0.1:1110', { kind: 'tcp', host: '127.0.0.1', port: 1110 }],
    ['0.0.0.0:0', { kind: 'tcp', host: '0.0.0.0', port: 0 }],
    ['[::1]:1110', { kind: 'tcp', host: '::1', port: 1110 }],
    ['[2001:DB8:0:0::1]:65535', { kind: 'tcp', host: '2001:db8::1', port: 65535 }],
    ['unix:run/lmtp', { kind: 'unix', path: '/etc/pk/run/lmtp' }],
    ['unix:/run/lmtp', { kind: 'unix', path: '/run/lmtp' }],
    ['127.0.0.1', undefined],
    ['127.0.0.1:65536', undefined],
    ['127.0.0.1:-1', undefined],
    ['127.0.0.1:1e3', undefined],
    ['::1:1110', undefined],
    ['[127.0.0.1]:1110', undefined],
    ['[fe80::1%eth0]:1110', undefined],
    ['localhost:1110', undefined],
    [':1110', undefined],
    ['unix:', undefined],
    [`unix:/${'x'.repeat(107)}`, undefined],
  ];
  for (const [written, expected] of cases) {
    const { settings } = parseSettings(
      '/etc/pk/pk.toml',
      Buffer.from(`[[listen]]\nprotocol = "lmtp"\naddress = ${JSON.stringify(written)}`),
    );
    assert.deepEqual(settings?.listen[0]?.address, expected, written);
  }
});

test('networks and local addresses have one form', () => {
  const settings = accepted(
    '/etc/pk/pk.toml',
    `[login]
plaintext_networks = ["10.0.0.1", "2001:DB8::0/32", "::ffff:192.0.2.1"]
[addresses]
"2001:DB8:0:0:0::1" = "KVT.dk"
"::ffff:192.0.2.10" = "bücher.example"`,
  );
  assert.deepEqual(settings.login.plaintextNetworks, ['10.0.0.1/32', '2001:db8::/32', '192.0.2.1/32']);
  assert.deepEqual(
    [...settings.addresses],
    [
      ['2001:db8::1', 'kvt.dk'],
      ['192.0.2.10', 'xn--bcher-kva.example'],
    ],
  );
});

test('system users by PAM, by shadow or not', () => {
  for (const [written, expected] of [
    ['false', false],
    ['true', 'pam'],
    ['"pam"', 'pam'],
    ['"shadow"', 'shadow'],
  ] as const)
    assert.equal(accepted('/etc/pk/pk.toml', `[directory]\nsystem_users = ${written}`).directory.systemUsers, expected);
});

test('files are looked for when that is asked for', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'settings-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'pk.toml');
  writeFileSync(join(folder, 'cert.pem'), 'x');
  mkdirSync(join(folder, 'key.pem'));
  writeFileSync(
    file,
    '[tls]\ncertificate = "cert.pem"\nkey = "key.pem"\n[tls.names."a.example"]\ncertificate = "none.pem"\nkey = "cert.pem"\n',
  );
  assert.ok(loadSettings(file).settings);
  assert.deepEqual(
    loadSettings(file, { checkHost: true }).errors?.map((problem) => formatProblem(problem)),
    [`${file}:3: ${folder}/key.pem is no file`, `${file}:5: ${folder}/none.pem cannot be read: ENOENT`],
  );
  assert.deepEqual(
    loadSettings(join(folder, 'other.toml')).errors?.map((problem) => formatProblem(problem)),
    [`${folder}/other.toml:1: this file cannot be read: ENOENT`],
  );
});

test('what is shown is accepted again and means the same', () => {
  const { settings } = loadSettings(exampleFile);
  assert.ok(settings);
  const shown = showSettings(settings);
  assert.deepEqual(values(accepted(exampleFile, shown)), values(settings));
  assert.ok(shown.includes('\nstate_dir = "state"  # line 3\n'));
  assert.ok(shown.includes('\nfronts = "auto"  # default\n'));
});

test('each setting has a default that it allows, and a help text', () => {
  const rows = describeTable();
  assert.equal(new Set(rows.map(({ name }) => name)).size, rows.length);
  for (const { name, help } of rows) assert.match(help, /^.{10,}\.$/, name);
});

/** Lines of the document, as an editor counts them. */
function lineCount(octets: Uint8Array): number {
  return Math.max(1, Buffer.from(octets).toString('latin1').replace(/\n$/, '').split('\n').length);
}

function holds(octets: Uint8Array): void {
  const { settings, errors } = parseSettings('/etc/pk/pk.toml', octets);
  assert.ok(settings === undefined ? errors && errors.length > 0 : errors === undefined);
  for (const problem of errors ?? []) {
    assert.equal(problem.file, '/etc/pk/pk.toml');
    assert.ok(Number.isInteger(problem.line) && problem.line >= 1 && problem.line <= lineCount(octets), formatProblem(problem));
    assert.doesNotMatch(formatProblem(problem), /[\r\n]/);
  }
}

test('random octets never throw, and each error has a line of the file', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), holds), { numRuns: 300 });
});

test('nor does the example with octets changed, left out, doubled or put in', () => {
  const edit = fc.record({
    at: fc.nat(example.length),
    drop: fc.nat(12),
    put: fc.oneof(
      fc.uint8Array({ maxLength: 4 }),
      fc
        .constantFrom('[', ']', '"', '"""', "'''", '\n', '=', '[[listen]]\n', '#', '{', '\\', '1e9', '.', '\r')
        .map((text) => Buffer.from(text)),
    ),
  });
  fc.assert(
    fc.property(fc.array(edit, { minLength: 1, maxLength: 4 }), (edits) => {
      let octets: Buffer = example;
      for (const { at, drop, put } of edits) octets = Buffer.concat([octets.subarray(0, at), put, octets.subarray(at + drop)]);
      holds(octets);
    }),
    { numRuns: 500 },
  );
});

test('whom to become: a user and a group that the host has, and not root', () => {
  const table: [string, string[]][] = [
    ['user = "no-such-user"\ngroup = "no-such-group"', ['1: the host has no user no-such-user', '2: the host has no group no-such-group']],
    ['user = "root"', ['1: mail is never handled as root']],
    ['user = "0"\ngroup = "8"', ['1: mail is never handled as root']],
    ['user = "65534"\ngroup = "root"', ['2: mail is never handled as root']],
    ['user = "65534"\ngroup = "65534"', []],
    ['user = "4000601"', []],
  ];
  for (const [toml, expected] of table) {
    const { errors = [] } = parseSettings('/pk.toml', Buffer.from(toml), { checkHost: true });
    assert.deepEqual(
      errors.map((problem) => formatProblem(problem)),
      expected.map((problem) => `/pk.toml:${problem}`),
      toml,
    );
  }
});
