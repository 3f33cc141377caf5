/** From a message that was fetched to its receipt, beside the session and after it. Nothing here keeps a client waiting. */
import { tapHeader } from '../message/headerTap.ts';
import type { Account, Directory, ReceiptPolicy } from '../model/directory.ts';
import { Fault } from '../model/fault.ts';
import type { Log } from '../model/log.ts';
import type { MaildropMessage } from '../model/maildrop.ts';
import type { OnceMemory } from '../model/onceMemory.ts';
import { MOST_HEADER, type ReceiptDesk, type Receipts } from '../model/receipts.ts';
import type { Submission } from '../model/submission.ts';
import type { Means } from './compose.ts';
import { due } from './due.ts';
import { formatMailAddress } from './mailAddress.ts';
import type { ReceiptRequest } from './request.ts';

export interface ReceiptsOptions extends Means {
  /** Of accounts that say nothing themselves. */
  readonly policy: ReceiptPolicy;
  /** The host's. A tag the speaker knows. */
  readonly language: string;
  /** Stands after the `@` of a user of the host, who has no domain. */
  readonly hostDomain: string;
  readonly directory: Pick<Directory, 'domain'>;
  readonly memory: OnceMemory;
  readonly desk: ReceiptDesk;
  readonly submission: Submission;
  readonly log: Log;
  /** ms since 1970. */
  readonly now: () => number;
}

export interface ReceiptSending extends Receipts {
  /** Resolves when all that was fetched so far has been looked after. */
  settled(): Promise<void>;
}

/** Many megabytes, which a process that sends no receipts never needs. */
export function loadCompose() {
  return import('./compose.ts');
}

interface Fetched {
  readonly account: Account;
  readonly policy: ReceiptPolicy;
  readonly message: MaildropMessage;
  readonly header: Buffer;
  readonly whole: boolean;
}

/** A message may lie in its mailbox for so long, and then be fetched once more: ten years. */
const REMEMBERED_S = 10 * 365 * 86_400;
/** A new device fetches all there is: nobody waits for receipts of what came long ago. 60 days. */
const OLDEST_MS = 60 * 86_400_000;
/** Of headers that are being looked after; beyond it a message passes without. */
const MOST_UNDER_WAY = 256;

export function createReceipts(options: ReceiptsOptions): ReceiptSending {
  const { directory, memory, desk, submission, speaker, log } = options;
  const underWay = new Set<Promise<void>>();

  function begin(fetched: Fetched): void {
    if (underWay.size >= MOST_UNDER_WAY) {
      log.warn('mdn.busy', factsOf(fetched));
      return;
    }
    const work = lookAfter(fetched)
      .catch((cause: unknown) => log.error('mdn.failed', { ...factsOf(fetched), cause }))
      .finally(() => underWay.delete(work));
    underWay.add(work);
  }

  /** Not where somebody has read it elsewhere, or in an earlier session. */
  function mayBeNew({ receivedAtMs, wasRead }: MaildropMessage): boolean {
    return wasRead !== true && (receivedAtMs === 0 || options.now() - receivedAtMs <= OLDEST_MS);
  }

  async function lookAfter(fetched: Fetched): Promise<void> {
    const { account, policy, header, whole } = fetched;
    const { mailbox } = account;
    const decision = await due(header, whole, { mailbox, hostDomain: options.hostDomain }, { policy, isOurs });
    if (decision.kind === 'none') return;
    if (decision.kind === 'refused') {
      log.info('mdn.refused', { ...factsOf(fetched), reason: decision.reason });
      return;
    }
    const { request } = decision;
    if (!(await isFirst(fetched, request))) return;
    if (decision.kind === 'ask') {
      const receipt = { uniqueId: fetched.message.uniqueId, to: formatMailAddress(request.to), header };
      const outcome = await desk.ask(mailbox, receipt, decision.unlessKnown);
      if (outcome !== 'known') {
        log.info('mdn.waits', { ...factsOf(fetched), to: receipt.to, doubts: request.doubts, full: outcome === 'full' });
        return;
      }
    }
    await send(fetched, request);
  }

  /** By what the message is called here, and by what it is called everywhere: a second copy of it gets no second receipt. */
  async function isFirst({ account: { mailbox }, message }: Fetched, { messageId, recipient }: ReceiptRequest): Promise<boolean> {
    if (!(await memory.first(mailbox, 'receipt', message.uniqueId, REMEMBERED_S))) return false;
    if (messageId === undefined) return true;
    return memory.first(mailbox, 'receipt', `${messageId} ${formatMailAddress(recipient)}`, REMEMBERED_S);
  }

  /** Not tried again: it has been remembered as sent, and what failed may have got through all the same. */
  async function send(fetched: Fetched, request: ReceiptRequest): Promise<void> {
    const { account, header } = fetched;
    const language = speaker.match(account.language ?? options.language) ?? options.language;
    const to = formatMailAddress(request.to);
    try {
      const { compose } = await loadCompose();
      const receipt = await compose({ request, header, consent: 'general', language, nowMs: options.now() }, options);
      await submission.submit([receipt], { sender: '', recipients: [to] });
    } catch (thrown) {
      const { kind, cause } = Fault.from(thrown);
      log.error('mdn.not-sent', { ...factsOf(fetched), to, kind, cause });
      return;
    }
    log.info('mdn.sent', { ...factsOf(fetched), to, recipient: formatMailAddress(request.recipient) });
  }

  async function isOurs({ to }: ReceiptRequest): Promise<boolean> {
    return (await directory.domain(to.domain)) !== undefined;
  }

  return {
    of(account) {
      const policy = account.rules?.receipts ?? options.policy;
      if (policy === 'never') return undefined;
      return {
        watch(message, octets) {
          if (!mayBeNew(message)) return { octets, sent() {} };
          let seen: { readonly header: Buffer; readonly whole: boolean } | undefined;
          return {
            octets: tapHeader(octets, MOST_HEADER, (header, whole) => {
              seen = { header, whole };
            }),
            sent() {
              if (seen !== undefined) begin({ account, policy, message, ...seen });
            },
          };
        },
      };
    },

    async settled() {
      await Promise.all(underWay);
    },
  };
}

function factsOf({ account, message }: Fetched) {
  return { mailbox: account.mailbox.name, message: message.uniqueId };
}
