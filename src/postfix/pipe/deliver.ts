/**
 * `postkasse deliver`: the message on standard input goes to the running server over LMTP. Where there is none, a process of this very user is
 * started that serves LMTP to us alone, and delivers as the server would: so there is one way that mail is delivered, whoever does it.
 */
import { connect, type Socket } from 'node:net';
import { hostname } from 'node:os';
import { type CommandLine, readCommandLine } from './commandLine.ts';
import { type Environment, readEnvelope } from './envelope.ts';
import { MessageInput } from './input.ts';
import { type Transmission, transmit } from './lmtpClient.ts';
import { later, noSuchAddress, type Outcome, outcomeOf } from './outcome.ts';
import { watchSender } from './sender.ts';

export interface DeliverOptions {
  readonly words: readonly string[];
  readonly environment: Environment;
  /** Descriptor of the message. */
  readonly input: number;
  /** Where the server listens, unless the command line says so. */
  readonly socket: string;
  /** Starts what delivers here; the other end of its connection. @param config settings file; `undefined`: the standard one */
  startOwn(config: string | undefined): Socket;
}

/** Errors of connect(2) after which nobody has seen us, but somebody is there. */
const busy = new Set(['EAGAIN', 'ETIMEDOUT']);

/** @throws whatever goes wrong, all of which is temporary */
export async function deliverPiped(options: DeliverOptions): Promise<Outcome> {
  const isSenderThere = watchSender(options.environment.MAIL_CONFIG !== undefined);
  const line = readCommandLine(options.words);
  if (line === undefined) return later('4.3.5', 'the command line can not be understood: postkasse deliver --help');
  const opening = open(line.socket ?? options.socket);
  const input = new MessageInput(options.input);
  const top = await input.topFields();
  const envelope = readEnvelope(line, options.environment, top);
  if (envelope === 'nobody') return later('4.3.5', 'no recipient, neither on the command line nor in the environment');
  if (envelope === 'no address') return noSuchAddress;

  const name = hostname();
  const message = { content: input.rest(), isComplete: isSenderThere };
  const recipients = envelope.recipients.map(({ original, path }) => original ?? path);
  const opened = await opening;
  const first: Transmission = opened instanceof Error ? unreached(opened) : await transmit(opened, name, envelope, message);
  if (first.kind !== 'not begun') return outcomeOf(first, recipients);
  const own = await transmit(options.startOwn(line.config), name, envelope, message);
  if (own.kind !== 'not begun') return outcomeOf(own, recipients);
  return later('4.3.0', `the server is not to be reached (${first.why}), and this user can not deliver here (${own.why})`);
}

function unreached(error: NodeJS.ErrnoException): Transmission {
  const { code = error.message } = error;
  return { kind: busy.has(code) ? 'unsettled' : 'not begun', why: code };
}

/** Never rejects. */
function open(where: NonNullable<CommandLine['socket']>): Promise<Socket | Error> {
  return new Promise((resolve) => {
    const [, host, port] = /^(?!\/|unix:)\[?(.+?)\]?:(\d+)$/.exec(where) ?? [];
    const socket = host === undefined ? connect(where.replace(/^unix:/, '')) : connect({ host, port: Number(port), noDelay: true });
    socket.once('error', resolve);
    socket.once('connect', () => {
      socket.removeListener('error', resolve);
      resolve(socket);
    });
  });
}
