/** What the tests of this room begin with. */
import { parseAddress } from '../model/address.ts';
import type { Mailbox } from '../model/mailbox.ts';
import type { Recipient } from './request.ts';

export const octetsOf = (lines: readonly string[]) => Buffer.from(lines.map((line) => `${line}\r\n`).join(''));

export function mailboxOf(name: string): Mailbox {
  const address = parseAddress(name);
  if (address === undefined) throw new Error(`${name} is no address`);
  return { name, user: address.user, domain: address.domain, home: undefined, owner: undefined };
}

export const kvt: Recipient = { mailbox: mailboxOf('kvt@kvt.dk'), hostDomain: 'mail.kvt.dk' };

/** As Postfix and we put them before a message. */
export const trace = [
  'Return-Path: <ada@example.org>',
  'Delivered-To: kvt@kvt.dk',
  'X-Original-To: alias@kvt.dk',
  'Received: from mail.example.org by mail.kvt.dk with LMTP id 1',
  '\tfor <kvt@kvt.dk>; Sun, 29 Nov 2026 09:00:00 +0000',
];

/** A message that asks for a receipt, and may have one. */
export const asking = [
  ...trace,
  'From: Ada Lovelace <ada@example.org>',
  'To: Kvt <alias@kvt.dk>',
  'Subject: =?utf-8?q?bl=C3=A5b=C3=A6r?=',
  'Date: Sun, 29 Nov 2026 08:59:00 +0000',
  'Message-ID: <1@example.org>',
  'Disposition-Notification-To: Ada Lovelace <ada@example.org>',
];
