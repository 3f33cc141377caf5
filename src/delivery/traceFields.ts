/** The lines that delivery puts before a message. RFC 5321 section 4.4. */
import { isIPv6 } from 'node:net';

/** How the message came to us. */
export interface Reception {
  /** As registered for the "with" of a Received line: LMTP, ESMTP, UTF8LMTP … RFC 3848 and RFC 6531. */
  readonly protocol: string;
  /** What the client called itself. */
  readonly clientName: string;
  /** `undefined` over a Unix socket. */
  readonly clientAddress: string | undefined;
  /** What we call ourselves. */
  readonly hostname: string;
  /** Of this transaction, as in the log. */
  readonly id: string;
}

export interface TraceEnvelope {
  readonly sender: string;
  readonly recipient: string;
  readonly originalRecipient: string;
  readonly receivedAt: Date;
}

/** Return-Path, Delivered-To, X-Original-To and Received, each ended by CRLF. `deliveredTo`: the mailbox's name. */
export function traceFields(deliveredTo: string, envelope: TraceEnvelope, reception: Reception): string {
  return (
    `Return-Path: <${envelope.sender}>\r\n` +
    `Delivered-To: ${deliveredTo}\r\n` +
    `X-Original-To: ${envelope.originalRecipient}\r\n` +
    received(envelope, reception)
  );
}

/** Of a message that goes on from here: Delivered-To, by which we know it again if it comes back, and Received. Return-Path is for its last stop. */
export function onwardFields(envelope: TraceEnvelope, reception: Reception): string {
  return `Delivered-To: ${envelope.recipient}\r\n${received(envelope, reception)}`;
}

function received(envelope: TraceEnvelope, { protocol, clientName, clientAddress, hostname, id }: Reception): string {
  const address = clientAddress === undefined ? '' : ` ([${isIPv6(clientAddress) ? `IPv6:${clientAddress}` : clientAddress}])`;
  return (
    `Received: from ${helo(clientName)}${address}\r\n` +
    `\tby ${hostname} with ${protocol} id ${id}\r\n` +
    `\tfor <${envelope.recipient}>; ${mailDate(envelope.receivedAt)}\r\n`
  );
}

/** Only what RFC 5321 allows in a domain or address literal: a client may call itself anything. */
function helo(name: string): string {
  return name.replace(/[^\w.:[\]-]/gu, '?');
}

/** RFC 5322 section 3.3, in UTC. */
export function mailDate(date: Date): string {
  return date.toUTCString().replace(/GMT$/, '+0000');
}
