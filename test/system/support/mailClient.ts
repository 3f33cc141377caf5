/** An SMTP and LMTP client for tests: what it sends goes out as it stands, and each reply can be looked at. */
import type { NetConnectOpts } from 'node:net';
import { Client } from '../../support/socketDialogue.ts';
import { ConnectionLost } from './pop3Client.ts';

export interface Sending {
  readonly from: string;
  readonly to: readonly string[];
  /** Lines end in CRLF, the last one too. */
  readonly content: Buffer;
}

export interface Sent {
  /** To each RCPT. */
  readonly recipients: readonly string[];
  /** After the content: one over SMTP; over LMTP one for each recipient that was accepted. Empty when none was. */
  readonly replies: readonly string[];
}

export class MailClient {
  readonly #client: Client;
  readonly #protocol: 'smtp' | 'lmtp';
  /** Of the transaction under way or the last one: whether all of the content was written, for whom, and the replies to it so far. */
  progress: { readonly sent: boolean; readonly accepted: readonly string[]; readonly replies: readonly string[] } = {
    sent: false,
    accepted: [],
    replies: [],
  };

  private constructor(protocol: 'smtp' | 'lmtp', to: NetConnectOpts) {
    this.#protocol = protocol;
    this.#client = new Client(to);
  }

  /** @throws ConnectionLost */
  static async connect(protocol: 'smtp' | 'lmtp', to: NetConnectOpts): Promise<MailClient> {
    const client = new MailClient(protocol, to);
    await client.#reply();
    await client.command(protocol === 'smtp' ? 'EHLO client.example.org' : 'LHLO client.example.org');
    return client;
  }

  /** All lines of the reply, parted by LF. @throws ConnectionLost */
  command(line: string): Promise<string> {
    this.#client.write(`${line}\r\n`);
    return this.#reply();
  }

  /** One transaction. @throws ConnectionLost; `progress` says how far it went */
  async send({ from, to, content }: Sending): Promise<Sent> {
    this.progress = { sent: false, accepted: [], replies: [] };
    const recipients = await this.open({ from, to });
    const accepted = to.filter((_, n) => recipients[n]?.startsWith('2'));
    if (accepted.length === 0) return { recipients, replies: [] };
    const go = await this.command('DATA');
    if (!go.startsWith('354')) return { recipients, replies: [go] };
    this.#client.write(stuffed(content));
    this.#client.write('.\r\n');
    const replies: string[] = [];
    this.progress = { sent: true, accepted, replies };
    while (replies.length < (this.#protocol === 'smtp' ? 1 : accepted.length)) replies.push(await this.#reply());
    return { recipients, replies };
  }

  /** MAIL and RCPT. @returns the reply to each RCPT */
  async open({ from, to }: Omit<Sending, 'content'>): Promise<readonly string[]> {
    await this.command('RSET');
    await this.command(`MAIL FROM:<${from}> BODY=8BITMIME`);
    const replies: string[] = [];
    for (const recipient of to) replies.push(await this.command(`RCPT TO:<${recipient}>`));
    return replies;
  }

  /** Begins to send, and stops in the middle of the content. */
  async sendHalf({ from, to, content }: Sending): Promise<void> {
    await this.open({ from, to });
    await this.command('DATA');
    this.#client.write(stuffed(content.subarray(0, content.length / 2)));
  }

  write(octets: Uint8Array | string): void {
    this.#client.write(octets);
  }

  async close(): Promise<void> {
    await this.#client.end();
  }

  async #reply(): Promise<string> {
    const lines: string[] = [];
    for (;;) {
      const line = await this.#client.line();
      if (line === undefined) throw new ConnectionLost('the server closed the connection');
      lines.push(line);
      if (/^\d{3}( |$)/.test(line)) return lines.join('\n');
    }
  }
}

/** RFC 5321 section 4.5.2. */
function stuffed(content: Buffer): Buffer {
  return Buffer.from(`\r\n${content.toString('latin1')}`.replaceAll('\r\n.', '\r\n..').slice(2), 'latin1');
}
