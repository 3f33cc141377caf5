/**
 * What the mailboxes of each domain hold together. Added up when somebody asks, kept for some seconds, and what is delivered here meanwhile is
 * added on top: a burst of mail counts at once, mail that others write or remove after these seconds.
 */
import { setImmediate } from 'node:timers/promises';
import type { DomainName } from '../model/address.ts';
import type { Mailbox } from '../model/mailbox.ts';
import type { MaildropStore, Usage } from '../model/maildrop.ts';
import type { DomainUsages, Inhabitants } from '../model/quota.ts';

export interface DomainUsagesOptions {
  readonly inhabitants: Inhabitants;
  readonly store: Pick<MaildropStore, 'usage'>;
  /** Milliseconds of a clock that only goes forward. */
  readonly clock: () => number;
}

interface Sum {
  octets: number;
  messages: number | undefined;
  readonly atMs: number;
}

const LASTS_MS = 5000;
/** Who was told that there is no room may just have made some. */
const LASTS_ANEW_MS = 1000;
const MOST_KNOWN = 10_000;
/** Mailboxes looked at before others get their turn. */
const BATCH = 64;

export function createDomainUsages({ inhabitants, store, clock }: DomainUsagesOptions): DomainUsages {
  const known = new Map<DomainName, Sum>();
  /** One for each domain at a time: a storm of questions is one answer. */
  const adding = new Map<DomainName, Promise<Sum>>();
  /** What came while it was being added up: it may or may not be in the sum. */
  const meanwhile = new Map<DomainName, number>();

  async function addUp(name: DomainName): Promise<Sum> {
    let octets = 0;
    let messages: number | undefined = 0;
    let looked = 0;
    for (const mailbox of await inhabitants.mailboxes(name)) {
      const usage = await usageOf(mailbox);
      octets += usage.octets;
      messages = usage.messages === undefined || messages === undefined ? undefined : messages + usage.messages;
      looked += 1;
      if (looked % BATCH === 0) await setImmediate();
    }
    return { octets: octets + (meanwhile.get(name) ?? 0), messages, atMs: clock() };
  }

  /** One mailbox that can't be used must not keep the mail of all others waiting. */
  async function usageOf(mailbox: Mailbox): Promise<Usage> {
    try {
      return await store.usage(mailbox);
    } catch {
      return { octets: 0 };
    }
  }

  function start(name: DomainName): Promise<Sum> {
    const started = addUp(name)
      .then((sum) => {
        known.delete(name);
        known.set(name, sum);
        const [oldest] = known.keys();
        if (known.size > MOST_KNOWN && oldest !== undefined) known.delete(oldest);
        return sum;
      })
      .finally(() => {
        adding.delete(name);
        meanwhile.delete(name);
      });
    adding.set(name, started);
    return started;
  }

  return {
    async of(name, anew = false): Promise<Usage> {
      const before = known.get(name);
      const isFresh = before !== undefined && clock() - before.atMs < (anew ? LASTS_ANEW_MS : LASTS_MS);
      const { octets, messages } = isFresh ? before : await (adding.get(name) ?? start(name));
      return messages === undefined ? { octets } : { octets, messages };
    },
    add(name, octets) {
      const sum = known.get(name);
      if (sum !== undefined) {
        sum.octets += octets;
        if (sum.messages !== undefined) sum.messages += 1;
      }
      if (adding.has(name)) meanwhile.set(name, (meanwhile.get(name) ?? 0) + octets);
    },
  };
}
