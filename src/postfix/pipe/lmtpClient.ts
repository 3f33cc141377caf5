/** One message over LMTP, RFC 2033: a reply for each recipient. */
import type { Socket } from 'node:net';
import type { PipeEnvelope, PipeRecipient } from './envelope.ts';
import { orcpt } from './mailAddress.ts';
import { WireBody } from './wireBody.ts';

export interface LmtpReply {
  /** 200 to 599. */
  readonly code: number;
  /** Of the last line, printable, beginning with the enhanced status where there is one. */
  readonly text: string;
}

export type Transmission =
  /** Of each recipient, in order, what it comes to. */
  | { readonly kind: 'answered'; readonly replies: readonly LmtpReply[] }
  /** The other end was gone or unfit before any of the message was sent. */
  | { readonly kind: 'not begun'; readonly why: string }
  /** Whether it was delivered isn't known, or it can't be at the moment. */
  | { readonly kind: 'unsettled'; readonly why: string };

export interface OutgoingMessage {
  readonly content: AsyncIterable<Uint8Array>;
  /** Asked when all of it is there: false where what came was cut off. */
  isComplete(): boolean;
}

const longestReply = 65_536;
/** What the resolver says of a domain that isn't one of ours. */
const notOurs = /^5\.7\.1(?: |$)/;

/** Ends the connection. Never rejects. */
export async function transmit(
  socket: Socket,
  clientName: string,
  envelope: PipeEnvelope,
  message: OutgoingMessage,
): Promise<Transmission> {
  const replies = new Replies(socket);
  let hasBegun = false;
  const send = (...lines: readonly string[]): void => void socket.write(lines.map((line) => `${line}\r\n`).join(''), 'latin1');
  const expect = async (command: string, code: number): Promise<LmtpReply> => {
    const reply = await replies.next();
    if (reply.code === code) return reply;
    throw new Unexpected(command, reply);
  };

  try {
    await expect('connecting', 220);
    send(`LHLO ${clientName}`);
    const hello = await replies.next();
    if (hello.code !== 250) throw new Unexpected('LHLO', hello);
    const announces = (keyword: string) => replies.lines.some((line) => line.slice(4).split(' ')[0]?.toUpperCase() === keyword);
    const body = announces('8BITMIME') ? ' BODY=8BITMIME' : '';
    const utf8 = envelope.isUtf8 && announces('SMTPUTF8') ? ' SMTPUTF8' : '';
    send(`MAIL FROM:<${envelope.sender}>${body}${utf8}`, ...envelope.recipients.map((recipient) => rcpt(recipient, recipient.path)));
    await expect('MAIL', 250);
    const answers: LmtpReply[] = [];
    for (const _ of envelope.recipients) answers.push(await replies.next());
    for (const [i, recipient] of envelope.recipients.entries()) {
      for (const path of recipient.above) {
        const { code, text } = answers[i] ?? { code: 0, text: '' };
        if (code !== 550 || !notOurs.test(text)) break;
        send(rcpt(recipient, path));
        const answer = await replies.next();
        // What is said in the end is about the address that Postfix knows.
        if (code !== answer.code || !notOurs.test(answer.text)) answers[i] = answer;
      }
    }
    if (!answers.some(isAccepted)) {
      socket.end('QUIT\r\n');
      return { kind: 'answered', replies: answers };
    }
    send('DATA');
    await expect('DATA', 354);
    hasBegun = true;
    const wire = new WireBody();
    for await (const octets of message.content) if (!socket.write(wire.next(octets))) await replies.drained();
    // Without its end it is no message.
    if (!message.isComplete()) throw new Error('the message was cut off');
    socket.write(wire.end());
    for (const [i, answer] of answers.entries()) if (isAccepted(answer)) answers[i] = await replies.next();
    socket.end('QUIT\r\n');
    return { kind: 'answered', replies: answers };
  } catch (thrown) {
    const why = thrown instanceof Error ? thrown.message : String(thrown);
    const isAnswer = thrown instanceof Unexpected;
    return { kind: hasBegun || isAnswer ? 'unsettled' : 'not begun', why };
  } finally {
    replies.close();
  }
}

export function isAccepted({ code }: LmtpReply): boolean {
  return code >= 200 && code < 300;
}

function rcpt({ original }: PipeRecipient, path: string): string {
  return `RCPT TO:<${path}>${original === undefined ? '' : ` ORCPT=${orcpt(original)}`}`;
}

class Unexpected extends Error {
  constructor(command: string, { code, text }: LmtpReply) {
    super(`${command}: ${code} ${text}`);
  }
}

/** Replies as they come; whoever waits for one learns that none will come any more. */
class Replies {
  /** Of the last reply. */
  lines: readonly string[] = [];
  readonly #socket: Socket;
  #text = '';
  #lines: string[] = [];
  #ended: Error | undefined;
  #wake: () => void = () => {};

  constructor(socket: Socket) {
    this.#socket = socket;
    const end = (error: Error) => {
      this.#ended ??= error;
      this.#wake();
    };
    socket.on('data', (octets: Buffer) => {
      this.#text += octets.toString('latin1');
      this.#wake();
    });
    socket.on('drain', () => this.#wake());
    socket.on('error', end);
    socket.on('end', () => end(new Error('the connection was closed')));
    socket.on('close', () => end(new Error('the connection was closed')));
  }

  /** @throws Error when there is none, or what comes is none */
  async next(): Promise<LmtpReply> {
    for (;;) {
      const reply = this.#take();
      if (reply !== undefined) return reply;
      if (this.#ended !== undefined) throw this.#ended;
      await this.#change();
    }
  }

  /** Resolves when more can be written. @throws Error when nobody reads any more */
  async drained(): Promise<void> {
    while (this.#socket.writableNeedDrain) {
      if (this.#ended !== undefined) throw this.#ended;
      await this.#change();
    }
  }

  close(): void {
    this.#socket.destroySoon();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #take(): LmtpReply | undefined {
    for (;;) {
      const end = this.#text.indexOf('\n');
      const held = this.#lines.reduce((sum, line) => sum + line.length, this.#text.length);
      if (held > longestReply) throw new Error('a reply without end');
      if (end < 0) return undefined;
      const line = this.#text.slice(0, end).replace(/\r$/, '');
      this.#text = this.#text.slice(end + 1);
      if (!/^[2-5]\d\d(?:[ -]|$)/.test(line)) throw new Error('what came is no reply');
      this.#lines.push(line);
      if (line[3] === '-') continue;
      this.lines = this.#lines;
      this.#lines = [];
      return { code: Number(line.slice(0, 3)), text: line.slice(4).replace(/[^\x20-\x7e]/g, '?') };
    }
  }
}
