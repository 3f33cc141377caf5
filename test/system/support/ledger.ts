/** What a test knows of one maildrop: what must be there, what may be there, and what must not come again. Each session is held against it. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { composed, contentOf, nameOf } from './numberedMail.ts';
import { ConnectionLost, Pop3Client, Refused } from './pop3Client.ts';
import type { SeededRandom } from './seededRandom.ts';

export class Ledger {
  /** Their delivery was confirmed. */
  readonly confirmed = new Set<string>();
  /** Handed over, but the reply never came: there once, or not at all. */
  readonly unanswered = new Set<string>();
  /** Removed by a QUIT that was confirmed. */
  readonly removed = new Set<string>();
  /** Name → content, of what is there and is no whole message. */
  readonly #torn = new Map<string, Buffer>();
  /** Unique-id → name, of every message there ever was. */
  readonly #names = new Map<string, string>();
  #present = new Set<string>();
  /** Marked as deleted in a session whose QUIT got no reply. */
  #undecided: readonly string[] = [];
  #emptyListing = false;
  /** How many deliveries were confirmed before that listing. */
  #confirmedBefore = 0;
  /** How many times such a session turned out to have been carried out, and not to have been. */
  readonly decided = { removed: 0, kept: 0 };

  /** The last session has found nothing, no delivery was confirmed since it began, and none is undecided. */
  get isEmpty(): boolean {
    return this.#emptyListing && this.#confirmedBefore === this.confirmed.size && this.#undecided.length === 0;
  }

  name(uniqueId: string): string | undefined {
    return this.#names.get(uniqueId);
  }

  named(uniqueId: string, name: string): void {
    const known = [...this.#names].find(([, each]) => each === name);
    assert.equal(known, undefined, `${name} is there twice, or has a new unique-id: ${uniqueId}`);
    this.#names.set(uniqueId, name);
  }

  /** A message as it came by POP3. @returns its name, or one for what is no whole message */
  nameOf(retrieved: Buffer): string {
    const name = nameOf(retrieved);
    if (name !== undefined) return name;
    const content = contentOf(retrieved);
    const torn = `torn ${createHash('sha256').update(retrieved).digest('hex')}`;
    this.#torn.set(torn, content);
    return torn;
  }

  /**
   * Everything has been removed: it was what was delivered, and nothing else. The beginning of a message is forgiven where its
   * delivery was never confirmed and `mayBeTorn`.
   * @returns how many beginnings there were
   */
  settle(mayBeTorn: boolean): number {
    const delivered = new Set([...this.confirmed, ...this.unanswered]);
    for (const [torn, content] of this.#torn) {
      const whole = [...this.unanswered].find((name) =>
        composed(name)
          .subarray(0, content.length - 2)
          .equals(content.subarray(0, -2)),
      );
      assert.ok(mayBeTorn && whole !== undefined, `not as it was sent: ${content.toString('latin1')}`);
      delivered.add(torn);
    }
    const unknown = [...this.removed].filter((name) => !delivered.has(name));
    assert.deepEqual(unknown, [], 'was there, though it was refused or never handed over whole');
    const lost = [...this.confirmed].filter((name) => !this.removed.has(name));
    assert.deepEqual(lost, [], 'was confirmed, and never came');
    return this.#torn.size;
  }

  /** The messages of a session that began after the deliveries in `before` were confirmed. @throws AssertionError when that can't be */
  listed(uniqueIds: readonly string[], before: ReadonlySet<string>): void {
    const names = uniqueIds.map((uniqueId) => this.#names.get(uniqueId) ?? '');
    const there = new Set(names);
    assert.equal(there.size, names.length, `there twice: ${names.join(' ')}`);
    this.#decide(there);
    const back = names.filter((name) => this.removed.has(name));
    assert.deepEqual(back, [], 'was removed and is there again');
    const lost = [...before, ...this.#present].filter((name) => !there.has(name) && !this.removed.has(name));
    assert.deepEqual(lost, [], 'was there, or was confirmed, and is lost');
    this.#present = there;
    this.#emptyListing = there.size === 0;
    this.#confirmedBefore = before.size;
  }

  /** QUIT was confirmed. */
  quit(marked: readonly string[]): void {
    for (const name of marked) this.removed.add(name);
  }

  /** QUIT was sent, and the connection was lost. */
  quitUnanswered(marked: readonly string[]): void {
    this.#undecided = marked;
  }

  /** A QUIT removes all that were marked or none. */
  #decide(there: ReadonlySet<string>): void {
    const gone = this.#undecided.filter((name) => !there.has(name));
    if (gone.length > 0) {
      assert.deepEqual(gone, this.#undecided, 'a QUIT removed a part of what was marked');
      this.quit(gone);
    }
    if (this.#undecided.length > 0) this.decided[gone.length > 0 ? 'removed' : 'kept']++;
    this.#undecided = [];
  }
}

export interface SessionPlan {
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly ledger: Ledger;
  readonly random: SeededRandom;
  /** Everything goes. */
  readonly all?: boolean;
  /** Called when QUIT is about to be sent. */
  readonly onQuit?: () => void;
}

/**
 * Fetches what is new and some of what isn't, marks some, and ends in one of the ways a session can end.
 * @throws ConnectionLost, Refused; AssertionError when the maildrop is not as it must be
 */
export async function session({ port, user, password, ledger, random, all = false, onQuit }: SessionPlan): Promise<void> {
  const before = new Set(ledger.confirmed);
  const client = await Pop3Client.login(port, user, password);
  // Our last session was dropped a moment ago.
  if (client === undefined) return;
  const uniqueIds = await client.uniqueIds();
  for (const [at, uniqueId] of uniqueIds.entries()) {
    const known = ledger.name(uniqueId);
    if (known !== undefined && !random.chance(0.1)) continue;
    const name = ledger.nameOf(await client.retrieve(at + 1));
    if (known === undefined) ledger.named(uniqueId, name);
    else assert.equal(name, known);
  }
  ledger.listed(uniqueIds, before);

  // The tail alone is cut off; anything else makes a new file.
  const from = random.chance(0.3) ? random.integer(uniqueIds.length + 1) : 0;
  const probability = all ? 1 : from > 0 ? 1 : random.pick([0, 0.5, 0.9, 1]);
  const marked: string[] = [];
  for (const [at, uniqueId] of uniqueIds.entries()) {
    if ((!all && at < from) || !random.chance(probability)) continue;
    await client.ok(`DELE ${at + 1}`);
    marked.push(ledger.name(uniqueId) ?? '');
  }
  if (!all && random.chance(0.15)) return client.drop();
  if (!all && random.chance(0.1)) {
    await client.ok('RSET');
    marked.length = 0;
  }
  onQuit?.();
  try {
    await client.ok('QUIT');
  } catch (error) {
    if (error instanceof ConnectionLost || isUnknown(error)) ledger.quitUnanswered(marked);
    throw error;
  }
  ledger.quit(marked);
  await client.drop();
}

/** The server was told that the process which removes the messages is gone, and not how far it had come. */
function isUnknown(error: unknown): boolean {
  return error instanceof Refused && error.reply === '-ERR [SYS/TEMP] it is not known whether the messages were deleted';
}
