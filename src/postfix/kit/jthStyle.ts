/**
 * Style `jth`, the predecessor's: a domain is a virtual alias domain whose addresses become `owner+user--domain`, and local(8) does with
 * the mail what the owner's `.forward+user--domain` says, or for users there aren't `.forward`.
 */
import { join } from 'node:path';
import type { KitAccount, KitDomain, KitOwner } from './domains.ts';
import { settingOf, words } from './installation.ts';
import { innerDomain } from './lmtpStyle.ts';
import { type Entry, isPlainKey, mark, renderLines, renderMap } from './mapFile.ts';
import { conflict, type ForwardNeed, type Needs, noNeeds, ownMap, together } from './needs.ts';
import { ofStyle, probeUser, type Question } from './question.ts';
import { escaped, literal } from './regexp.ts';

/** Of the predecessor, and what Postfix's own documentation shows. */
const DELIMITER = '+';

export function jthNeeds(question: Question): Needs {
  const domains = ofStyle(question, 'jth', 'jth-lmtp');
  if (domains.length === 0) return noNeeds;
  const { installation, types } = question;
  const delimiter = settingOf(installation, 'recipient_delimiter');
  if (delimiter !== '' && !delimiter.includes(DELIMITER))
    return conflict('recipient_delimiter is {value}, and style jth needs +', { value: delimiter });
  const forwardPath = installation.written.get('forward_path');
  if (forwardPath !== undefined && !forwardPath.includes(`.forward$`))
    return conflict('forward_path is {value}, and style jth needs the default', { value: forwardPath });
  if (types.pattern === undefined) return conflict('this Postfix has neither regexp nor pcre tables');
  const refused = domains.flatMap((domain) => ownerConflict(domain));
  if (refused.length > 0) return together(refused);

  const home = localSuffix(domains, question);
  if (home === undefined)
    return conflict('myorigin is {origin}, below a domain of style jth, and mydestination has no other name', {
      origin: settingOf(installation, 'myorigin'),
    });

  const exact = domains.flatMap((domain) => exactEntries(domain, home, question));
  const patterns = domains.some((domain) => !isRewritten(domain, question)) ? patternLines(domains, home, question) : [];
  const parts: Needs[] = [
    settingNeeds(question),
    { ...noNeeds, forwards: [...ownerFiles(domains, question), ...domains.flatMap((domain) => userFiles(domain, question))] },
  ];
  const lists = ['virtual_alias_maps'];
  // Where somebody has listed the virtual alias domains, the maps don't declare them.
  const listed = installation.written.get('virtual_alias_domains');
  if (listed !== undefined && !words(listed).includes('$virtual_alias_maps')) lists.push('virtual_alias_domains');
  for (const map of [
    {
      name: 'virtual',
      type: types.indexed,
      lines: exact.length,
      text: renderMap("Virtual alias domains, and addresses that are not their owners'.", exact),
    },
    {
      name: 'virtual_regexp',
      type: types.pattern,
      lines: patterns.length,
      text: renderLines('Addresses of domains in the hands of their owners.', patterns),
    },
  ]) {
    if (map.lines === 0) continue;
    parts.push({ ...noNeeds, maps: [map], lists: lists.map((name) => ({ name, word: ownMap(installation.configDir, map) })) });
  }
  return together(parts);
}

function settingNeeds({ installation, homeMailbox, existing }: Question): Needs {
  const allowed = existing.aliasesRunCommands ? [] : (['allow_mail_to_commands', 'allow_mail_to_files'] as const);
  const lacking = (['allow_mail_to_commands', 'allow_mail_to_files'] as const).filter(
    (name) => !words(settingOf(installation, name)).includes('forward'),
  );
  return {
    ...noNeeds,
    lists: lacking.map((name) => ({ name, word: 'forward' })),
    values: [
      { name: 'recipient_delimiter', value: DELIMITER, when: settingOf(installation, 'recipient_delimiter') === '' ? 'always' : 'unset' },
      ...(homeMailbox === '' ? [] : [{ name: 'home_mailbox', value: homeMailbox, when: 'unset' } as const]),
      // An mbox of 51 MB would be full, and its mail bounced.
      { name: 'mailbox_size_limit', value: '0', when: 'unset' },
      // Not from aliases of the host's, where a slip would run a command as somebody else; unless there are such already.
      ...allowed.map((name) => ({ name, value: 'forward', when: 'unset' }) as const),
    ],
  };
}

function ownerConflict({ name, owner }: KitDomain): Needs[] {
  if (owner.uid === 0) return [conflict('{domain} belongs to root, and style jth needs a user of the host', { domain: name })];
  if (owner.name === undefined || owner.home === undefined)
    return [
      conflict('{domain} belongs to uid {uid}, who has no home of the own on the host; style jth needs one', {
        domain: name,
        uid: owner.uid,
      }),
    ];
  if (!/^[a-z_][a-z0-9_.-]*$/.test(owner.name))
    return [conflict('{domain} belongs to {owner}, a name that style jth can not write', { domain: name, owner: owner.name })];
  return [];
}

/** What the administrator's own tables make of its addresses is what ours would make of them. */
function isRewritten({ name, owner }: KitDomain, { existing }: Question): boolean {
  const [local] = (existing.aliases.get(`${probeUser}@${name}`) ?? '').split('@');
  return local === `${owner.name}${DELIMITER}${probeUser}--${name}`;
}

/**
 * What stands behind a local user in a map. Mostly nothing, as Postfix adds myorigin; where that is one of these domains itself the mail
 * would come round again, and another name of the host is said. `undefined`: there is none.
 */
