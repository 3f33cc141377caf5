/** Every setting: kind, default, unit and what it is for. --help, the manual, `config show` and all errors are made from this. */

import { mapNames } from '../model/lookupMaps.ts';
import { carriedProtocols } from '../model/report.ts';
import {
  boolean,
  decimal,
  domain,
  fileMode,
  integer,
  type Kind,
  listenAddress,
  listOf,
  network,
  oneOf,
  optionalDomain,
  path,
  pathBelow,
  size,
  sizeOrNone,
  tcpAddress,
  text,
  textMatching,
  wordOr,
} from './kinds.ts';

export interface Row<T = unknown> extends Kind<T> {
  /** As it would be written in the file. `undefined`: the setting has none and may be left out. */
  readonly default: unknown;
  readonly help: string;
}

function row<T>(kind: Kind<T>, fallback: unknown, help: string): Row<T> {
  return { ...kind, default: fallback, help };
}

/** May be left out; then it is `undefined`. */
function optional<T>(kind: Kind<T>, help: string): Row<T | undefined> {
  return { schema: kind.schema.optional(), allowed: kind.allowed, default: undefined, help };
}

const networks = listOf(network, { text: 'a list of networks such as ["127.0.0.0/8", "::1/128"]' });

/** `folder`: what relative paths start from. The key '' holds the settings before the first table of the file. */
export function settingsTable(folder: string) {
  return {
    '': {
      state_dir: row(
        path(folder),
        '/var/lib/postkasse',
        'Indexes, last logins, the self-signed certificate. Losing it costs time, never mail.',
      ),
      run_dir: row(path(folder), '/run/postkasse', 'Sockets and locks. On a file system that forgets at reboot.'),
      user: row(text, 'mail', 'User to become after binding the sockets, when started by root. Mail is never handled as root.'),
      group: optional(text, 'Group to become; the default is the group of `user`.'),
      fronts: row(
        wordOr('auto', integer(1, 256), { text: '"auto" or a whole number from 1 to 256' }),
        'auto',
        'Processes on the same ports. "auto": one per core.',
      ),
      stop_grace_s: row(integer(0, 3600), 10, 'Seconds that sessions at work get to finish when the program is told to stop.'),
      hostname: row(optionalDomain, '', 'Name in greetings and in Received lines. "": what the host calls itself.'),
      language: row(
        text,
        'en',
        'Language of clients that ask for the host\'s own (LANG *): "en", "da", "de" or one with a file in texts/. Before LANG all are answered in English.',
      ),
    },
    directory: {
      kind: row(oneOf('passwd'), 'passwd', 'Where domains and users are kept.'),
      root: row(path(folder), '/etc/virtual', 'Passwd files: <root>/<domain>/passwd.'),
      passwd_file: row(pathBelow, 'passwd', "Name of the passwd file below the domain's folder."),
      default_domain: row(optionalDomain, '', 'Stripped from logins of system users, and added to bare names.'),
      login_delimiters: row(delimiters, '@%', 'Which characters part user and domain in a login.'),
      password_kind: row(
        oneOf('auto', 'plain'),
        'auto',
        'auto: {SCHEME} and $…$ only. plain: the password field is clear text (needed for APOP and CRAM-MD5).',
      ),
      system_users: row(
        systemUsers(),
        false,
        'Let the host\'s own users log in, their passwords checked by PAM ("pam" or true) or against /etc/shadow ("shadow").',
      ),
      reverse_names: row(
        boolean,
        false,
        'Look up the name of the address connected to in DNS, where [addresses] has none: it decides the domain of bare logins.',
      ),
      min_uid: row(integer(1, 4294967294), 1, 'Accounts with a smaller uid are refused. uid 0 never owns mail.'),
    },
    owners: {
      mode: row(
        oneOf('auto', 'one', 'many'),
        'auto',
        'one: all mail belongs to `user`. many: each domain belongs to the owner of its passwd file, for whom a process of his own acts; needs root. auto: many, when started by root and some domain is not the domain of `user`.',
      ),
      front_user: optional(
        text,
        'User for the processes that talk to clients, where there are many owners. The default is "postkasse" if the host has it, else "nobody".',
      ),
      max_workers: row(integer(1, 10_000), 200, 'Owners at work at a time. Beyond that the one idle for longest makes room.'),
      idle_s: row(integer(1, 86_400), 60, "Seconds without work after which an owner's process ends."),
      answer_s: row(
        integer(1, 3600),
        300,
        "Seconds that an owner's process may be silent while a client or a delivery waits for it; then that one is told to come back.",
      ),
    },
    mailboxes: {
      root: row(path(folder), '/var/spool/virtual', 'Mailboxes: <root>/<domain>/<user>.'),
      home: row(pathBelow, 'Mail/mailbox', "Below the account's home directory, looked at first."),
      system_spool: row(path(folder), '/var/mail', 'Mailboxes of system users only.'),
      format: row(oneOf('mbox', 'maildir'), 'mbox', 'Format of new mailboxes; those that exist keep theirs.'),
      status_header: row(
        oneOf('rewrite', 'always', 'never'),
        'rewrite',
        'When Status: is written to an mbox: when the mailbox is rewritten anyway, at the end of every session, or not at all.',
      ),
    },
    login: {
      plaintext_networks: row(networks, ['127.0.0.0/8', '::1/128'], 'Where a password may cross without TLS.'),
      failure_delay_ms: row(integer(0, 15000), 2000, 'Before -ERR on a wrong password; doubles up to 15 s per source.'),
      max_failures: row(integer(1, 100), 3, 'Wrong passwords per connection, then it is closed.'),
      mechanisms: row(
        wordOr('auto', listOf(oneOf(...mechanismNames), { text: 'a list of SASL mechanisms' }), {
          text: '"auto" or a list of {choices}',
          values: { choices: mechanismNames.map((name) => `"${name}"`).join(', ') },
        }),
        'auto',
        'SASL mechanisms: those in the list are announced, and there are no others. "auto": announced is each one that every account can honour.',
      ),
      login_options: row(boolean, true, 'Take `s-` before a login name to mean: leave Status: alone in this session.'),
    },
    pop3: {
      idle_timeout_s: row(
        integer(1, 86400),
        600,
        'Seconds without a command before the connection is closed without update. RFC 1939 says at least ten minutes.',
      ),
      expire_days: row(
        wordOr('never', integer(0, 36500), { text: '"never" or a whole number from 0 to 36500' }),
        'never',
        'Days after which messages are removed, where neither account nor domain says so (expire_days). Announced as EXPIRE.',
      ),
      least_expire_days: optional(
        wordOr('never', integer(0, 36500), { text: '"never" or a whole number from 0 to 36500' }),
        'The fewest days that an account or a domain may have; one that says less has these. Before login EXPIRE announces this or expire_days, whichever is less. Left out: the same as expire_days.',
      ),
      login_delay_s: row(integer(0, 86400), 0, 'Seconds between two logins to the same mailbox. Announced as LOGIN-DELAY.'),
    },
    delivery: {
      recipient_delimiter: row(delimiter, '+', 'Parts user and tag in user+tag@domain. "": no tags.'),
      srs: row(
        boolean,
        true,
        "Give mail that goes on to other hosts an envelope sender in the domain that sends it on (SRS), so that SPF holds there and bounces come back here. A domain's `srs` says otherwise.",
      ),
      fold_subdomains: row(
        boolean,
        false,
        'Take mail for user@x.domain as mail for user@domain, where x.domain is no domain of its own and domain.toml does not say otherwise.',
      ),
      internal_domain: row(
        optionalDomain,
        '',
        'Mail for user--domain@this is for user@domain: what a .forward file of an owner may name, and a transport map of Postfix carries here. "": there is none.',
      ),
      max_message_octets: row(integer(1024, 2 ** 40), 104_857_600, 'Largest message taken in over LMTP and SMTP. Announced as SIZE.'),
      max_recipients: row(integer(1, 100_000), 1000, 'Recipients in one transaction. RFC 5321 says at least 100.'),
      idle_timeout_s: row(
        integer(1, 86400),
        300,
        'Seconds a silent LMTP or SMTP client is waited for. RFC 5321 says at least five minutes.',
      ),
    },
    submission: {
      via: row(
        oneOf('auto', 'sendmail', 'smtp'),
        'auto',
        'How mail that goes on, and mail of our own making, gets to the mail server. auto: by `sendmail`, or by `smtp` where there is no such program or it could not get the rights it needs (NoNewPrivileges=yes of systemd).',
      ),
      sendmail: row(path(folder), '/usr/sbin/sendmail', 'The program, called as everybody calls it: -i -f sender -- recipients.'),
      smtp: row(tcpAddress, '127.0.0.1:25', 'Address and port where the mail server takes mail from this host without a login.'),
    },
    receipts: {
      policy: row(
        oneOf('never', 'ask', 'known-senders', 'always'),
        'never',
        'Return receipts for messages that ask for one and are fetched for the first time, where neither the account nor its domain says otherwise. ask: the user decides about each one (`postkasse receipts`). known-senders: it goes out by itself to our own domains and to whom the user had one sent before; about others the user decides.',
      ),
    },
    lookups: {
      answer_s: row(
        integer(1, 90),
        10,
        'Seconds for an answer to Postfix; then it is told to ask again. Postfix itself waits for 100, and then asks nobody.',
      ),
      idle_timeout_s: row(
        integer(1, 86400),
        600,
        "Seconds that Postfix may keep a connection without asking. Longer than Postfix's own limits, so that closing is its part.",
      ),
    },
    policy: {
      permit_recent_logins: row(
        boolean,
        false,
        'POP before SMTP through the policy service: hosts that have just fetched mail may send to anywhere, for domains with `pop_before_smtp`.',
      ),
      check_senders: row(
        boolean,
        false,
        'Refuse envelope senders of hosted domains to all who are not logged in as an account that the address means. Stops mailing lists and forwarders elsewhere that keep the sender.',
      ),
    },
    quota: {
      account: row(
        sizeOrNone,
        'none',
        'What a mailbox may hold where neither its account nor its domain says so (quota in accounts/<user>.toml, account_quota in domain.toml).',
      ),
      domain: row(
        sizeOrNone,
        'none',
        'What all mailboxes of a domain may hold together where the domain does not say so (quota in domain.toml).',
      ),
      when_full: row(
        oneOf('defer', 'refuse'),
        'defer',
        'defer: mail for a full mailbox waits at its sender, who gets it back after days (452 4.2.2). refuse: it goes back at once (552 5.2.2).',
      ),
      warn_percent: row(
        integer(0, 100),
        90,
        'At so much of its quota the owner of a mailbox is told by one mail, and again after there was more room in between. 0: never.',
      ),
    },
    trace: {
      days: row(
        integer(0, 3650),
        14,
        'How many days postkasse trace looks back: what became of each message is kept so long. 0: not at all.',
      ),
      day_size: row(size, '100 MB', 'Room for what is kept of one day. What goes beyond it is not kept.'),
    },
    limits: {
      connections: row(integer(1, 1_000_000), 10_000, 'Connections at a time per process and protocol; POP3 and POP3S count together.'),
      connections_per_source: row(
        integer(1, 1_000_000),
        100,
        'Connections at a time from one address (IPv6: one /64), per protocol; POP3 and POP3S count together. The host itself (loopback) is not counted.',
      ),
      connections_per_account: row(integer(1, 1_000_000), 20, 'Sessions at a time that are logged in to one account.'),
      memory_mb: row(
        integer(64, 1_048_576),
        1024,
        'Megabytes of memory per process; while one has more, who connects to it is asked to come back later. Nobody is sent away.',
      ),
    },
    throttle: {
      exempt_networks: row(
        networks,
        [],
        "Where logins are neither slowed down nor counted, nor connections: a webmail's, which logs in for everybody and has to slow down guessing itself.",
      ),
    },
    relay: {
      recent_login_minutes: row(
        decimal(0, 1440),
        30,
        'Minutes that an address may send mail after fetching some over POP3, where a domain says pop_before_smtp = true; fractions are allowed. 0: nowhere.',
      ),
    },
    log: {
      level: row(oneOf('debug', 'info', 'warn', 'error'), 'info', 'Least important events to write.'),
      format: row(oneOf('line', 'json'), 'line', 'line: to be read. json: one object a line, for machines.'),
      to: row(oneOf('stderr', 'stdout', 'syslog'), 'stderr', "Where events go. syslog: the host's log, facility mail."),
    },
    metrics: {
      address: optional(tcpAddress, 'Address and port where Prometheus may fetch /metrics over HTTP. Left out: nowhere.'),
      allow_remote: row(
        boolean,
        false,
        'Let `address` be one that other hosts can reach. Whoever reaches it sees the names of the domains.',
      ),
      domains: row(integer(0, 1000), 20, 'Domains with a figure of their own for their sessions, those with most sessions first.'),
    },
    tls: {
      certificate: optional(
        path(folder),
        'PEM file with the certificate and its chain. Without certificate and key a self-signed one is made in state_dir.',
      ),
      key: optional(path(folder), 'PEM file with the private key of `certificate`.'),
      min_version: row(oneOf('1.2', '1.3'), '1.2', 'Oldest TLS version to accept.'),
    },
  } as const;
}

