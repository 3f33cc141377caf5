/** A connection that hands us mail: smtp-server's, with our grammar for paths, our replies and no wait before the greeting. */
import { SMTPConnection } from 'smtp-server/lib/smtp-connection.js';
import { pathArgument } from '../lmtp/arguments.ts';
import { MailParser } from './mailParser.ts';

const ownStatus = /^[245]\.\d{1,3}\.\d{1,3} /;

export class MailConnection extends SMTPConnection {
  #goodbye: string | undefined;

  /** The package waits 100 ms for who talks too soon; a deliverer that makes a connection per message would feel that. */
  override init(): void {
    this._setListeners(() => this.connectionReady());
  }

  override _createParser(): MailParser {
    const parser = new MailParser({ maxCommandLength: 4096 });
    parser.oncommand = (command, next) => this._onCommand(command, () => this.#whenTaken(next));
    // The client has said its last word and everything before it is answered; half a message is none.
    parser.on('finish', () => (parser._dataMode ? this.abandon() : this.close()));
    parser.on('error', (error) => this.send(421, `4.5.2 ${error.message}`));
    return parser;
  }

  /** A text that begins with an enhanced status code gets no other. Replies to commands that came together leave together. */
  override send(code: number, data?: string | string[] | null, context?: string | false): void {
    if (this._socket.writableCorked === 0) {
      const socket = this._socket;
      socket.cork();
      setImmediate(() => socket.uncork());
    }
    super.send(code, data, typeof data === 'string' && ownStatus.test(data) ? false : context);
  }

  /** Quoted local parts, and the sender just as it came: Return-Path is to say nothing else. */
  override _parseAddressCommand(name: string, command: Buffer | string) {
    const argument = pathArgument(command.toString(), name === 'mail from' ? 'FROM' : 'TO');
    if (!argument) return false;
    const { path: address, parameters, repeated: duplicate } = argument;
    return { address, args: Object.fromEntries(parameters), ...(duplicate === undefined ? {} : { duplicate }) };
  }

  override _onCommand(command: Buffer, next?: () => void): void {
    if (this.#goodbye === undefined) super._onCommand(command, next);
    else this.send(421, this.#goodbye);
  }

  /** For counting. RFC 5321 section 3.3: MAIL begins a transaction. */
  get state(): 'idle' | 'transaction' | 'data' {
    if (this._dataStream) return 'data';
    return this.session.envelope.mailFrom ? 'transaction' : 'idle';
  }

  /** A client that asks on and on without reading what it is told fills its own buffers, not our memory. */
  #whenTaken(next: (() => void) | undefined): void {
    if (next === undefined) return;
    if (this._socket.writableNeedDrain) this._socket.once('drain', next);
    else next();
  }

  /** Ends the connection with these words: now, or when what is under way has been answered. */
  sendAway(goodbye: string): void {
    this.#goodbye = goodbye;
    if (!this._dataStream && !this._handlerPending) this.send(421, goodbye);
  }

  /** Ends the connection without a further word. */
  abandon(): void {
    this._socket.destroy();
  }
}
