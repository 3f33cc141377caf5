/** What is wrong with a set-up, from facts alone. Each finding says what to do about it. */
import type { Endpoint } from './domains.ts';
import { belowQueue } from './endpoints.ts';
import { type Installation, isChrooted, settingOf, words } from './installation.ts';
import { compiledEndings } from './mapTypes.ts';
import type { Said } from './needs.ts';
import { ofStyle, type Question } from './question.ts';

/** What became of a try to connect as Postfix's user. */
export interface SocketFact {
  readonly socket: string;
  /** `undefined`: somebody answers. */
  readonly problem: 'nobody' | 'denied' | undefined;
  readonly detail: string;
}

/** A file or folder that Postfix goes by. */
export interface FileFact {
  readonly path: string;
  readonly problem: 'missing' | 'writable' | 'owner' | 'closed';
  readonly uid: number;
  readonly wanted: number;
}

/** A table whose compiled form is not what its source says. */
export interface TableFact {
  readonly table: string;
  readonly setting: string;
  readonly problem: 'missing' | 'older';
}

export interface Facts {
  readonly question: Question;
  /** Files that apply would write, and those that it holds back. */
  readonly changes: number;
  readonly held: readonly { readonly path: string; readonly why: 'edited' | 'foreign' }[];
  readonly conflicts: readonly Said[];
  readonly sockets: readonly SocketFact[];
  readonly files: readonly FileFact[];
  readonly tables: readonly TableFact[];
  /** Of our settings. */
  readonly maxMessageOctets: number;
}

export function findings(facts: Facts): Said[] {
  const { question } = facts;
  return [
    ...facts.conflicts,
    ...planned(facts),
    ...settingFindings(facts),
    ...jthFindings(question),
    ...typeFindings(question.installation),
    ...facts.tables.map(
      ({ table, setting, problem }): Said => ({
        text:
          problem === 'missing'
            ? '{setting} names {table}, which postmap has not been run on: run postmap {table}'
            : '{setting} names {table}, whose source has changed since: run postmap {table}',
        values: { table, setting },
      }),
    ),
    ...chrootFindings(question),
    ...facts.sockets.flatMap(socketFinding),
    ...facts.files.map(fileFinding),
  ];
}

function planned({ changes, held }: Facts): Said[] {
  const found: Said[] = held.map(({ path, why }) => ({
    text:
      why === 'edited' ? '{path} was changed since it was written; --force replaces it' : "{path} is somebody else's; --force replaces it",
    values: { path },
  }));
  if (changes > held.length)
    found.push({
      text: '{count} files are not as they should be: look at postkasse postfix plan',
      values: { count: changes - held.length },
    });
  return found;
}

function settingFindings({ question, maxMessageOctets }: Facts): Said[] {
  const { installation, recipientDelimiter, homeMailbox } = question;
  const found: Said[] = [];
  const setting = (name: string) => settingOf(installation, name);
  const delimiter = setting('recipient_delimiter');
  if (delimiter !== '' && recipientDelimiter !== '' && !delimiter.includes(recipientDelimiter))
    found.push({
      text: 'recipient_delimiter is {value} in Postfix and {own} in our settings (delivery.recipient_delimiter): make them the same',
      values: { value: delimiter, own: recipientDelimiter },
    });
  if (ofStyle(question, 'jth', 'jth-lmtp').length > 0 && setting('home_mailbox') !== homeMailbox)
    found.push({
      text: 'home_mailbox is {value} in Postfix and {own} in our settings (mailboxes.home): mail for users of the host is not looked for where it lies',
      values: { value: setting('home_mailbox') || '""', own: homeMailbox || '""' },
    });
  const largest = Number(setting('message_size_limit'));
  if (ofStyle(question, 'lmtp', 'jth-lmtp').length > 0 && (largest === 0 || largest > maxMessageOctets))
    found.push({
      text: 'message_size_limit is {value} in Postfix and delivery.max_message_octets {own}: what is larger is taken, and then returned to its sender',
      values: { value: largest, own: maxMessageOctets },
    });
  for (const [name, ofStyles] of [
    ['virtual_mailbox_limit', ofStyle(question, 'virtual')],
    ['mailbox_size_limit', ofStyle(question, 'jth')],
  ] as const) {
    const limit = Number(setting(name));
    if (ofStyles.length > 0 && limit > 0)
      found.push({ text: '{setting} is {value}: a larger mbox gets no more mail; 0 is no limit', values: { setting: name, value: limit } });
  }
  const restrictions = ['smtpd_recipient_restrictions', 'smtpd_relay_restrictions'].find((name) =>
    words(setting(name)).includes('reject_unverified_recipient'),
  );
  if (restrictions !== undefined && setting('virtual_mailbox_maps') !== '')
    found.push({
      text: '{setting} has reject_unverified_recipient: with virtual_mailbox_maps it is not needed, and keeps a new user waiting for hours',
      values: { setting: restrictions },
    });
  return found;
}

