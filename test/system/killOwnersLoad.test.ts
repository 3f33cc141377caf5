/**
 * SIGKILL at random moments, to every kind of process of a server for many owners, while mail for all of them is delivered, fetched and deleted:
 * what was confirmed holds, nothing is there twice, and service goes on.
 */
import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Ledger, session } from './support/ledger.ts';
import { MailClient } from './support/mailClient.ts';
import { composed } from './support/numberedMail.ts';
import { childrenOf, delivered, makeFile, makeFolder, makeNumberedOwner, makeOwnersTree, needsRoot as skip } from './support/owners.ts';
import { ConnectionLost, Refused } from './support/pop3Client.ts';
import { endedAfter } from './support/processes.ts';
import { type SeededRandom, seededRandom } from './support/seededRandom.ts';
import { type Server, startServer, type Tree } from './support/server.ts';

const password = 'secret';
const lastsMs = 20_000;
/** The longest that somebody is served before the next kill. */
const pauseMs = 800;
/** After a kill everybody is served again; if not, the kills go on. */
const patienceMs = 5_000;
const senders = 3;
const owners = [
  [64261, 'one.example'],
  [64262, 'two.example'],
  [64263, 'three.example'],
] as const;
/** Each owner has an mbox and a Maildir. */
const addresses = owners.flatMap(([, domain]) => [`abc@${domain}`, `def@${domain}`]);
type Victim = 'worker' | 'front' | 'supervisor' | 'everything';

test('kills under load, with many owners', { skip, timeout: 150_000 }, async (t) => {
  const tree = makeOwnersTree(t);
  for (const [uid, domain] of owners) {
    const owner = makeNumberedOwner(tree, uid, domain, [`def:{PLAIN}${password}`]);
    makeFile(owner, owner.mailbox, '');
    makeFolder(owner, join(tree.folder, 'spool', domain, 'def'));
  }
  const random = seededRandom(t);
  const settings = { login: ['failure_delay_ms = 0'], throttle: ['exempt_networks = ["127.0.0.0/8"]'] };
  const load = new Load(t, await startServer({ tree, protocols: ['pop3', 'lmtp'], settings }), random);
  const working = load.run();
  const startedAt = performance.now();
  while (performance.now() - startedAt < lastsMs) {
    await Promise.race([working, moment(load, random)]);
    await load.kill(random.pick(['worker', 'worker', 'worker', 'front', 'front', 'supervisor', 'everything']));
  }
  load.stop();
  await working;
  await load.settle();
  assert.equal(await load.server.stop(), 0);
  t.diagnostic(load.summary());
  assert.deepEqual(leftBehind(tree), []);
});

/** Some time after somebody was served, as a session ends or a message has been handed over. */
async function moment(load: Load, random: SeededRandom): Promise<void> {
  await Promise.race([once(load.acts, random.pick(['QUIT', 'DATA'])), sleep(patienceMs)]);
  await sleep(random.integer(random.pick([5, pauseMs])));
}

class Load {
  server: Server;
  /** Tells of each `QUIT` and `DATA`. */
  readonly acts = new EventEmitter();
  readonly #t: TestContext;
  readonly #random: SeededRandom;
  readonly #ledgers = new Map(addresses.map((address) => [address, new Ledger()]));
  readonly #counts = { sessions: 0, lost: 0, refused: 0, deferred: 0, worker: 0, front: 0, supervisor: 0, everything: 0, torn: 0 };
  #stopped = false;
  /** Resolves when there is a server again. */
  #back: Promise<void> = Promise.resolve();

  constructor(t: TestContext, server: Server, random: SeededRandom) {
    this.server = endedAfter(t, server);
    this.#random = random;
    this.#t = t;
    t.after(() => this.stop());
  }

