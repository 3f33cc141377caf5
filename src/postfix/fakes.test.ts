/** Tables, a clock and a client for tests of what Postfix asks. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { Fault } from '../model/fault.ts';
import { silent } from '../model/log.ts';
import type { MapName } from '../model/lookupMaps.ts';
import { noLookupCounts } from '../model/report.ts';
import { createSpeaker } from '../texts/speaker.ts';
import { createLookups, type LookupMap, type Lookups } from './lookups.ts';
import { QuestionServer, type QuestionServerOptions } from './questionServer.ts';
import type { QuestionDialogue } from './questions.ts';

export const speaker = createSpeaker();

/** The same table under every name: `values`, with a fault for the key `later` and an error for `broken`. */
export function lookupsOf(values: Readonly<Record<string, string>>): Lookups & { readonly asked: [MapName, string][] } {
  const asked: [MapName, string][] = [];
  const table =
    (name: MapName): LookupMap =>
    async (key) => {
      asked.push([name, key]);
      if (key === 'later') throw new Fault('temporary', 'accounts can not be looked up just now');
      if (key === 'broken') throw new TypeError('a slip of ours, with /a/path in it');
      return Object.hasOwn(values, key) ? values[key] : undefined;
    };
  const maps = {
    domains: table('domains'),
    mailboxes: table('mailboxes'),
    aliases: table('aliases'),
    'alias-domains': table('alias-domains'),
    transport: table('transport'),
    senders: table('senders'),
    'recent-logins': table('recent-logins'),
  };
  return { ...createLookups({ maps, counts: noLookupCounts(), log: silent, clock: () => 0 }), asked };
}

/** A server on a port of its own, whose clock stands still until the test says otherwise. */
export async function served(t: TestContext, dialogue: QuestionDialogue, options: Partial<QuestionServerOptions> = {}) {
  const clock = { ms: 0 };
  const server = new QuestionServer({
    idleTimeoutMs: 600_000,
    answerMs: 10_000,
    maxConnections: 100,
    log: silent,
    clock: () => clock.ms,
    ...options,
  });
  const port = await server.listen({ protocol: 'socketmap', dialogue, listen: { host: '127.0.0.1', port: 0 } });
  t.after(() => server.stop(0));
  return { server, port, clock, connect: () => Client.connect(t, port) };
}

export class Client {
  readonly socket: Socket;
  #received = '';
  #changed: (() => void) | undefined;
  readonly closed: Promise<void>;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.#received += chunk.toString('latin1');
      this.#changed?.();
    });
    socket.on('error', () => {});
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        resolve();
        this.#changed?.();
      });
    });
  }

  static async connect(t: TestContext, port: number): Promise<Client> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    t.after(() => socket.destroy());
    const client = new Client(socket);
    await once(socket, 'connect');
    return client;
  }

  write(octets: string | Buffer): void {
    this.socket.write(octets);
  }

  /** All that has come since the last time, when it is so many octets, or the end. */
  async read(octets: number): Promise<string> {
    while (this.#received.length < octets && !this.socket.destroyed) {
      await new Promise<void>((resolve) => {
        this.#changed = resolve;
      });
    }
    const received = this.#received;
    this.#received = '';
    return received;
  }
}
