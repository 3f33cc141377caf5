/** A POP3 client for tests that look at what they get octet by octet. */
import { Client } from '../../support/socketDialogue.ts';

export class ConnectionLost extends Error {}

/** What was answered with -ERR. */
export class Refused extends Error {
  /** First line of the reply. */
  readonly reply: string;

  constructor(line: string, reply: string) {
    super(`${line}: ${reply}`);
    this.reply = reply;
  }
}

export class Pop3Client {
  readonly #client: Client;

  private constructor(port: number) {
    this.#client = new Client({ port, host: '127.0.0.1' });
  }

  /** Resolves at the greeting. @throws ConnectionLost */
  static async connect(port: number): Promise<Pop3Client> {
    const client = new Pop3Client(port);
    await client.#line();
    return client;
  }

  /** `undefined`: another session has the maildrop. @throws ConnectionLost; Refused for any other reason */
  static async login(port: number, user: string, password: string): Promise<Pop3Client | undefined> {
    const client = await Pop3Client.connect(port);
    await client.ok(`USER ${user}`);
    const reply = await client.command(`PASS ${password}`);
    if (reply.startsWith('+OK')) return client;
    await client.drop();
    if (reply.startsWith('-ERR [IN-USE]')) return undefined;
    throw new Refused('PASS', reply);
  }

  /** First line of the reply. @throws ConnectionLost */
  async command(line: string): Promise<string> {
    this.#client.write(`${line}\r\n`);
    return this.#line();
  }

  /** @throws ConnectionLost, Refused */
  async ok(line: string): Promise<string> {
    const reply = await this.command(line);
    if (!reply.startsWith('+OK')) throw new Refused(line, reply);
    return reply;
  }

  /** The lines of a multi-line reply, byte-stuffing undone. */
  async rows(line: string): Promise<string[]> {
    await this.ok(line);
    const rows: string[] = [];
    for (let row = await this.#line(); row !== '.'; row = await this.#line()) rows.push(row.startsWith('.') ? row.slice(1) : row);
    return rows;
  }

  async retrieve(messageNumber: number): Promise<Buffer> {
    const rows = await this.rows(`RETR ${messageNumber}`);
    return Buffer.from(rows.map((row) => `${row}\r\n`).join(''), 'latin1');
  }

  /** In order of message-numbers. */
  async uniqueIds(): Promise<string[]> {
    return (await this.rows('UIDL')).map((row) => row.split(' ')[1] ?? '');
  }

  /** Without QUIT. */
  async drop(): Promise<void> {
    await this.#client.end();
  }

  async #line(): Promise<string> {
    const line = await this.#client.line();
    if (line === undefined) throw new ConnectionLost('the server closed the connection');
    return line;
  }
}
