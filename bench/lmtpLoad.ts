/** Load for an LMTP server: messages over a number of connections that stay open, as Postfix keeps them. RFC 2033. */
import net from 'node:net';
import type { Target } from './pop3Client.ts';

export interface LmtpLoad {
  readonly target: Target;
  readonly recipients: readonly string[];
  readonly connections: number;
  readonly messages: number;
  /** Octets of each message, about. */
  readonly size: number;
}

/** Delivers the messages to the recipients in turn. @throws at the first reply that is no success */
export async function deliverAll(load: LmtpLoad): Promise<void> {
  let next = 0;
  const body = `${`${'x'.repeat(74)}\r\n`.repeat(Math.max(1, Math.round((load.size - 300) / 76)))}.\r\n`;
  const message = (n: number) =>
    `From: <sender@example.org>\r\nTo: <${recipient(n)}>\r\nSubject: load ${n}\r\nMessage-ID: <${n}.${process.pid}@example.org>\r\n` +
    `Date: Mon, 22 Nov 2010 16:47:00 +0100\r\n\r\n${body}`;
  const recipient = (n: number) => load.recipients[n % load.recipients.length] ?? '';
  await Promise.all(
    Array.from({ length: load.connections }, () => runConnection(load.target, () => next++, load.messages, recipient, message)),
  );
}

/** MAIL and RCPT, and no message: is there such a recipient? Resolves with the ms that RCPT took. @throws at the first reply that is no success */
export function askForRecipient(target: Target, recipient: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ ...target, noDelay: true });
    const commands = ['LHLO bench.example.org', 'MAIL FROM:<sender@example.org>', `RCPT TO:<${recipient}>`, 'QUIT'];
    let sent = 0;
    let sentAt = 0;
    let ms = Number.NaN;
    let rest = '';
    socket.setEncoding('latin1');
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('the server closed the connection')));
    socket.on('data', (chunk: string) => {
      const lines = (rest + chunk).split('\r\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        if (line[3] === '-') continue;
        if (!line.startsWith('2')) reject(new Error(`LMTP: ${line}`));
        if (sent === 3) ms = performance.now() - sentAt;
        const next = commands[sent];
        if (next === undefined) {
          resolve(ms);
          socket.destroy();
          return;
        }
        sentAt = performance.now();
        socket.write(`${next}\r\n`);
        sent++;
      }
    });
  });
}

function runConnection(
  target: Target,
  take: () => number,
  count: number,
  recipient: (n: number) => string,
  message: (n: number) => string,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ ...target, noDelay: true });
    let rest = '';
    /** Replies still to come before `then` goes on, and what their codes must begin with. */
    let awaited: string[] = ['2'];
    let then = hello;
    socket.setEncoding('latin1');
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('the server closed the connection')));
    socket.on('data', (chunk: string) => {
      const lines = (rest + chunk).split('\r\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        if (line[3] === '-') continue;
        const wanted = awaited.shift();
        if (wanted === undefined || !line.startsWith(wanted)) {
          reject(new Error(`LMTP: ${line}`));
          socket.destroy();
          return;
        }
      }
      if (awaited.length === 0) then();
    });

    function send(text: string, replies: string[], next: () => void): void {
      awaited = replies;
      then = next;
      socket.write(text, 'latin1');
    }
    function hello(): void {
      send('LHLO bench.example.org\r\n', ['2'], envelope);
    }
    function envelope(): void {
      const n = take();
      if (n >= count) {
        send('QUIT\r\n', ['2'], () => {
          resolve();
          socket.destroy();
        });
        return;
      }
      // Pipelined, as Postfix does (RFC 2920); the message waits for 354.
      send(`MAIL FROM:<sender@example.org>\r\nRCPT TO:<${recipient(n)}>\r\nDATA\r\n`, ['2', '2', '3'], () =>
        send(message(n), ['2'], envelope),
      );
    }
  });
}
