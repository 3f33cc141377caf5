/** Style `lmtp`: Postfix asks who there is and hands mail to our LMTP socket. */
import { named } from './endpoints.ts';
import { type Installation, isChrooted, settingOf, words } from './installation.ts';
import { renderLines, renderMap } from './mapFile.ts';
import type { MapTypes } from './mapTypes.ts';
import { conflict, type MapNeed, type Needs, noNeeds, ownMap, ownPath, together } from './needs.ts';
import { ofStyle, type Question } from './question.ts';
import { escaped } from './regexp.ts';

/** Name of our own service in master.cf, where Postfix's `lmtp` can't reach the socket. */
export const ownService = 'postkasse';
/** The domain that mail has between `.forward` and our LMTP socket. RFC 2606 keeps it from being anybody's. */
export const innerDomain = 'postkasse.invalid';

/** @returns the transport that leads to our LMTP socket, and what it takes to have it */
export function lmtpTransport(question: Question): { readonly transport: string; readonly needs: Needs } | Needs {
  const { installation, listeners, types } = question;
  if (listeners.lmtp === undefined) return conflict('the settings have no listener with protocol = "lmtp"');
  const { queueDir, services } = installation;
  const isThere = (service: string) => services.some(({ name, type }) => name === service && type === 'unix');
  const inner = ofStyle(question, 'jth-lmtp').length > 0 ? innerMap(types) : undefined;
  const direct = named(listeners.lmtp, isChrooted(installation, 'lmtp'), queueDir);
  if (inner === undefined && !isThere(ownService) && isThere('lmtp') && direct !== undefined)
    return { transport: `lmtp:${direct}`, needs: noNeeds };
  const options = inner === undefined ? '' : ` -o lmtp_generic_maps=${ownMap(installation.configDir, inner)}`;
  return {
    transport: `${ownService}:${named(listeners.lmtp, false, queueDir)}`,
    needs: { ...noNeeds, maps: inner === undefined ? [] : [inner], services: [`${ownService} unix - - n - - lmtp${options}`] },
  };
}

/** Our LMTP socket is asked about the address that was written to, rather than the one in `.forward`. */
function innerMap(types: MapTypes): MapNeed {
  const line = `/^(.+)--([^@]+)@${escaped(innerDomain)}$/ $1@$2`;
  const text = renderLines('What our LMTP socket gets instead of addresses that .forward files name.', [line]);
  return { name: 'inner_regexp', type: types.pattern ?? 'regexp', text };
}

/**
 * Where there are no other mailbox domains on the host virtual_transport leads to us; where there are some it stays theirs, and a
 * transport map says so for each of our domains.
 */
export function lmtpNeeds(question: Question): Needs {
  const domains = ofStyle(question, 'lmtp');
  const inner = ofStyle(question, 'jth-lmtp').length > 0;
  if (domains.length === 0 && !inner) return noNeeds;
  const found = lmtpTransport(question);
  if (!('transport' in found)) return found;
  const { transport, needs } = found;
  const { installation, types } = question;
  const parts = [needs];
  const isWhole = domains.length > 0 && isOnlyUs(question, transport);
  if (isWhole) parts.push({ ...noNeeds, values: [{ name: 'virtual_transport', value: transport, when: 'always' }] });
  const entries = isWhole
    ? []
    : domains.flatMap(({ name, foldsSubdomains }) => [
        { key: name, value: transport },
        ...(foldsSubdomains ? [{ key: `.${name}`, value: transport }] : []),
      ]);
  if (inner) entries.push({ key: innerDomain, value: transport });
  if (entries.length > 0) {
    const map = { name: 'transport', type: types.indexed, text: renderMap('Where mail for these domains goes.', entries) };
    parts.push({ ...noNeeds, maps: [map], lists: [{ name: 'transport_maps', word: ownMap(installation.configDir, map) }] });
  }
  return together(parts);
}

/** No domain with mailboxes is anybody else's than ours and of another style. */
function isOnlyUs(question: Question, transport: string): boolean {
  const { installation } = question;
  const written = installation.written.get('virtual_transport');
  if (ofStyle(question, 'virtual').length > 0) return false;
  if (written !== undefined) return words(settingOf(installation, 'virtual_transport')).join() === transport;
  return !hasOtherMailboxDomains(installation, new Set(question.domains.map(({ name }) => name)));
}

function hasOtherMailboxDomains({ written, effective, configDir }: Installation, ours: ReadonlySet<string>): boolean {
  if (!written.has('virtual_mailbox_domains') && !written.has('virtual_mailbox_maps')) return false;
  const names = words(effective.get('virtual_mailbox_domains') ?? '');
  return names.some((name) => !name.includes(ownPath(configDir, '')) && !ours.has(name));
}
