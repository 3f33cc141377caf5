/** virtual_mailbox_domains and virtual_mailbox_maps: for the styles `lmtp` and `virtual` together, as a host has one list of either. */
import { relative } from 'node:path';
import type { KitDomain } from './domains.ts';
import { named } from './endpoints.ts';
import { isChrooted, settingOf } from './installation.ts';
import { type Entry, isPlainKey, renderLines, renderMap } from './mapFile.ts';
import { type MapNeed, type Needs, noNeeds, ownMap, together } from './needs.ts';
import { ofStyle, type Question } from './question.ts';
import { recipientsOf } from './recipients.ts';
import { escaped, ofPattern } from './regexp.ts';

/** What stands behind a recipient of style `lmtp`; Postfix looks only whether anything does. */
const TAKEN = 'lmtp';

/** @param base virtual_mailbox_base, which paths of style `virtual` are below */
export function mailboxDomainNeeds(question: Question, base: string): Needs {
  const { installation, types, domains, existing, recipientDelimiter } = question;
  const { configDir } = installation;
  const ours = ofStyle(question, 'lmtp', 'virtual');
  if (ours.length === 0) return noNeeds;
  // virtual(8) would take any answer of the socket for a path.
  const lookup = ofStyle(question, 'virtual').length > 0 ? undefined : lookupTable(question, 'mailboxes');
  const parts: Needs[] = [];
  // Tables are asked for `user` where there is no `user+tag`.
  if (settingOf(installation, 'recipient_delimiter') === '' && recipientDelimiter !== '')
    parts.push({ ...noNeeds, values: [{ name: 'recipient_delimiter', value: recipientDelimiter, when: 'always' }] });
  const listed = (name: string, parameter: string, map: Omit<MapNeed, 'name'>): Needs => ({
    ...noNeeds,
    maps: [{ ...map, name }],
    lists: [{ name: parameter, word: ownMap(configDir, { ...map, name }) }],
  });

  if (ours.some(({ name }) => !existing.mailboxDomains.has(name))) {
    const entries = ours.map(({ name, style }) => ({ key: name, value: style }));
    parts.push(
      listed('domains', 'virtual_mailbox_domains', {
        type: types.indexed,
        text: renderMap('Domains with mailboxes, and their style.', entries),
      }),
    );
  }
  const folded = ours.filter(({ foldsSubdomains }) => foldsSubdomains);
  if (folded.length > 0 && types.pattern !== undefined) {
    const lines = folded.map(({ name, style }) => `/^[^@]+\\.${escaped(name)}$/ ${style}`);
    parts.push(
      listed('domains_regexp', 'virtual_mailbox_domains', {
        type: types.pattern,
        text: renderLines('Domains below ours whose mail is for ours.', lines),
      }),
    );
  }

  if (lookup !== undefined) parts.push({ ...noNeeds, lists: [{ name: 'virtual_mailbox_maps', word: lookup }] });
  else {
    const entries = ours.flatMap((domain) => recipientEntries(domain, domains, base));
    parts.push(
      listed('mailboxes', 'virtual_mailbox_maps', {
        type: types.indexed,
        text: renderMap('Recipients, and where their mail rests.', entries),
      }),
    );
    const lines = ofStyle(question, 'lmtp').flatMap((domain) => patternLines(domain, domains));
    if (lines.length > 0 && types.pattern !== undefined)
      parts.push(
        listed('mailboxes_regexp', 'virtual_mailbox_maps', {
          type: types.pattern,
          text: renderLines('Recipients that a pattern stands for.', lines),
        }),
      );
  }
  return together(parts);
}

/**
 * A map of our look-up socket as Postfix names it, through proxymap(8) where smtpd(8) can't reach the socket itself. `undefined`: there is
 * no such socket, or none that can be reached.
 */
export function lookupTable(question: Question, map: string): string | undefined {
  const { listeners, installation } = question;
  if (listeners.socketmap === undefined || !installation.mapTypes.has('socketmap')) return undefined;
  const { queueDir, mapTypes } = installation;
  const chroot = ['smtpd', 'cleanup', 'trivial-rewrite'].some((command) => isChrooted(installation, command));
  const direct = named(listeners.socketmap, chroot, queueDir);
  if (direct !== undefined) return `socketmap:${direct}:${map}`;
  const proxied = mapTypes.has('proxy') ? named(listeners.socketmap, isChrooted(installation, 'proxymap'), queueDir) : undefined;
  return proxied === undefined ? undefined : `proxy:socketmap:${proxied}:${map}`;
}

function recipientEntries(domain: KitDomain, all: readonly KitDomain[], base: string): Entry[] {
  const { name, style, accounts } = domain;
  if (style === 'virtual') {
    return accounts
      .filter(({ user, receives }) => receives && isPlainKey(user))
      .map(({ user, path, format }) => ({ key: `${user}@${name}`, value: `${relative(base, path)}${format === 'maildir' ? '/' : ''}` }));
  }
  const { users, everybody } = recipientsOf(domain, all);
  const entries = users.filter(isPlainKey).map((user) => ({ key: `${user}@${name}`, value: TAKEN }));
  return everybody ? [...entries, { key: `@${name}`, value: TAKEN }] : entries;
}

function patternLines(domain: KitDomain, all: readonly KitDomain[]): string[] {
  const below = domain.foldsSubdomains ? [`/^[^@]+@.+\\.${escaped(domain.name)}$/ ${TAKEN}`] : [];
  return [...recipientsOf(domain, all).patterns.map((pattern) => `/^${ofPattern(pattern)}@${escaped(domain.name)}$/ ${TAKEN}`), ...below];
}

/** A table that has an answer to every question: what comes after it is never asked. */
export function answersEverything(word: string): boolean {
  return /^(static|proxy:static):/.test(word);
}

/** The folder below which style `virtual` names mailboxes. `undefined`: the administrator's own leaves some of them out. */
export function mailboxBase(question: Question): string | undefined {
  const paths = ofStyle(question, 'virtual').flatMap(({ accounts }) => accounts.map(({ path }) => path));
  const own = settingOf(question.installation, 'virtual_mailbox_base').replace(/(?<=.)\/+$/, '');
  if (own !== '') return paths.every((path) => own === '/' || path.startsWith(`${own}/`)) ? own : undefined;
  // Whatever accounts come later: their mailboxes are below it.
  return '/';
}
