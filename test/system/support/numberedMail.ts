/** Messages that can be told from each other, and of which every octet is known from the name in their subject. */
import { createHash } from 'node:crypto';
import { headerFields } from '../../../src/message/header.ts';

/** Fields that a transport puts on top. RFC 5321 section 4.4. */
const traceNames = new Set(['return-path', 'delivered-to', 'x-original-to', 'received']);

/** Lines end in CRLF. Between 200 octets and some 20,000, with what is treated specially on the way. */
export function composed(name: string): Buffer {
  const chance = createHash('sha256').update(name).digest();
  const lines = [
    'From: Ada <ada@example.org>',
    'To: abc@kvt.dk',
    `Subject: ${name}`,
    'Date: Thu, 01 Jan 2026 00:00:00 +0000',
    `Message-ID: <${name}@example.org>`,
    '',
    name,
  ];
  const count = chance.readUInt16LE(0) % (chance.readUInt8(2) < 32 ? 300 : 20);
  for (let n = 0; n < count; n++) {
    const octet = chance.readUInt8(n % chance.length);
    const start = ['', '.', '..', 'From ', 'From: ', '\xe6\xf8\xe5', '\t', 'x'][octet % 8] ?? '';
    lines.push(octet < 24 ? '' : `${start}${String(n).repeat(octet % 33)}`);
  }
  return Buffer.from(`${lines.join('\r\n')}\r\nend of ${name}\r\n`, 'latin1');
}

/** Trace fields on top and the `Status:` that an mbox keeps are left out: what was sent, as far as it is there. */
export function contentOf(retrieved: Buffer): Buffer {
  const pieces: Buffer[] = [];
  let onTop = true;
  let end = 0;
  for (const field of headerFields(retrieved)) {
    const name = field.name.toLowerCase();
    onTop &&= traceNames.has(name);
    if (!onTop && name !== 'status') pieces.push(retrieved.subarray(field.start, field.end));
    end = field.end;
  }
  return Buffer.concat([...pieces, retrieved.subarray(end)]);
}

/** The name of a message that came by POP3; `undefined` when an octet of it is missing or not as it was sent. */
export function nameOf(retrieved: Buffer): string | undefined {
  const content = contentOf(retrieved);
  const name = /^Subject: (.*)\r$/m.exec(content.toString('latin1'))?.[1];
  return name !== undefined && content.equals(composed(name)) ? name : undefined;
}
