/** A house for one dialogue: mail and accounts in memory, time as the dialogue says. Whoever opens it brings the wire. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { createMemoryDirectory } from '../../src/directory/memory/index.ts';
import { createMemoryStore } from '../../src/maildrops/memory/index.ts';
import { Fault } from '../../src/model/fault.ts';
import { silent } from '../../src/model/log.ts';
import { openGate } from '../../src/model/loginGate.ts';
import type { MaildropStore } from '../../src/model/maildrop.ts';
import { noSessionCounts } from '../../src/model/report.ts';
import type { Pop3Host } from '../../src/pop3/host.ts';
import { createSpeaker } from '../../src/texts/speaker.ts';
import { accounts } from './accounts.ts';
import type { House, Network, Stage, Wire } from './player.ts';

/** How clients reach a host. */
export type Connect = (host: Pop3Host, network: Network) => Promise<Wire>;

export function openMemoryHouse(stage: Stage, connect: Connect): House {
  const { timestamp } = stage;
  let nowMs = timestamp?.clockMs ?? Date.UTC(2026, 0, 1);
  let discFull = false;
  const store = createMemoryStore();
  const notedAtMs = new Map<string, number>();
  const host: Pop3Host = {
    directory: createMemoryDirectory(accounts, { hashedPasswords: stage.hashedPasswords }),
    gate: openGate,
    store: withDisc(store, () => discFull),
    speaker: createSpeaker(),
    log: silent,
    now: () => nowMs,
    random: (octets) => (timestamp === undefined ? randomBytes(octets) : bigEndian(timestamp.process, octets)),
    hostname: timestamp?.host ?? 'pop.example.org',
    implementation: 'Postkasse',
    language: 'da',
    limits: { expireDays: stage.expireDays, loginDelayS: stage.loginDelayS },
    ...(stage.limitsDiffer ? { limitsOf: () => ({ expireDays: 60, loginDelayS: 5 }) } : undefined),
    lastLogins: {
      tooSoon: ({ name }, delayS) => nowMs - (notedAtMs.get(name) ?? Number.NEGATIVE_INFINITY) < delayS * 1000,
      note: ({ name }) => void notedAtMs.set(name, nowMs),
    },
    counts: noSessionCounts(),
  };
  return {
    connect: (network) => connect(host, network),
    async deliver(name, message) {
      const mailbox = accounts.get(name)?.mailbox;
      assert.ok(mailbox, `no account ${name}`);
      await store.deliver(mailbox, [message], { sender: '', recipient: name, originalRecipient: name, receivedAt: new Date(nowMs) });
    },
    passwordOf: (login) => accounts.get(login)?.password,
    pass(ms) {
      nowMs += ms;
    },
    fillDisc() {
      discFull = true;
    },
  };
}

function withDisc(store: MaildropStore, isFull: () => boolean): MaildropStore {
  return {
    ...store,
    async open(mailbox, options) {
      const maildrop = await store.open(mailbox, options);
      const update: typeof maildrop.update = async (deleted, retrieved) => {
        if (isFull()) throw new Fault('temporary', 'internal error', { cause: new Error('ENOSPC') });
        return maildrop.update(deleted, retrieved);
      };
      return Object.assign(Object.create(maildrop), { update });
    },
  };
}

function bigEndian(number: bigint, octets: number): Buffer {
  const buffer = Buffer.alloc(octets);
  buffer.writeBigUInt64BE(number, octets - 8);
  return buffer;
}