/** Keys of one `[tls.names."mail.example.org"]`. */
export function tlsNameTable(folder: string) {
  return {
    certificate: optional(path(folder), 'PEM file with the certificate and its chain for clients that ask for this name.'),
    key: optional(path(folder), 'PEM file with its private key.'),
  } as const;
}

export const protocols = carriedProtocols;

/** Keys of one `[[listen]]`. */
export function listenTable(folder: string) {
  return {
    protocol: row(
      oneOf(...protocols),
      undefined,
      'What is spoken there. smtp takes mail for hosted users only; sasl checks passwords for Postfix (smtpd_sasl_type = dovecot), and over socketmap, tcp-table and policy Postfix asks us.',
    ),
    address: row(listenAddress(folder), undefined, 'Address and port, or a Unix socket.'),
    map: optional(oneOf(...mapNames), 'The table that is asked there; for tcp-table, which can ask one only.'),
    allow_remote: optional(
      boolean,
      'Let `address` be one that other hosts can reach, for Postfix elsewhere to ask. Whoever reaches it learns who has a mailbox.',
    ),
    proxy_protocol_from: row(networks, [], 'Networks of load balancers: connections from there begin with a PROXY protocol header.'),
    mode: optional(
      fileMode,
      'File mode of a Unix socket; the default is "0666", as sending local mail needs no permission either, and "0660" for sasl.',
    ),
    group: optional(
      text,
      'Group of a Unix socket. The default for sasl is "postfix", where the program is started by root and the host has that group.',
    ),
  } as const;
}

