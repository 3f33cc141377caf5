/** What can only be seen when settings are looked at together, or when the disc is asked. */
import { accessSync, constants, statSync } from 'node:fs';
import { Networks } from '../model/networks.ts';
import { questionProtocols } from '../model/report.ts';
import { findGroup, findUser } from '../os/users.ts';
import type { ListenAddress } from './kinds.ts';
import type { Reader } from './reader.ts';

type Path = readonly (string | number)[];

/** Settings as far as they are right one by one; what was wrong is missing. */
export interface Together {
  readonly user?: string;
  readonly group?: string;
  readonly listen: readonly {
    readonly protocol?: string;
    readonly address?: ListenAddress;
    readonly mode?: number;
    readonly group?: string;
    readonly proxyProtocolFrom?: readonly string[];
    readonly map?: string;
    readonly allowRemote?: boolean;
  }[];
  readonly metrics: { readonly address?: ListenAddress; readonly allowRemote?: boolean };
  /** Places in the file that may name a certificate and its key, with the paths found there. */
  readonly pairs: readonly { readonly path: Path; readonly certificate?: string; readonly key?: string }[];
}

/** Complaints go to the reader, which knows the lines. `checkHost`: whether to ask the host for its files and users. */
export function checkTogether(together: Together, reader: Reader, checkHost: boolean): void {
  checkListeners(together, reader);
  checkMetrics(together, reader);
  if (checkHost) checkOwner(together, reader);
  for (const { path, certificate, key } of together.pairs) {
    const hasCertificate = reader.at([...path, 'certificate']) !== undefined;
    const hasKey = reader.at([...path, 'key']) !== undefined;
    if (hasCertificate && !hasKey) reader.complain([...path, 'certificate'], { text: 'there is a certificate, but no key' });
    if (hasKey && !hasCertificate) reader.complain([...path, 'key'], { text: 'there is a key, but no certificate' });
    if (!hasKey && !hasCertificate && path.length > 1) reader.complain(path, { text: 'certificate and key are missing' });
    if (!checkHost) continue;
    if (certificate !== undefined) checkFile(certificate, [...path, 'certificate'], reader);
    if (key !== undefined) checkFile(key, [...path, 'key'], reader);
  }
}

function checkListeners({ listen }: Together, reader: Reader): void {
  const taken = new Set<string>();
  for (const [i, { protocol, address, mode, group, proxyProtocolFrom = [] }] of listen.entries()) {
    if (address === undefined) continue;
    const name = formatListenAddress(address);
    // Port 0 is a different one each time.
    if (taken.has(name) && !(address.kind === 'tcp' && address.port === 0))
      reader.complain(['listen', i, 'address'], { text: 'two listeners have the address {address}', values: { address: name } });
    taken.add(name);
    if (address.kind === 'tcp' && mode !== undefined)
      reader.complain(['listen', i, 'mode'], { text: '{key} is for Unix sockets only', values: { key: 'listen.mode' } });
    if (address.kind === 'tcp' && group !== undefined)
      reader.complain(['listen', i, 'group'], { text: '{key} is for Unix sockets only', values: { key: 'listen.group' } });
    // Whoever reaches it says himself where his client comes from, and passwords cross as they are.
    if (address.kind === 'tcp' && protocol === 'sasl' && !loopback.has(address.host))
      reader.complain(['listen', i, 'address'], { text: '{key} is for Unix sockets and this host only', values: { key: 'sasl' } });
    if (protocol === 'sasl' && proxyProtocolFrom.length > 0)
      reader.complain(['listen', i, 'proxy_protocol_from'], {
        text: '{key} is not for {protocol}',
        values: { key: 'listen.proxy_protocol_from', protocol: 'sasl' },
      });
    else if (address.kind === 'unix' && proxyProtocolFrom.length > 0)
      reader.complain(['listen', i, 'proxy_protocol_from'], {
        text: '{key} is not for Unix sockets',
        values: { key: 'listen.proxy_protocol_from' },
      });
    checkQuestions(listen[i], i, reader);
    // Limits, delays and the rule about passwords without TLS go by where a client comes from, and there it comes from nowhere.
    if (address.kind === 'unix' && (protocol === 'pop3' || protocol === 'pop3s'))
      reader.complain(['listen', i, 'address'], { text: '{key} is not for Unix sockets', values: { key: protocol } });
  }
}