function jthFindings(question: Question): Said[] {
  if (ofStyle(question, 'jth', 'jth-lmtp').length === 0) return [];
  const { installation } = question;
  const found: Said[] = [];
  for (const name of ['allow_mail_to_commands', 'allow_mail_to_files']) {
    if (!words(settingOf(installation, name)).includes('forward'))
      found.push({ text: '{setting} lacks forward: .forward files can not do what they say', values: { setting: name } });
  }
  const limit = /^(\d+)s?$/.exec(settingOf(installation, 'command_time_limit'))?.[1];
  if (limit !== undefined && Number(limit) < 660)
    found.push({
      text: 'command_time_limit is {value}: leave it above 660s, or Postfix returns mail that would only have had to wait',
      values: { value: settingOf(installation, 'command_time_limit') },
    });
  return found;
}

/** Types that Postfix has, or had, somewhere. */
const knownTypes =
  /^(?:btree|cdb|cidr|dbm|environ|hash|internal|inline|ldap|lmdb|memcache|mongodb|mysql|netinfo|nis|nisplus|pcre|pgsql|pipemap|proxy|randmap|regexp|sdbm|socketmap|sqlite|static|tcp|texthash|unionmap|unix)$/;

function typeFindings({ written, mapTypes }: Installation): Said[] {
  const found: Said[] = [];
  for (const [setting, value] of written) {
    for (const word of words(value)) {
      const [type = '', below = ''] = word.split(':');
      // `unix:` is a transport's, too.
      if (!word.includes(':') || !knownTypes.test(type) || type === 'unix') continue;
      const lacking = [type, ...(type === 'proxy' ? [below] : [])].find((one) => !mapTypes.has(one));
      if (lacking === undefined) continue;
      found.push({
        text: '{setting} names a {type} table, a type that this Postfix does not have (postconf -m)',
        values: { setting, type: lacking },
      });
    }
  }
  return found;
}

/** A socket of ours that main.cf names as it looks from outside, where who reads main.cf is inside. */
function chrootFindings({ installation, listeners }: Question): Said[] {
  const { queueDir, written } = installation;
  const found: Said[] = [];
  for (const endpoint of Object.values(listeners)) {
    if (endpoint?.kind !== 'unix' || belowQueue(endpoint.path, queueDir) !== undefined) continue;
    for (const [setting, value] of written) {
      const word = words(value).find((one) => isPathOf(one, endpoint));
      if (word === undefined || word.startsWith('proxy:')) continue;
      const command = word.startsWith('lmtp:')
        ? 'lmtp'
        : /^[a-z-]+:unix:/.test(word) && !word.startsWith('socketmap:')
          ? undefined
          : 'smtpd';
      if (command === undefined || !isChrooted(installation, command)) continue;
      found.push({
        text: '{setting} names {socket}, which {command} can not see from its chroot {folder}: postkasse postfix plan says it otherwise',
        values: { setting, socket: endpoint.path, command, folder: queueDir },
      });
    }
  }
  return found;
}

function isPathOf(word: string, { path }: Endpoint & { kind: 'unix' }): boolean {
  const at = word.indexOf(path);
  return at >= 0 && /^(?:$|:)/.test(word.slice(at + path.length));
}

function socketFinding({ socket, problem, detail }: SocketFact): Said[] {
  if (problem === undefined) return [];
  return problem === 'nobody'
    ? [{ text: 'nobody listens at {socket} ({detail}): is Postkasse running, with these settings?', values: { socket, detail } }]
    : [
        {
          text: "Postfix' user may not connect to {socket} ({detail}): see to the modes of the socket and of the folders above it",
          values: { socket, detail },
        },
      ];
}

const fileTexts = {
  missing: '{path} is not there: the mailboxes in it can not be made',
  writable: '{path} can be written by others: take that away (chmod go-w)',
  owner: '{path} belongs to uid {uid}, and mail is written there as uid {wanted}',
  closed: '{path} can not be read by uid {wanted}, as whom Postfix looks at it',
} as const;

function fileFinding({ path, problem, uid, wanted }: FileFact): Said {
  return { text: fileTexts[problem], values: { path, uid, wanted } };
}

/** Look-up tables that main.cf names and that postmap(1) makes another file of: setting, `type:path` and path. */
export function compiledTables({ written }: Installation): { setting: string; table: string; path: string; endings: readonly string[] }[] {
  return [...written].flatMap(([setting, value]) =>
    words(value).flatMap((word) => {
      const [, type = '', path = ''] = /^(?:proxy:)?([a-z]+):(\/\S+)$/.exec(word) ?? [];
      const endings = compiledEndings(type);
      // The tables of aliases(5) are newaliases' business, and caches have no source.
      if (endings.length === 0 || setting.startsWith('alias_') || setting.endsWith('_database')) return [];
      return [{ setting, table: `${type}:${path}`, path, endings }];
    }),
  );
}
