/** All other mail servers there are, in this process: takes mail for everybody, but for those it doesn't know. */
import { EventEmitter } from 'node:events';
import type { AddressInfo } from 'node:net';
import { SMTPServer } from 'smtp-server';

export interface Arrived {
  readonly sender: string;
  readonly recipients: readonly string[];
  readonly content: Buffer;
}

export interface OutsideWorld {
  readonly port: number;
  /** Everything so far. */
  readonly arrived: readonly Arrived[];
  /** Resolves with the nth message for that recipient, from 1, at once if it is there already. */
  mailFor(recipient: string, nth?: number): Promise<Arrived>;
  close(): Promise<void>;
}

/** @param unknown refused at RCPT, with 550 */
export async function startOutsideWorld(unknown: readonly string[]): Promise<OutsideWorld> {
  const arrived: Arrived[] = [];
  const news = new EventEmitter<{ mail: [] }>();
  const server = new SMTPServer({
    disabledCommands: ['STARTTLS', 'AUTH'],
    authOptional: true,
    onRcptTo({ address }, _, done) {
      done(unknown.includes(address) ? Object.assign(new Error('5.1.1 no such user'), { responseCode: 550 }) : null);
    },
    onData(stream, { envelope: { mailFrom, rcptTo } }, done) {
      const pieces: Buffer[] = [];
      stream.on('data', (piece: Buffer) => pieces.push(piece));
      stream.on('end', () => {
        const sender = mailFrom === false ? '' : mailFrom.address;
        arrived.push({ sender, recipients: rcptTo.map(({ address }) => address), content: Buffer.concat(pieces) });
        done();
        news.emit('mail');
      });
    },
  });
  server.on('error', () => {});
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  return {
    port: (server.server.address() as AddressInfo).port,
    arrived,
    mailFor: (recipient, nth = 1) =>
      new Promise((resolve) => {
        const look = (): void => {
          const found = arrived.filter(({ recipients }) => recipients.includes(recipient))[nth - 1];
          if (found === undefined) return;
          news.off('mail', look);
          resolve(found);
        };
        news.on('mail', look);
        look();
      }),
    close: () => new Promise((resolve) => server.close(resolve)),
  };
}
