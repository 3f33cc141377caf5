/** Style `virtual`: Postfix's own virtual(8) writes the mailboxes, from maps that the kit makes of the directory. */
import type { KitAccount, KitDomain } from './domains.ts';
import { settingOf } from './installation.ts';
import { mailboxBase } from './mailboxDomains.ts';
import { type Entry, isPlainKey, renderMap } from './mapFile.ts';
import { conflict, type Needs, noNeeds, ownMap, together } from './needs.ts';
import { ofStyle, type Question } from './question.ts';

export function virtualNeeds(question: Question): Needs {
  const domains = ofStyle(question, 'virtual');
  if (domains.length === 0) return noNeeds;
  const { installation, types, domains: all } = question;
  const base = mailboxBase(question);
  if (base === undefined)
    return conflict('virtual_mailbox_base is {base}, and mailboxes of ours are elsewhere', {
      base: settingOf(installation, 'virtual_mailbox_base'),
    });
  const map = (name: string, parameter: string, about: string, entries: readonly Entry[]): Needs => {
    const need = { name, type: types.indexed, text: renderMap(about, entries) };
    return { ...noNeeds, maps: [need], lists: [{ name: parameter, word: ownMap(installation.configDir, need) }] };
  };
  const receiving = domains.flatMap(({ name, accounts }) =>
    accounts
      .filter(({ receives, user }) => receives && isPlainKey(user))
      .map((account) => ({ ...account, address: `${account.user}@${name}` })),
  );
  const ids = (of: (account: KitAccount) => number) => receiving.map((account) => ({ key: account.address, value: String(of(account)) }));
  const aliases = domains.flatMap((domain) => aliasEntries(domain, all));
  const lowest = Math.min(...receiving.map(({ uid }) => uid));
  return together([
    map(
      'uids',
      'virtual_uid_maps',
      'Whose each mailbox is.',
      ids(({ uid }) => uid),
    ),
    map(
      'gids',
      'virtual_gid_maps',
      'The group of each mailbox.',
      ids(({ gid }) => gid),
    ),
    ...(aliases.length > 0 ? [map('aliases', 'virtual_alias_maps', 'Aliases and forwards.', aliases)] : []),
    {
      ...noNeeds,
      values: [
        { name: 'virtual_mailbox_base', value: base, when: 'unset' },
        // An mbox of 51 MB would be full, and its mail bounced.
        { name: 'virtual_mailbox_limit', value: '0', when: 'unset' },
        ...(lowest < Number(settingOf(installation, 'virtual_minimum_uid'))
          ? [{ name: 'virtual_minimum_uid', value: String(lowest), when: 'always' } as const]
          : []),
      ],
    },
  ]);
}

function aliasEntries(domain: KitDomain, all: readonly KitDomain[]): Entry[] {
  const { name, accounts, aliases, unknownUsers, aliasOf } = domain;
  const at = (user: string) => `${user}@${name}`;
  const entries: Entry[] = [];
  const add = (user: string, targets: readonly string[]) => {
    if (isPlainKey(user)) entries.push({ key: at(user), value: targets.join(', ') });
  };
  const has = (user: string) => accounts.some((account) => account.user === user);
  for (const { user, receives, forward, keepsCopy } of accounts)
    if (receives && forward.length > 0) add(user, keepsCopy ? [at(user), ...forward] : forward);
  // An account comes before an alias of the same name.
  for (const alias of aliases) if (!has(alias.name)) add(alias.name, alias.targets);
  const other = all.find((one) => one.name === aliasOf);
  const others = other === undefined ? [] : [...other.accounts.map(({ user }) => user), ...other.aliases.map((alias) => alias.name)];
  for (const user of others) if (!has(user)) add(user, [`${user}@${aliasOf}`]);
  if (unknownUsers === 'bounce') return entries;
  // A catch-all comes before mailboxes: each of them has to be named, or it would get their mail.
  const named = new Set(entries.map(({ key }) => key));
  for (const { user } of accounts) if (!named.has(at(user))) add(user, [at(user)]);
  return [...entries, { key: at(''), value: unknownUsers }];
}
