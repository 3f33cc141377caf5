/** What has to be changed in main.cf and master.cf, so that what is needed is so: nothing that is so already, and nothing more. */
import { type Installation, optionOf, words } from './installation.ts';
import { answersEverything } from './mailboxDomains.ts';
import { type Needs, ownPath } from './needs.ts';

/** `undefined`: main.cf doesn't say, and Postfix's default holds. */
export interface SettingChange {
  readonly name: string;
  readonly before: string | undefined;
  readonly after: string | undefined;
}

/** Lists that only we would need: words of ours that nobody needs any more are taken out of these. */
const listNames = [
  'virtual_mailbox_domains',
  'virtual_mailbox_maps',
  'virtual_alias_maps',
  'virtual_alias_domains',
  'virtual_uid_maps',
  'virtual_gid_maps',
  'transport_maps',
] as const;

/** In order of their names. */
export function settingChanges(installation: Installation, needs: Needs): SettingChange[] {
  const { written } = installation;
  const after = new Map<string, string | undefined>();
  for (const name of new Set([...listNames, ...needs.lists.map((list) => list.name)])) {
    const wanted = needs.lists.filter((list) => list.name === name).map(({ word }) => word);
    after.set(name, extended(installation, name, [...new Set(wanted)]));
  }
  for (const { name, words: said, before } of needs.restrictions) {
    const value = after.has(name) ? after.get(name) : baseOf(installation, name);
    after.set(name, withRestriction(value ?? '', said, before));
  }
  for (const { name, value, when } of needs.values) {
    if (when === 'unset' && written.has(name)) continue;
    if (installation.effective.get(name) !== value) after.set(name, value);
  }
  if (!needs.values.some(({ name }) => name === 'virtual_transport') && isOurTransport(written.get('virtual_transport')))
    after.set('virtual_transport', undefined);
  const proxied = proxyReadMaps(installation, after);
  if (proxied !== undefined) after.set('proxy_read_maps', proxied);
  return [...after]
    .map(([name, value]) => ({ name, before: written.get(name), after: value }))
    .filter((change) => change.before !== change.after)
    .sort((one, other) => (one.name < other.name ? -1 : 1));
}

/** Left over from a time when all mailbox domains were of style `lmtp`. */
function isOurTransport(value: string | undefined): boolean {
  return value?.startsWith('postkasse:') === true;
}

/** The lines of master.cf that aren't there as they should be. */
export function serviceChanges({ services }: Installation, needs: Needs): string[] {
  return needs.services.filter((line) => {
    const [name, type, , , , , , command, ...options] = line.split(' ');
    const found = services.find((service) => service.name === name && service.type === type);
    return found === undefined || found.chroot || found.command !== command || found.options !== options.join(' ');
  });
}

/** As `postconf -P` takes them: options that the service doesn't have, or has otherwise. */
export function optionChanges({ services }: Installation, needs: Needs): string[] {
  return needs.options
    .filter(({ service, name, value }) => {
      const found = services.find((one) => `${one.name}/${one.type}` === service);
      return found !== undefined && optionOf(found, name) !== value;
    })
    .map(({ service, name, value }) => `${service}/${name}=${value}`);
}

function extended(installation: Installation, name: string, wanted: readonly string[]): string | undefined {
  const written = installation.written.get(name);
  const base = baseOf(installation, name);
  const isOurs = (word: string) => word.includes(ownPath(installation.configDir, ''));
  const before = words(base);
  const kept = before.filter((word) => !isOurs(word) || wanted.includes(word));
  const missing = wanted.filter((word) => !kept.includes(word));
  if (missing.length === 0 && kept.length === before.length) return written;
  const everything = kept.findIndex(answersEverything);
  // As it was written, where something is only added to it.
  if (kept.length === before.length && everything < 0) return before.length === 0 ? missing.join(', ') : `${base}, ${missing.join(', ')}`;
  const at = everything < 0 ? kept.length : everything;
  const all = [...kept.slice(0, at), ...missing, ...kept.slice(at)];
  return all.length === 0 ? undefined : all.join(', ');
}

/** What a list is extended from: what is written, else the default without those of its words that come to nothing. */
function baseOf({ written, defaults, effective }: Installation, name: string): string {
  const own = written.get(name);
  if (own !== undefined) return own.replace(/,\s*$/, '');
  const usual = defaults.get(name) ?? '';
  const isEmpty = (word: string) => /^\$\w+$/.test(word) && (effective.get(word.slice(1)) ?? '') === '';
  return words(usual)
    .filter((word) => !isEmpty(word))
    .join(', ');
}

function withRestriction(value: string, said: string, before: readonly string[]): string {
  if (value.includes(said)) return value;
  const first = new RegExp(`(?<=^|[\\s,])(?:${before.join('|')})(?=$|[\\s,])`);
  const at = before.length === 0 ? undefined : first.exec(value)?.index;
  if (at !== undefined) return `${value.slice(0, at)}${said}, ${value.slice(at)}`;
  return value === '' ? said : `${value}, ${said}`;
}

/** Where somebody lists what proxymap(8) may read, what we have it read is added. */
function proxyReadMaps({ written }: Installation, after: ReadonlyMap<string, string | undefined>): string | undefined {
  const own = written.get('proxy_read_maps');
  if (own === undefined) return undefined;
  const proxied = [...after].filter(([, value]) => value?.includes('proxy:socketmap:')).map(([name]) => `$${name}`);
  const missing = proxied.filter((word) => !words(own).includes(word));
  return missing.length === 0 ? undefined : `${own}, ${missing.join(', ')}`;
}
