/** Maildrops that live as long as the process: for dialogues, tests and a look around. Nothing is on disc. */

import { Fault } from '../../model/fault.ts';
import type { Maildrop, MaildropMessage, MaildropStore } from '../../model/maildrop.ts';
import type { Octets } from '../../model/octets.ts';
import { wireLength } from '../wireLength.ts';

export interface MemoryStoreOptions {
  /** The unique-id of the n-th message (from 1) that a mailbox ever got; without it, n itself. */
  readonly uniqueId?: (n: number) => string;
}

interface Kept extends MaildropMessage {
  readonly whole: Buffer;
}

interface Drop {
  kept: readonly Kept[];
  /** Messages ever delivered: unique-ids count on from here, so that none is given twice. */
  delivered: number;
  inUse: boolean;
}

export function createMemoryStore(options: MemoryStoreOptions = {}): MaildropStore {
  const uniqueId = options.uniqueId ?? String;
  const drops = new Map<string, Drop>();

  function dropOf(name: string): Drop {
    const known = drops.get(name);
    if (known !== undefined) return known;
    const fresh: Drop = { kept: [], delivered: 0, inUse: false };
    drops.set(name, fresh);
    return fresh;
  }

  return {
    async deliver(mailbox, message, envelope) {
      const whole = await collect(message);
      const drop = dropOf(mailbox.name);
      drop.delivered += 1;
      const fresh: Kept = {
        uniqueId: uniqueId(drop.delivered),
        octets: wireLength(whole),
        receivedAtMs: envelope.receivedAt.getTime(),
        whole,
      };
      drop.kept = [...drop.kept, fresh];
    },

    async open(mailbox) {
      const drop = dropOf(mailbox.name);
      if (drop.inUse) throw new Fault('in-use', 'another session has this maildrop');
      drop.inUse = true;
      return sessionOf(drop);
    },

    async usage(mailbox) {
      const kept = drops.get(mailbox.name)?.kept ?? [];
      return { octets: kept.reduce((sum, { whole }) => sum + whole.length, 0), messages: kept.length };
    },

    async locate(mailbox) {
      const exists = drops.has(mailbox.name);
      const tried = [{ place: mailbox.name, found: exists ? 'a maildrop' : 'nothing' }];
      return { path: mailbox.name, format: 'memory', exists, tried };
    },
  };
}

function sessionOf(drop: Drop): Maildrop {
  const messages = drop.kept;
  let open = true;
  return {
    messages,
    retrieve(message) {
      const kept = messages.find((one) => one === message);
      if (kept === undefined || !drop.kept.includes(kept)) throw new Fault('temporary', 'the message is gone');
      return [kept.whole];
    },
    async update(deleted) {
      if (deleted.size > 0) drop.kept = drop.kept.filter((one) => !deleted.has(one));
    },
    async [Symbol.asyncDispose]() {
      // A second call must not release the lock of the session that came after.
      if (open) drop.inUse = false;
      open = false;
    },
  };
}

async function collect(message: Octets): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  // Copied: who hands octets over may use its buffer again.
  for await (const piece of message) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces);
}
