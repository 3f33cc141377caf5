/** How Postfix reaches our LMTP, as transport(5) has it. */
export type LmtpAddress =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string /** 0: nobody knows which. */; readonly port: number };

/** `undefined` where it can't be said. */
export function lmtpTransport(address: LmtpAddress | undefined): string | undefined {
  if (address === undefined) return undefined;
  if (address.kind === 'unix') return `lmtp:unix:${address.path}`;
  if (address.port === 0) return undefined;
  // What listens everywhere is reached by the nearest way.
  const host = address.host === '0.0.0.0' ? '127.0.0.1' : address.host === '::' ? '::1' : address.host;
  return `lmtp:inet:[${host}]:${address.port}`;
}
