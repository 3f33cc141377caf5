/** SIGKILL at random moments, again and again, while mail is delivered, fetched and deleted: what was confirmed holds, and nothing is there twice. */
import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Ledger, session } from './support/ledger.ts';
import { MailClient } from './support/mailClient.ts';
import { composed } from './support/numberedMail.ts';
import { ConnectionLost } from './support/pop3Client.ts';
import { type SeededRandom, seededRandom } from './support/seededRandom.ts';
import { makeTree, type Server, startServer, type Tree } from './support/server.ts';

const password = 'secret';
const kills = 25;
/** On a slow machine there are fewer. */
const longestMs = 60_000;
/** The longest that a server lives before it is killed or its killing waits for something to happen. */
const lifeMs = 500;
const senders = 3;
const mboxes = ['abc', 'def'];
const maildirs = ['kvt', 'ghi'];

test('kills under load', { timeout: 180_000 }, async (t) => {
  const tree = makeTreeWithMailboxes();
  const random = seededRandom(t);
  const load = new Load(await startServer({ tree, protocols: ['pop3', 'lmtp'] }), random);
  t.after(async () => {
    load.stop();
    await load.server.stop('SIGKILL');
    await load.server.gone();
    tree.remove();
  });
  const working = load.run();
  const startedAt = performance.now();
  for (let n = 0; n < kills && performance.now() - startedAt < longestMs; n++) {
    await Promise.race([working, moment(load, random)]);
    await load.kill(random.pick(['everything', 'everything', 'everything', 'supervisor', 'front', 'front']));
  }
  load.stop();
  await working;
  await load.settle();
  assert.equal(await load.server.stop(), 0);
  t.diagnostic(load.summary());
  assert.deepEqual(leftBehind(tree), []);
});

/** Any time, or just when a session ends or a message has been handed over. */
async function moment(load: Load, random: SeededRandom): Promise<void> {
  await sleep(random.integer(lifeMs));
  const act = random.pick(['anything', 'QUIT', 'DATA']);
  if (act === 'anything') return;
  await once(load.acts, act);
  await sleep(random.integer(5));
}

/** Deliveries and sessions against a server that is killed now and then. */
class Load {
  server: Server;
  /** Tells of each `QUIT` and `DATA`. */
  readonly acts = new EventEmitter();
  readonly #random: SeededRandom;
  readonly #ledgers = new Map([...mboxes, ...maildirs].map((user) => [user, new Ledger()]));
  readonly #counts = { sessions: 0, lost: 0, everything: 0, supervisor: 0, front: 0, torn: 0 };
  #stopped = false;
  /** Resolves when there is a server again. */
  #back: Promise<void> = Promise.resolve();

  constructor(server: Server, random: SeededRandom) {
    this.server = server;
    this.#random = random;
  }

  /** Resolves some time after `stop`. */
  async run(): Promise<void> {
    const users = [...this.#ledgers.keys()];
    await Promise.all([
      ...users.map((user) => this.#again(() => this.#session(user, false))),
      ...Array.from({ length: senders }, (_, n) => this.#again(sending(this, n))),
    ]);

    function sending(load: Load, n: number): () => Promise<void> {
      let count = 0;
      return () => load.#deliver(() => `${n}.${count++}`);
    }
  }

  stop(): void {
    this.#stopped = true;
  }

  async kill(what: 'everything' | 'supervisor' | 'front'): Promise<void> {
    this.#counts[what]++;
    const { server } = this;
    const fronts = server.fronts();
    if (what === 'front') {
      // None is there while the only one left is being started again.
      const [first, ...others] = fronts;
      if (first !== undefined) process.kill(this.#random.pick([first, ...others]), 'SIGKILL');
      return;
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#back = promise;
    process.kill(server.pid, 'SIGKILL');
    // Without a supervisor they end by themselves.
    if (what === 'everything') for (const front of fronts) process.kill(front, 'SIGKILL');
    await server.gone();
    this.server = await server.restart();
    resolve();
  }

  /** Takes everything that is left, and sees that there is nothing else. */
  async settle(): Promise<void> {
    for (const [user, ledger] of this.#ledgers) {
      while (!ledger.isEmpty) await this.#session(user, true);
      // An mbox has no place to write a message before it is one.
      this.#counts.torn += ledger.settle(mboxes.includes(user));
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
    while (!this.#stopped) {
      try {
        await act();
      } catch (error) {
        if (!(error instanceof ConnectionLost)) throw error;
        this.#counts.lost++;
        await this.#back;
      }
    }
  }

  async #session(user: string, all: boolean): Promise<void> {
    const ledger = this.#ledgers.get(user);
    if (ledger === undefined) throw new Error(user);
    await session({
      port: this.server.ports.pop3,
      user: `${user}@kvt.dk`,
      password,
      ledger,
      random: this.#random,
      all,
      onQuit: () => this.acts.emit('QUIT'),
    });
    this.#counts.sessions++;
  }

  /** Some messages over one connection, most to one mailbox, some to two. */
  async #deliver(nextName: () => string): Promise<void> {
    const client = await MailClient.connect('lmtp', { port: this.server.ports.lmtp, host: '127.0.0.1' });
    const [first = '', ...others] = this.#ledgers.keys();
    for (let n = this.#random.integer(20); n >= 0 && !this.#stopped; n--) {
      const name = nextName();
      const to = [
        ...new Set([this.#random.pick([first, ...others]), ...(this.#random.chance(0.3) ? [this.#random.pick([first, ...others])] : [])]),
      ];
      const content = composed(name);
      const sending = { from: 'ada@example.org', to: to.map((user) => `${user}@kvt.dk`), content };
      if (this.#random.chance(0.05)) {
        // Half a message is none.
        await client.sendHalf(sending);
        break;
      }
      this.acts.emit('DATA');
      try {
        await client.send(sending);
      } finally {
        this.#note(name, to, client.progress);
      }
    }
    await client.close();
  }

  #note(name: string, to: readonly string[], { sent, replies }: MailClient['progress']): void {
    if (!sent) return;
    for (const [n, user] of to.entries()) {
      const ledger = this.#ledgers.get(user);
      const reply = replies[n];
      if (reply === undefined) ledger?.unanswered.add(name);
      else if (reply.startsWith('250 ')) ledger?.confirmed.add(name);
    }
  }
}

function makeTreeWithMailboxes(): Tree {
  const line = (user: string) => `${user}:{PLAIN}${password}:UID:GID::.:`;
  const tree = makeTree({ passwd: new Map([['kvt.dk', [...mboxes, ...maildirs].map(line)]]) });
  for (const user of mboxes) writeFileSync(join(tree.folder, 'spool', 'kvt.dk', user), '', { mode: 0o600 });
  for (const user of maildirs) mkdirSync(join(tree.folder, 'spool', 'kvt.dk', user), { mode: 0o700 });
  tree.own();
  return tree;
}

/** Everything in the spool save the mailboxes themselves, drafts in a Maildir that nobody reads and the next takes the place of; and journals. */
function leftBehind({ folder }: Tree): string[] {
  const spool = join(folder, 'spool', 'kvt.dk');
  const inMaildirs = maildirs
    .flatMap((user) => ['new', 'cur'].flatMap((each) => readdirSync(join(spool, user, each))))
    .filter((name) => !/^\..*\.new$/.test(name));
  const beside = readdirSync(spool).filter((name) => ![...mboxes, ...maildirs].includes(name));
  const journals = readdirSync(join(folder, 'state'), { recursive: true, encoding: 'utf8' }).filter((name) => /journal/.test(name));
  return [...beside, ...inMaildirs, ...journals];
}
