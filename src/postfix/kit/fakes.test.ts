/** A Postfix and domains as tests want them. */
import type { Endpoint, KitAccount, KitDomain } from './domains.ts';
import { type Installation, parseServices } from './installation.ts';
import { nothingExisting, type Question } from './question.ts';

/** master.cf as Debian has it, as far as it matters. */
export const debianServices = `smtp inet n - y - - smtpd
cleanup unix n - y - 0 cleanup
rewrite unix - - y - - trivial-rewrite
proxymap unix - - n - - proxymap
lmtp unix - - y - - lmtp
local unix - n n - - local
virtual unix - n n - - virtual
`;

/** Of Postfix 3.7 with an empty main.cf. */
const defaults = new Map([
  ['virtual_mailbox_domains', '$virtual_mailbox_maps'],
  ['virtual_mailbox_maps', ''],
  ['virtual_alias_maps', '$virtual_maps'],
  ['virtual_alias_domains', '$virtual_alias_maps'],
  ['virtual_maps', ''],
  ['virtual_transport', 'virtual'],
  ['virtual_minimum_uid', '100'],
  ['virtual_mailbox_base', ''],
  ['virtual_mailbox_limit', '51200000'],
  ['virtual_uid_maps', ''],
  ['virtual_gid_maps', ''],
  ['transport_maps', ''],
  ['recipient_delimiter', ''],
  ['home_mailbox', ''],
  ['allow_mail_to_commands', 'alias, forward'],
  ['allow_mail_to_files', 'alias, forward'],
  ['mydestination', '$myhostname, localhost.$mydomain, localhost'],
  ['myorigin', '$myhostname'],
  ['smtpd_relay_restrictions', 'permit_mynetworks, permit_sasl_authenticated, defer_unauth_destination'],
  ['smtpd_recipient_restrictions', ''],
  ['smtpd_sasl_auth_enable', 'no'],
  ['default_database_type', 'hash'],
]);

export function installation(main: Readonly<Record<string, string>> = {}, services = debianServices): Installation {
  const written = new Map(Object.entries(main));
  const effective = new Map([['myhostname', 'mx.example.org'], ['mydomain', 'example.org'], ...defaults, ...written]);
  for (const [name, value] of effective) effective.set(name, filledIn(value, effective));
  return {
    configDir: '/etc/postfix',
    queueDir: '/var/spool/postfix',
    version: [3, 7, 11],
    mapTypes: new Set(['hash', 'texthash', 'regexp', 'proxy', 'socketmap', 'static']),
    written,
    defaults,
    effective,
    services: parseServices(services, false),
  };
}

function filledIn(value: string, from: ReadonlyMap<string, string>): string {
  return value.replace(/\$(\w+)/g, (_, name: string) => filledIn(from.get(name) ?? '', from));
}

export function account(user: string, more: Partial<KitAccount> = {}): KitAccount {
  const rests = { path: `/var/spool/virtual/kvt.dk/${user}`, format: 'mbox' } as const;
  return { user, uid: 601, gid: 100, ...rests, receives: true, forward: [], keepsCopy: true, hasRules: false, ...more };
}

/** The predecessor's worked example. */
export function kvt(more: Partial<KitDomain> = {}): KitDomain {
  return {
    name: 'kvt.dk',
    style: 'lmtp',
    owner: { uid: 601, gid: 100, name: 'kvt_dk', home: '/home/kvt_dk' },
    accounts: [account('abc'), account('kvt', { path: '/home/kvt_dk/Mail/mailbox' })],
    aliases: [],
    patterns: [],
    unknownUsers: 'bounce',
    aliasOf: undefined,
    foldsSubdomains: false,
    ...more,
  };
}

export const lmtpSocket: Endpoint = { kind: 'unix', path: '/run/postkasse/lmtp' };

export function question(more: Partial<Question> = {}): Question {
  return {
    installation: installation(),
    types: { indexed: 'hash', pattern: 'regexp' },
    domains: [kvt()],
    listeners: { lmtp: lmtpSocket, socketmap: undefined, policy: undefined, sasl: undefined },
    existing: nothingExisting,
    recipientDelimiter: '+',
    homeMailbox: 'Mail/mailbox',
    deliverCommand: '/usr/bin/postkasse deliver',
    ...more,
  };
}
