/** Mailboxes to measure with, of ordinary mail: 76-column text, a dozen header fields. Both formats hold the same messages. */
import { chmodSync, chownSync, closeSync, fchownSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Login } from './pop3Load.ts';

export type Format = 'mbox' | 'maildir';
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

export const domain = 'bench.example';
export const password = 'secret';

/** A domain with all that belongs to one Unix user. */
export interface OwnedDomain {
  readonly name: string;
  readonly owner: Owner;
  readonly logins: readonly Login[];
}

/** `user0@bench.example` … */
export function benchLogins(count: number): Login[] {
  return Array.from({ length: count }, (_, n) => ({ user: `user${n}@${domain}`, password }));
}

/** Nobody of the host: a number is all that an owner needs. */
const firstUid = 20_000;

/** As many users, dealt out to domains of Unix users of their own: `user0@d0.bench.example`, `user1@d1.bench.example` … */
export function ownedDomains(owners: number, users: number): OwnedDomain[] {
  return Array.from({ length: owners }, (_, k) => {
    const name = `d${k}.${domain}`;
    const numbers = Array.from({ length: users }, (_, n) => n).filter((n) => n % owners === k);
    const logins = numbers.map((n) => ({ user: `user${n}@${name}`, password }));
    return { name, owner: { uid: firstUid + k, gid: firstUid + k }, logins };
  });
}

/** The logins of all domains, those of one domain far apart. */
export function loginsInTurn(domains: readonly OwnedDomain[]): Login[] {
  const most = Math.max(...domains.map(({ logins }) => logins.length));
  return Array.from({ length: most }, (_, n) => domains.flatMap(({ logins }) => logins[n] ?? [])).flat();
}

/** Mailboxes `<spool>/<domain>/<user>`, each with so many messages. */
export function makeMailboxes(options: {
  spool: string;
  format: Format;
  domains: readonly OwnedDomain[];
  messages: number;
  size: number;
}): void {
  const { spool, format, domains, messages, size } = options;
  mkdirSync(spool, { recursive: true });
  chmodSync(spool, 0o755);
  for (const { name, owner, logins } of domains) {
    makeDir(join(spool, name), owner);
    for (const { user } of logins) {
      const path = join(spool, name, localPart(user));
      if (format === 'mbox') makeMbox(path, owner, messages, size);
      else makeMaildir(path, owner, messages, size);
    }
  }
}

export function localPart(user: string): string {
  return user.slice(0, user.indexOf('@'));
}

export function makeMbox(path: string, owner: Owner, messages: number, size: number): void {
  const fd = openSync(path, 'w', 0o600);
  fchownSync(fd, owner.uid, owner.gid);
  let batch: Buffer[] = [];
  let held = 0;
  for (let n = 0; n < messages; n++) {
    const octets = mboxMessage(n, size);
    batch.push(octets);
    held += octets.length;
    if (held > 4_000_000 || n === messages - 1) {
      writeSync(fd, Buffer.concat(batch));
      [batch, held] = [[], 0];
    }
  }
  closeSync(fd);
}

/** One more message, as a delivery would append it. */
export function appendToMbox(path: string, n: number, size: number): void {
  const fd = openSync(path, 'a');
  writeSync(fd, mboxMessage(n, size));
  closeSync(fd);
}

export function makeMaildir(path: string, owner: Owner, messages: number, size: number): void {
  for (const dir of [path, join(path, 'cur'), join(path, 'new'), join(path, 'tmp')]) makeDir(dir, owner);
  for (let n = 0; n < messages; n++) {
    const octets = message(n, size);
    const lines = octets.toString('latin1').split('\n').length - 1;
    const name = `${firstSecond + n}.M${n}P1.${hostname()},S=${octets.length},W=${octets.length + lines}:2,`;
    const fd = openSync(join(path, 'cur', name), 'w', 0o600);
    fchownSync(fd, owner.uid, owner.gid);
    writeSync(fd, octets);
    closeSync(fd);
  }
}

const firstSecond = Date.UTC(2010, 10, 22) / 1000;
const words = 'Grød er en spise af kogte gryn og den serveres med smør kanel og sukker paa en kold aften i november naar det blæser.'.split(
  ' ',
);
/** Enough prose for the largest message, in lines of up to 76 columns. */
const prose = makeProse(200_000);

function makeProse(size: number): Buffer {
  let text = '';
  let line = '';
  for (let n = 0; text.length < size; n++) {
    const word = words[(n * 7) % words.length] ?? '';
    if (line.length + word.length + 1 > 76) {
      text += `${line}\n`;
      line = word;
    } else {
      line += line === '' ? word : ` ${word}`;
    }
    if (n % 97 === 96) {
      text += `${line}\n\n`;
      line = '';
    }
  }
  return Buffer.from(text, 'latin1');
}

/** About `size` octets; ends in a line end. */
function message(n: number, size: number): Buffer {
  const header = Buffer.from(
    [
      `Return-Path: <sender${n % 50}@example.org>`,
      `Received: from relay.example.net (relay.example.net [192.0.2.${n % 250}])`,
      `\tby mail.${domain} (Postfix) with ESMTP id ${n.toString(16).toUpperCase().padStart(10, '0')}`,
      `\tfor <user@${domain}>; Mon, 22 Nov 2010 16:47:00 +0100 (CET)`,
      `From: Sender ${n % 50} <sender${n % 50}@example.org>`,
      `To: user@${domain}`,
      `Subject: Message number ${n} about porridge`,
      `Message-ID: <${n}.bench@example.org>`,
      'Date: Mon, 22 Nov 2010 16:47:00 +0100',
      'MIME-Version: 1.0',
      'Content-Type: text/plain; charset=iso-8859-1',
      'Content-Transfer-Encoding: 8bit',
      '',
      '',
    ].join('\n'),
  );
  const wanted = Math.max(1, size - header.length);
  const end = prose.lastIndexOf('\n', wanted) + 1;
  return Buffer.concat([header, end > 0 ? prose.subarray(0, end) : Buffer.from('x\n')]);
}

function mboxMessage(n: number, size: number): Buffer {
  return Buffer.concat([Buffer.from(`From sender${n % 50}@example.org  Mon Nov 22 16:47:00 2010\n`), message(n, size), Buffer.from('\n')]);
}

function makeDir(path: string, owner: Owner): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  chownSync(path, owner.uid, owner.gid);
}
