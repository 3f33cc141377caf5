/** The house that dialogues are played in, with nothing invented: the real program, files on disc, sockets and TLS. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import fs from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { tryLock, unlock } from '../../../src/os/locks.ts';
import { accounts } from '../../dialogues/accounts.ts';
import type { House, Network, Wire } from '../../dialogues/player.ts';
import { linesOf } from '../../dialogues/socketWire.ts';
import type { Format } from './clientHouse.ts';
import { appendToMbox, atRest, putIntoMaildir } from './nastyMail.ts';
import { Pop3Client } from './pop3Client.ts';
import { makeTree, owner, type Server, startServer } from './server.ts';

/** Domain of the accounts whose names have none. */
const defaultDomain = 'example.org';
/** Passwords may not cross from here without TLS. */
const farAddress = '127.0.0.9';

export interface RealHouse {
  /** Empty mailboxes, and everybody has left. `always`: where dialogues that don't say are played. */
  forDialogue(always: Network): Promise<House>;
  close(): Promise<void>;
}

/** @param owners `many`: passwords and mail are with a process of their owner; takes root */
export async function openRealHouse(format: Format, owners: 'one' | 'many' = 'one'): Promise<RealHouse> {
  const lines = [...accounts.values()].map(({ mailbox, password, language }) => ({ user: mailbox.user, password, language }));
  const tree = makeTree({
    passwd: new Map([[defaultDomain, lines.map(({ user, password }) => `${user}:{PLAIN}${password}:UID:GID::.:`)]]),
  });
  fs.mkdirSync(join(tree.folder, 'virtual', defaultDomain, 'accounts'));
  for (const { user, language } of lines) {
    if (language === undefined) continue;
    fs.writeFileSync(join(tree.folder, 'virtual', defaultDomain, 'accounts', `${user}.toml`), `language = "${language}"\n`);
  }
  tree.own();
  // Fronts are somebody else then, and have to reach the sockets of the owners' processes.
  if (owners === 'many') fs.chmodSync(tree.folder, 0o755);
  const server = await startServer({
    tree,
    protocols: ['pop3', 'pop3s'],
    settings: {
      '': ['hostname = "pop.example.org"', 'language = "da"'],
      directory: [`default_domain = "${defaultDomain}"`],
      mailboxes: [`format = "${format}"`, 'status_header = "never"'],
      owners: [`mode = "${owners}"`],
      // Without looking at every account a front knows what to announce only where the address decides on the domain.
      addresses: owners === 'many' ? [`"127.0.0.1" = "${defaultDomain}"`] : [],
      login: ['plaintext_networks = ["127.0.0.1/32"]', 'failure_delay_ms = 0', 'max_failures = 100'],
    },
  });
  const spool = join(tree.folder, 'spool', defaultDomain);
  if (owners === 'many') await startWorker(server);
  const sessions = fs.openSync(join(tree.folder, 'run', ...(owners === 'many' ? ['locks', String(owner.uid)] : []), 'sessions'), 'r+');

  /** A client that is gone here is not yet gone there. */
  async function untilAllHaveLeft(): Promise<void> {
    while (!tryLock(sessions, 'write', 0n, 0n)) await setTimeout(2);
    unlock(sessions, 0n, 0n);
  }

  const open = new Set<RealWire>();
  return {
    async forDialogue(always) {
      // A dialogue that went wrong ended where it was.
      for (const wire of open) wire.cut();
      open.clear();
      await untilAllHaveLeft();
      for (const name of fs.readdirSync(spool)) fs.rmSync(join(spool, name), { recursive: true });
      return {
        async connect(network) {
          const wire = await RealWire.open(server, network === 'a trusted network' ? always : network, async (closed) => {
            open.delete(closed);
            if (open.size === 0) await untilAllHaveLeft();
          });
          open.add(wire);
          return wire;
        },
        async deliver(name, message) {
          const path = join(spool, accounts.get(name)?.mailbox.user ?? '');
          if (format === 'mbox') appendToMbox(path, message);
          else putIntoMaildir(path, atRest(message));
          tree.own(path);
        },
        passwordOf: (login) => accounts.get(login)?.password,
        pass: () => assert.fail('nobody can make time pass'),
        fillDisc: () => assert.fail('the disc is not ours to fill'),
      };
    },
    async close() {
      fs.closeSync(sessions);
      await server.stop();
      tree.remove();
    },
  };
}

/** Whoever logs in first does. */
async function startWorker(server: Server): Promise<void> {
  const [first] = accounts.values();
  const client = await Pop3Client.login(server.ports.pop3, first?.mailbox.user ?? '', first?.password ?? '');
  await client?.ok('QUIT');
  await client?.drop();
}

class RealWire implements Wire {
  #socket: Socket;
  #lines: AsyncIterator<Buffer>;
  readonly #closed: (wire: RealWire) => Promise<void>;

  static async open(server: Server, network: Network, closed: (wire: RealWire) => Promise<void>): Promise<RealWire> {
    const { pop3, pop3s } = server.ports;
    const localAddress = network === 'plaintext' ? farAddress : '127.0.0.1';
    const socket = connect({ port: network === 'TLS' ? pop3s : pop3, host: '127.0.0.1', localAddress });
    await once(socket, 'connect');
    const wire = new RealWire(socket, closed);
    if (network === 'TLS') await wire.startTls();
    return wire;
  }

  private constructor(socket: Socket, closed: (wire: RealWire) => Promise<void>) {
    this.#socket = socket;
    this.#lines = linesOf(socket);
    this.#closed = closed;
  }

  async send(octets: Buffer): Promise<void> {
    this.#socket.write(octets);
  }

  async receive(): Promise<Buffer | undefined> {
    const { done, value } = await this.#lines.next();
    if (!done) return value;
    await this.#closed(this);
    return undefined;
  }

  async startTls(): Promise<void> {
    const secured = connectTls({ socket: this.#socket, rejectUnauthorized: false });
    await once(secured, 'secureConnect');
    this.#socket = secured;
    this.#lines = linesOf(secured);
  }

  cut(): void {
    this.#socket.destroy();
  }

  async lose(): Promise<void> {
    this.#socket.end();
    assert.equal((await this.receive())?.toString(), undefined, 'said by the server, and not in the dialogue');
  }
}
