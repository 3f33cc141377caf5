/** A mailbox and mail for tests of stores. */
import { parseAddress } from '../../src/model/address.ts';
import type { Envelope } from '../../src/model/envelope.ts';
import type { Mailbox } from '../../src/model/mailbox.ts';

export const envelope: Envelope = {
  sender: 'ada@example.org',
  recipient: 'abc@kvt.dk',
  originalRecipient: 'abc@kvt.dk',
  receivedAt: new Date('2026-03-04T05:06:07Z'),
};

export function mailboxNamed(name: string): Mailbox {
  const address = parseAddress(name);
  if (address === undefined) throw new Error(`no address: ${name}`);
  return { name, ...address, home: undefined, owner: undefined };
}

export function text(subject: string, body = 'Hello.\r\n'): Buffer {
  return Buffer.from(`Subject: ${subject}\r\n\r\n${body}`, 'latin1');
}
