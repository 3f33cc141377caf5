/** A mailbox as it stands in an envelope: `Local-part@Domain`, RFC 5321 section 4.1.2. */

export interface EnvelopeAddress {
  /** With quotes and backslashes undone; case as written. Not yet safe for a path: `parseUserName` decides that. */
  readonly local: string;
  /** As written; also an address literal such as `[192.0.2.1]`. Not yet safe for a path either. */
  readonly domain: string;
}

/** `undefined` for what has no local part or no domain. Dots may stand where RFC 5321 has none: such addresses are in use. */
export function parseEnvelopeAddress(path: string): EnvelopeAddress | undefined {
  const quoted = /^"((?:[^"\\]|\\.)*)"@(.+)$/s.exec(path);
  const [, local, domain] = quoted ?? /^([^"@\s]+)@([^@\s]+)$/.exec(path) ?? [];
  if (local === undefined || domain === undefined || /[@\s"<>]/.test(domain)) return undefined;
  const unquoted = quoted ? local.replace(/\\(.)/gs, '$1') : local;
  return unquoted === '' ? undefined : { local: unquoted, domain };
}