/** What belongs to listeners that Postfix asks, and to no others. Who may ask them learns who exists. */
function checkQuestions(listener: Together['listen'][number] | undefined, i: number, reader: Reader): void {
  const { protocol, address, proxyProtocolFrom = [], map, allowRemote } = listener ?? {};
  const notFor = (key: string) =>
    reader.complain(['listen', i, key], {
      text: '{key} is not for {protocol}',
      values: { key: `listen.${key}`, protocol: protocol ?? '' },
    });
  if (protocol === 'tcp-table' && map === undefined && reader.at(['listen', i, 'map']) === undefined)
    reader.complain(['listen', i], { text: '{key} is missing', values: { key: 'listen.map' } });
  if (protocol !== 'tcp-table' && map !== undefined) notFor('map');
  const isAsked = (questionProtocols as readonly (string | undefined)[]).includes(protocol);
  if (!isAsked && allowRemote === true) notFor('allow_remote');
  if (!isAsked) return;
  if (address?.kind === 'tcp' && proxyProtocolFrom.length > 0) notFor('proxy_protocol_from');
  if (address?.kind === 'tcp' && !loopback.has(address.host) && allowRemote !== true)
    reader.complain(['listen', i, 'address'], {
      text: '{key} can be reached from other hosts; set {setting} = true if that is meant',
      values: { key: 'listen.address', setting: 'allow_remote' },
    });
}

/** Figures are nobody's business who isn't on this host, unless the settings say so. */
function checkMetrics({ metrics: { address, allowRemote }, listen }: Together, reader: Reader): void {
  if (address?.kind !== 'tcp') return;
  if (!loopback.has(address.host) && allowRemote !== true)
    reader.complain(['metrics', 'address'], {
      text: '{key} can be reached from other hosts; set {setting} = true if that is meant',
      values: { key: 'metrics.address', setting: 'allow_remote' },
    });
  const name = formatListenAddress(address);
  if (address.port !== 0 && listen.some((other) => other.address !== undefined && formatListenAddress(other.address) === name))
    reader.complain(['metrics', 'address'], { text: 'two listeners have the address {address}', values: { address: name } });
}

const loopback = new Networks(['127.0.0.0/8', '::1/128']);

/** A host without them would stop a start by root; anybody else's start stays who it is. */
function checkOwner({ user, group }: Together, reader: Reader): void {
  const isRoot = process.geteuid?.() === 0;
  const found = user === undefined ? undefined : findUser(user);
  const gid = group === undefined ? found?.gid : findGroup(group);
  const isNeeded = (key: string) => isRoot || reader.at([key]) !== undefined;
  if (user !== undefined && found === undefined && isNeeded('user'))
    reader.complain(['user'], { text: 'the host has no user {name}', values: { name: user } });
  if (group !== undefined && gid === undefined)
    reader.complain(['group'], { text: 'the host has no group {name}', values: { name: group } });
  if (found?.uid === 0) reader.complain(['user'], { text: 'mail is never handled as root' });
  else if (gid === 0) reader.complain([group === undefined ? 'user' : 'group'], { text: 'mail is never handled as root' });
}

/** As it is written in the settings file. */
export function formatListenAddress(address: ListenAddress): string {
  if (address.kind === 'unix') return `unix:${address.path}`;
  return `${address.host.includes(':') ? `[${address.host}]` : address.host}:${address.port}`;
}

function checkFile(file: string, path: Path, reader: Reader): void {
  try {
    accessSync(file, constants.R_OK);
    if (!statSync(file).isFile()) reader.complain(path, { text: '{path} is no file', values: { path: file } });
  } catch (thrown) {
    const detail = (thrown as NodeJS.ErrnoException).code ?? 'error';
    reader.complain(path, { text: '{path} cannot be read: {detail}', values: { path: file, detail } });
  }
}