function localSuffix(domains: readonly KitDomain[], { installation }: Question): string | undefined {
  const isBelow = (host: string) => domains.some(({ name }) => host === name || host.endsWith(`.${name}`));
  if (!isBelow(settingOf(installation, 'myorigin'))) return '';
  const other = words(settingOf(installation, 'mydestination')).find((host) => /^[A-Za-z0-9.-]+$/.test(host) && !isBelow(host));
  return other === undefined ? undefined : `@${other}`;
}

function exactEntries({ name, owner, accounts, aliases }: KitDomain, home: string, { existing, recipientDelimiter }: Question): Entry[] {
  const has = (user: string) => accounts.some((account) => account.user === user) || aliases.some((alias) => alias.name === user);
  const postmaster = `postmaster@${name}`;
  const entries: Entry[] = [];
  if (!existing.aliasDomains.has(name)) entries.push({ key: name, value: 'anything' });
  // RFC 5321 section 4.5.1: every domain has one.
  if (!has('postmaster') && !existing.aliases.has(postmaster)) entries.push({ key: postmaster, value: `postmaster${home}` });
  // An account of that very name comes before user and tag.
  for (const { user } of accounts)
    if (recipientDelimiter !== '' && user.includes(recipientDelimiter) && isPlainKey(user))
      entries.push({ key: `${user}@${name}`, value: `${owner.name}${DELIMITER}${user}--${name}${home}` });
  return entries;
}

/** Deeper domains first, as the first pattern that fits decides. */
function patternLines(domains: readonly KitDomain[], home: string, question: Question): string[] {
  const { recipientDelimiter, domains: all, installation } = question;
  const elsewhere = [
    ...words(settingOf(installation, 'mydestination')),
    ...all.filter(({ style }) => !style.startsWith('jth')).map(({ name }) => name),
  ];
  const depth = ({ name }: KitDomain) => name.split('.').length;
  return [...domains]
    .sort((one, other) => depth(other) - depth(one) || (one.name < other.name ? -1 : 1))
    .flatMap((domain) => {
      const { name, foldsSubdomains } = domain;
      const owner = literal(domain.owner.name ?? '');
      const to = (user: string) => `${owner}${DELIMITER}${user}--${foldsSubdomains ? '$3' : '$2$3'}${home}`;
      const tail = `@(.+\\.)?(${escaped(name)})$/`;
      const tag = escaped(recipientDelimiter);
      const untagged = recipientDelimiter === '^' ? '\\^' : recipientDelimiter;
      const lines = [
        ...(recipientDelimiter === '' ? [] : [`/^([^${untagged}]+)${tag}.*${tail} ${to('$1')}`]),
        `/^(.+)${tail} ${to('$1')}`,
        // The domains below it are virtual alias domains, too.
        `/^[^@]+\\.${escaped(name)}$/ anything`,
      ];
      const others = [...new Set(elsewhere.filter((other) => other.endsWith(`.${name}`)))].sort();
      return others.length === 0 ? lines : [`if !/^(.+@)?(${others.map(escaped).join('|')})$/`, ...lines, 'endif'];
    });
}

/** One `.forward` for all domains of an owner: what becomes of mail to users there aren't. */
function ownerFiles(domains: readonly KitDomain[], question: Question): ForwardNeed[] {
  const owners = new Map<number, KitOwner>(domains.map(({ owner }) => [owner.uid, owner]));
  return [...owners.values()].map((owner) => {
    const bounces = domains
      .filter((domain) => domain.owner.uid === owner.uid)
      .every(({ unknownUsers, patterns, aliasOf }) => unknownUsers === 'bounce' && patterns.length === 0 && aliasOf === undefined);
    return file(owner, '.forward', bounces ? '|"exit 67"' : piped(question));
  });
}

function userFiles(domain: KitDomain, question: Question): ForwardNeed[] {
  const { name, owner, accounts, aliases } = domain;
  const contents = new Map<string, string>();
  for (const account of accounts) contents.set(account.user, contentFor(account, domain, question));
  for (const alias of aliases) if (!contents.has(alias.name)) contents.set(alias.name, handedOver(alias.name, domain, question));
  return [...contents].filter(([user]) => !user.includes('/')).map(([user, content]) => file(owner, forwardName(user, name), content));
}

/** local(8) writes `_` for whatever isn't in forward_expansion_filter. */
export function forwardName(user: string, domain: string): string {
  return `.forward${DELIMITER}${user.replace(/[^A-Za-z0-9!@%_=:,.+-]/g, '_')}--${domain}`;
}

function contentFor(account: KitAccount, domain: KitDomain, question: Question): string {
  const { owner } = domain;
  const isHomeMailbox = owner.home !== undefined && account.path === join(owner.home, question.homeMailbox);
  const isPlain =
    account.receives && !account.hasRules && account.forward.length === 0 && account.format === 'mbox' && account.uid === owner.uid;
  // Words and quotes of a `.forward` file end at some characters.
  const isPath = /^[A-Za-z0-9/._=+-]+$/.test(account.path);
  // Where `_` may stand for another character the mail may be for somebody else, too.
  const isCertain = /^[a-z0-9=+.-]+$/.test(account.user);
  if (question.homeMailbox !== '' && isHomeMailbox && isPlain && isPath && isCertain && domain.style === 'jth') return account.path;
  return handedOver(account.user, domain, question);
}

function handedOver(user: string, domain: KitDomain, question: Question): string {
  return domain.style === 'jth-lmtp' && /^[a-z0-9=+.-]+$/.test(user) ? `${user}--${domain.name}@${innerDomain}` : piped(question);
}

function piped({ deliverCommand }: Question): string {
  return `"|${deliverCommand}"`;
}

function file(owner: KitOwner, name: string, content: string): ForwardNeed {
  return { owner, path: join(owner.home ?? '', name), text: `${mark}\n${content}\n` };
}
