/** What ties a login to its TLS connection, so that whoever sits in between can't pass it on. RFC 9266 and RFC 5929. */
import { createHash } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import type { ChannelBinding } from '../sasl/index.ts';
import { signatureHash } from './certificateSignature.ts';

export class TlsChannelBinding implements ChannelBinding {
  readonly #socket: TLSSocket;

  constructor(socket: TLSSocket) {
    this.#socket = socket;
  }

  data(type: string): Buffer | undefined {
    if (this.#socket.destroyed) return undefined;
    if (type === 'tls-exporter') return exporter(this.#socket);
    if (type === 'tls-server-end-point') return endPoint(this.#socket.getX509Certificate()?.raw);
    return undefined;
  }
}

/** RFC 9266 section 4.2: below TLS 1.3 it takes an extended master secret, and Node doesn't say whether there is one. */
function exporter(socket: TLSSocket): Buffer | undefined {
  if (socket.getProtocol() !== 'TLSv1.3') return undefined;
  return socket.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0));
}

/** RFC 5929 section 4.1. @param certificate the server's own, DER */
export function endPoint(certificate: Buffer | undefined): Buffer | undefined {
  const hash = certificate && signatureHash(certificate);
  return certificate && hash !== undefined ? createHash(hash).update(certificate).digest() : undefined;
}