/** Keys of `[addresses]` are local addresses, values these. */
export const addressDomain: Kind<DomainNameOf> = domain;
type DomainNameOf = typeof domain extends Kind<infer T> ? T : never;

/** Used where the file has no `[[listen]]` at all: loopback only. */
export const defaultListeners = [
  { protocol: 'pop3', address: '127.0.0.1:1110' },
  { protocol: 'pop3s', address: '127.0.0.1:1995' },
  { protocol: 'lmtp', address: '127.0.0.1:1024' },
] as const;

export const mechanismNames = [
  'PLAIN',
  'LOGIN',
  'CRAM-MD5',
  'SCRAM-SHA-1',
  'SCRAM-SHA-256',
  'SCRAM-SHA-1-PLUS',
  'SCRAM-SHA-256-PLUS',
] as const;

const delimiters = textMatching(/^[!-,:;=?@[\]^`{|}~\\]+$/, { text: 'one or more characters that no name holds, such as "@%:!;"' });
const delimiter = textMatching(/^[!#$%&*+=_-]?$/, { text: 'one character such as "+" or "-", or "" for none' });

function systemUsers(): Kind<false | 'pam' | 'shadow'> {
  const words = oneOf('pam', 'shadow');
  return {
    schema: boolean.schema.transform((on) => (on ? ('pam' as const) : (false as const))).or(words.schema),
    allowed: { text: 'false, true, "pam" or "shadow"' },
  };
}