  /** Resolves some time after `stop`. */
  async run(): Promise<void> {
    const sending = Array.from({ length: senders }, (_, n) => {
      let count = 0;
      return this.#again(() => this.#deliver(() => `${n}.${count++}`));
    });
    await Promise.all([...addresses.map((address) => this.#again(() => this.#session(address, false))), ...sending]);
  }

  stop(): void {
    this.#stopped = true;
  }

  async kill(what: Victim): Promise<void> {
    this.#counts[what]++;
    const { server } = this;
    const processes = childrenOf(server);
    if (what === 'worker' || what === 'front') {
      const title = what === 'worker' ? 'postkasse owner ' : 'postkasse front ';
      const [first, ...others] = processes.filter((process) => process.title.startsWith(title));
      // None is there while it is being started again.
      if (first !== undefined) killIfThere(this.#random.pick([first, ...others]).pid);
      return;
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#back = promise;
    await server.stop('SIGKILL');
    // Without a supervisor they end by themselves.
    if (what === 'everything') for (const { pid } of processes) killIfThere(pid);
    this.server = endedAfter(this.#t, await server.restart());
    resolve();
  }

  /** Takes everything that is left, and sees that there is nothing else. */
  async settle(): Promise<void> {
    for (const [address, ledger] of this.#ledgers) {
      // Who was killed may have left a lock file: the next one who needs it takes it over.
      while (!(await delivered(this.server, address, 'the last')).startsWith('250 ')) await sleep(20);
      ledger.confirmed.add('the last');
      while (!ledger.isEmpty) await this.#tried(() => this.#session(address, true));
      // An mbox has no place to write a message before it is one.
      this.#counts.torn += ledger.settle(address.startsWith('abc@'));
    }
  }

  summary(): string {
    const total = (of: (ledger: Ledger) => number) => [...this.#ledgers.values()].reduce((sum, ledger) => sum + of(ledger), 0);
    return JSON.stringify({
      ...this.#counts,
      confirmed: total((ledger) => ledger.confirmed.size),
      unanswered: total((ledger) => ledger.unanswered.size),
      unansweredButThere: total((ledger) => [...ledger.unanswered].filter((name) => ledger.removed.has(name)).length),
      quitsCarriedOut: total((ledger) => ledger.decided.removed),
      quitsNot: total((ledger) => ledger.decided.kept),
    });
  }

  async #again(act: () => Promise<void>): Promise<void> {
    while (!this.#stopped) await this.#tried(act);
  }

  /** What a kill excuses: a connection that is lost, and to be told that it may go better later. */
  async #tried(act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      if (error instanceof ConnectionLost) this.#counts.lost++;
      else if (error instanceof Refused && error.reply.startsWith('-ERR [SYS/TEMP] ')) this.#counts.refused++;
      else throw error;
      await this.#back;
      // A worker that died at once is started again after a pause.
      await sleep(20);
    }
  }

  async #session(address: string, all: boolean): Promise<void> {
    const ledger = this.#ledgers.get(address) ?? assert.fail(address);
    await session({
      port: this.server.ports.pop3,
      user: address,
      password,
      ledger,
      random: this.#random,
      all,
      onQuit: () => this.acts.emit('QUIT'),
    });
    this.#counts.sessions++;
  }

  /** Some messages over one connection, to mailboxes of one, two or three owners. */
  async #deliver(nextName: () => string): Promise<void> {
    const client = await MailClient.connect('lmtp', { port: this.server.ports.lmtp, host: '127.0.0.1' });
    const [first = '', ...others] = addresses;
    for (let n = this.#random.integer(20); n >= 0 && !this.#stopped; n--) {
      const name = nextName();
      const to = [...new Set(Array.from({ length: 1 + this.#random.integer(3) }, () => this.#random.pick([first, ...others])))];
      this.acts.emit('DATA');
      try {
        await client.send({ from: 'ada@example.org', to, content: composed(name) });
      } finally {
        this.#note(name, client.progress);
      }
    }
    await client.close();
  }

  #note(name: string, { sent, accepted, replies }: MailClient['progress']): void {
    if (!sent) return;
    for (const [n, address] of accepted.entries()) {
      const ledger = this.#ledgers.get(address);
      const reply = replies[n];
      if (reply?.startsWith('250 ')) ledger?.confirmed.add(name);
      else if (reply === undefined || reply.startsWith('451 ')) {
        // Its worker may have been killed before it could say that it had delivered: the sender comes again.
        if (reply !== undefined) this.#counts.deferred++;
        ledger?.unanswered.add(name);
      } else assert.fail(reply);
    }
  }
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'ESRCH') throw thrown;
  }
}

/** Everything in the spools save the mailboxes themselves, and drafts in a Maildir that nobody reads and the next takes the place of; and journals. */
function leftBehind({ folder }: Tree): string[] {
  return owners.flatMap(([uid, domain]) => {
    const spool = join(folder, 'spool', domain);
    // Not there before the first delivery.
    const folders = ['new', 'cur'].map((each) => join(spool, 'def', each)).filter((path) => existsSync(path));
    const inMaildir = folders.flatMap((path) => readdirSync(path)).filter((name) => !/^\..*\.new$/.test(name));
    const beside = readdirSync(spool).filter((name) => !['abc', 'def'].includes(name));
    const state = readdirSync(join(folder, 'state', 'owners', String(uid)), { recursive: true, encoding: 'utf8' });
    return [...beside, ...inMaildir, ...state.filter((name) => /journal/.test(name))];
  });
}
