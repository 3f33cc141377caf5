/** A running server with mailboxes for clients to fetch from, and a certificate they can trust. */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MailClient } from './mailClient.ts';
import { type NastyMessage, writeMaildir, writeMbox } from './nastyMail.ts';
import { makeTree, type Server, startServer } from './server.ts';

export const formats = ['mbox', 'maildir'] as const;
export type Format = (typeof formats)[number];

export interface ClientHouse {
  readonly server: Server;
  /** Private folder for settings and state of a client. */
  home(name: string): string;
  /** Hands a folder to the user mail belongs to, for a client that doesn't run as root. */
  own(path: string): void;
  /** File with the server's certificate, which is for `localhost`. */
  readonly certificate: string;
  /** Fills a mailbox nobody has used yet. The same password opens all of them. @returns the login */
  mailbox(format: Format, messages: readonly NastyMessage[]): string;
  /** How that mailbox was opened first: `CRAM-MD5`, or with encryption `CRAM-MD5, TLS`. To be asked when it was. */
  method(login: string): Promise<string>;
  /** Delivers more, by LMTP. */
  add(login: string, messages: readonly NastyMessage[]): Promise<void>;
  close(): Promise<void>;
}

export const password = 'sesam, luk dig op';

const count = 60;

/** Clear-text passwords, so that every mechanism can be had. */
export async function openClientHouse(settings: Readonly<Record<string, readonly string[]>> = {}): Promise<ClientHouse> {
  const logins = Array.from({ length: count }, (_, n) => `user${n}`);
  const tree = makeTree({ passwd: new Map([['kvt.dk', logins.map((user) => `${user}:{PLAIN}${password}:UID:GID:Anybody:.:`)]]) });
  const server = await startServer({
    tree,
    protocols: ['pop3', 'pop3s', 'lmtp'],
    settings: { ...settings, '': ['hostname = "localhost"', ...(settings[''] ?? [])] },
  });
  const certificate = join(tree.folder, 'certificate.pem');
  // The file holds the key, too, and that is none of the clients' business.
  writeFileSync(certificate, new X509Certificate(readFileSync(join(tree.folder, 'state', 'self-signed.pem'))).toString());
  let used = 0;
  return {
    server,
    certificate,
    home(name) {
      const home = join(tree.folder, name);
      mkdirSync(home, { mode: 0o700 });
      return home;
    },
    own: tree.own,
    mailbox(format, messages) {
      const user = logins[used++];
      if (user === undefined) throw new Error('more mailboxes than accounts');
      const path = join(tree.folder, 'spool', 'kvt.dk', user);
      // The mbox ends as after a crash: its last message is to be served whole all the same.
      if (format === 'mbox') writeMbox(path, messages, true);
      else writeMaildir(path, messages);
      tree.own(path);
      return `${user}@kvt.dk`;
    },
    async method(login) {
      const line = await server.logged(new RegExp(` pop3\\.login .* mailbox=${login} `));
      const [, method = '', tls] = / method=(\S+) tls=(\S+) /.exec(line) ?? [];
      return tls === 'true' ? `${method}, TLS` : method;
    },
    async add(login, messages) {
      const client = await MailClient.connect('lmtp', { port: server.ports.lmtp, host: '127.0.0.1' });
      for (const { wire } of messages) {
        const { replies } = await client.send({ from: 'ada@example.org', to: [login], content: wire });
        assert.match(replies.join(), /^250 /);
      }
      await client.close();
    },
    async close() {
      await server.stop();
      tree.remove();
    },
  };
}

/** Without the fields that a delivery by LMTP puts after Return-Path: as it was handed in. */
export function withoutTrace(octets: Buffer): Buffer {
  const fields = /^(Return-Path: .*\r?\n)Delivered-To: .*\nX-Original-To: .*\nReceived: from .*\n\tby .*\n\tfor .*\n/;
  return Buffer.from(octets.toString('latin1').replace(fields, '$1'), 'latin1');
}
