/** Kinds of values a setting can have: how each is checked and turned into what the program works with. */
import { isIP, isIPv6, SocketAddress } from 'node:net';
import { resolve } from 'node:path';
import { z } from 'zod';
import { type DomainName, parseDomainName } from '../model/address.ts';
import { parseSize } from '../model/size.ts';
import type { Said } from './problem.ts';

export interface Kind<T> {
  readonly schema: z.ZodType<T>;
  /** What may stand there, for errors, --help and the manual. */
  readonly allowed: Said;
}

/** Where a listener waits. */
export type ListenAddress =
  | {
      readonly kind: 'tcp' /** IPv4 or IPv6 address without brackets. */;
      readonly host: string /** 0: any free one. */;
      readonly port: number;
    }
  | { readonly kind: 'unix'; readonly path: string };

export const boolean: Kind<boolean> = { schema: z.boolean(), allowed: { text: 'true or false' } };

export function integer(min: number, max: number): Kind<number> {
  return { schema: z.number().int().min(min).max(max), allowed: { text: 'a whole number from {min} to {max}', values: { min, max } } };
}

/** Octets. */
export const size: Kind<number> = {
  schema: z.union([z.number(), z.string()]).transform((raw, context) => {
    const octets = parseSize(raw);
    if (octets !== undefined) return octets;
    context.addIssue({ code: 'custom', message: 'not allowed' });
    return z.NEVER;
  }),
  allowed: { text: 'a size such as "500 MB", or a number of octets' },
};

/** `undefined`: "none". */
export const sizeOrNone: Kind<number | undefined> = {
  schema: z.union([z.literal('none').transform(() => undefined), size.schema]),
  allowed: { text: '"none", a size such as "500 MB", or a number of octets' },
};

export function decimal(min: number, max: number): Kind<number> {
  return { schema: z.number().min(min).max(max), allowed: { text: 'a number from {min} to {max}', values: { min, max } } };
}

export function oneOf<const T extends string>(...choices: readonly T[]): Kind<T> {
  return {
    schema: z.enum(choices) as unknown as z.ZodType<T>,
    allowed: { text: 'one of {choices}', values: { choices: choices.map((choice) => `"${choice}"`).join(', ') } },
  };
}

/** A word of its own, or what the other kind takes. */
export function wordOr<const W extends string, T>(word: W, kind: Kind<T>, allowed: Said): Kind<W | T> {
  return { schema: z.union([z.literal(word), kind.schema]), allowed };
}

export function listOf<T>(kind: Kind<T>, allowed: Said, min = 0): Kind<readonly T[]> {
  return { schema: z.array(kind.schema).min(min), allowed };
}

/** One line of text without control characters. */
export const text: Kind<string> = { schema: z.string().regex(/^\P{Cc}*$/u), allowed: { text: 'one line of text' } };

export function textMatching(pattern: RegExp, allowed: Said): Kind<string> {
  return { schema: z.string().regex(pattern), allowed };
}

/** Made absolute from `folder`. */
export function path(folder: string): Kind<string> {
  return {
    schema: z
      .string()
      .regex(/^\P{Cc}+$/u)
      .transform((value) => resolve(folder, value)),
    allowed: { text: 'a path' },
  };
}

/** A path that stays below the folder it is joined to. */
export const pathBelow: Kind<string> = {
  schema: z
    .string()
    .regex(/^[^/\p{Cc}]\P{Cc}*$/u)
    .refine((value) => !value.split('/').includes('..')),
  allowed: { text: 'a relative path without ".."' },
};

/** Empty means none. */
export const optionalDomain: Kind<DomainName | undefined> = {
  schema: parsed((raw) => (raw === '' ? { value: undefined } : wrapped(parseDomainName(raw)))),
  allowed: { text: 'a domain name, or "" for none' },
};

export const domain: Kind<DomainName> = { schema: parsed((raw) => wrapped(parseDomainName(raw))), allowed: { text: 'a domain name' } };

/** As `address/prefix`, in the form that the kernel prints addresses in. */
export const network: Kind<string> = {
  schema: parsed((raw) => wrapped(canonicalNetwork(raw))),
  allowed: { text: 'a network such as 192.0.2.0/24 or 2001:db8::/32' },
};

export const fileMode: Kind<number> = {
  schema: z
    .string()
    .regex(/^0?[0-7]{3}$/)
    .transform((value) => Number.parseInt(value, 8)),
  allowed: { text: 'a file mode in octal digits, such as "0660"' },
};

export function listenAddress(folder: string): Kind<ListenAddress> {
  return {
    schema: parsed((raw) => wrapped(parseListenAddress(raw, folder))),
    allowed: { text: '127.0.0.1:1110, [::1]:1110 or unix:path' },
  };
}

export const tcpAddress: Kind<ListenAddress & { kind: 'tcp' }> = {
  schema: parsed((raw) => {
    const address = parseListenAddress(raw, '/');
    return address?.kind === 'tcp' ? { value: address } : undefined;
  }),
  allowed: { text: '127.0.0.1:9273 or [::1]:9273' },
};

/** The longest path that fits in Linux' sockaddr_un. */
const maxSocketPath = 107;

export function parseListenAddress(raw: string, folder: string): ListenAddress | undefined {
  if (raw.startsWith('unix:')) {
    const given = raw.slice('unix:'.length);
    if (!/^\P{Cc}+$/u.test(given)) return undefined;
    const whole = resolve(folder, given);
    return Buffer.byteLength(whole) <= maxSocketPath ? { kind: 'unix', path: whole } : undefined;
  }
  const [, six, four, digits] = /^(?:\[([^\]]*)\]|([^:]*)):(\d{1,5})$/.exec(raw) ?? [];
  const port = Number(digits);
  if (digits === undefined || port > 65535) return undefined;
  const host = six === undefined ? four : isIPv6(six) && !six.includes('%') ? six : undefined;
  if (host === undefined || (six === undefined && isIP(host) !== 4)) return undefined;
  return { kind: 'tcp', host: canonicalAddress(host) ?? host, port };
}

/** The address as the kernel prints it, with an IPv4-mapped one as IPv4; `undefined` for what is no address. */
export function canonicalAddress(raw: string): string | undefined {
  const family = isIP(raw);
  if (family === 0 || raw.includes('%')) return undefined;
  const { address } = new SocketAddress({ address: raw, family: family === 4 ? 'ipv4' : 'ipv6' });
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(address);
  return mapped?.[1] ?? address;
}

/** A bare address is a network of its own. */
function canonicalNetwork(raw: string): string | undefined {
  const [, address = '', digits] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(raw) ?? [];
  const canonical = canonicalAddress(address);
  if (canonical === undefined) return undefined;
  const longest = isIP(canonical) === 4 ? 32 : 128;
  const prefix = digits === undefined ? longest : Number(digits);
  return prefix <= longest ? `${canonical}/${prefix}` : undefined;
}

/** A box, since `undefined` is a value that some kinds have. */
function wrapped<T>(value: T | undefined): { value: T } | undefined {
  return value === undefined ? undefined : { value };
}

function parsed<T>(parse: (raw: string) => { value: T } | undefined): z.ZodType<T> {
  return z.string().transform((raw, context) => {
    const found = parse(raw);
    if (found) return found.value;
    context.addIssue({ code: 'custom', message: 'not allowed' });
    return z.NEVER;
  });
}
