/** One mail to who has a mailbox that is nearly full, into that mailbox itself, whether or not it still has room for it. */
import { randomBytes } from 'node:crypto';
import { encodedText } from '../message/encodedWord.ts';
import type { Account } from '../model/directory.ts';
import type { Log } from '../model/log.ts';
import type { Mailbox } from '../model/mailbox.ts';
import type { MaildropStore } from '../model/maildrop.ts';
import type { OnceMemory } from '../model/onceMemory.ts';
import { formatSize } from '../model/sizeText.ts';
import type { Speaker } from '../texts/speaker.ts';

export interface QuotaWarningOptions {
  readonly store: Pick<MaildropStore, 'deliver'>;
  readonly once: OnceMemory;
  /** Of the limit; 0: nobody is warned. */
  readonly percent: number;
  readonly speaker: Speaker;
  /** Of accounts that have none of their own. */
  readonly language: string;
  readonly hostname: string;
  readonly log: Log;
  /** ms since 1970. */
  readonly now: () => number;
}

/** What a quota tells, and when. */
export interface QuotaWarning {
  /** What a mailbox holds, before a message comes. */
  seen(mailbox: Mailbox, octets: number, limit: number): void;
  /** A message has come, and with it the mailbox holds so much. Never rejects. */
  filled(account: Account, octets: number, limit: number): Promise<void>;
}

const KEY = 'nearly full';
/** Who was told is not told again for so long, unless the mailbox was seen with more room in between. */
const LASTS_S = 365 * 24 * 60 * 60;
/** Several fronts may see the same message take a mailbox over the mark. */
const SAME_CROSSING_S = 1;
const MOST_SEEN = 10_000;

/** Once for each time that the mailbox gets over the mark. */
export function createQuotaWarning(options: QuotaWarningOptions): QuotaWarning {
  const { once, percent, log } = options;
  /** Seen below the mark, and not over it since. */
  const below = new Set<string>();
  const markOf = (limit: number) => (percent === 0 ? Number.POSITIVE_INFINITY : Math.ceil((limit * percent) / 100));

  return {
    seen({ name }, octets, limit) {
      if (octets >= markOf(limit)) return;
      below.delete(name);
      below.add(name);
      const [oldest] = below;
      if (below.size > MOST_SEEN && oldest !== undefined) below.delete(oldest);
    },

    async filled(account, octets, limit) {
      const { mailbox } = account;
      try {
        if (octets < markOf(limit)) return;
        const hasCrossed = below.delete(mailbox.name);
        if (!(await once.first(mailbox, 'quota-warning', KEY, hasCrossed ? SAME_CROSSING_S : LASTS_S))) return;
        await warn(account, octets, limit);
        log.info('quota.warned', { mailbox: mailbox.name, octets, limit });
      } catch (cause) {
        // Somebody's message was delivered, and that counts.
        log.warn('quota.not-warned', { mailbox: mailbox.name, cause });
      }
    },
  };

  async function warn({ mailbox, language }: Account, octets: number, limit: number): Promise<void> {
    const receivedAt = new Date(options.now());
    const message = warningMessage(options, mailbox.name, language, { octets, limit, receivedAt });
    await options.store.deliver(mailbox, [message], { sender: '', recipient: mailbox.name, originalRecipient: mailbox.name, receivedAt });
  }
}

interface Facts {
  readonly octets: number;
  readonly limit: number;
  readonly receivedAt: Date;
}

function warningMessage(
  { speaker, language: usual, hostname }: QuotaWarningOptions,
  name: string,
  wanted: string | undefined,
  { octets, limit, receivedAt }: Facts,
): Buffer {
  const language = (wanted === undefined ? undefined : speaker.match(wanted)) ?? usual;
  const values = { name, used: formatSize(octets), limit: formatSize(limit) };
  const address = name.includes('@') ? name : `${name}@${hostname}`;
  const postmaster = `postmaster@${address.slice(address.lastIndexOf('@') + 1)}`;
  const header = [
    'Return-Path: <>',
    `Delivered-To: ${name}`,
    `Date: ${receivedAt.toUTCString().replace(/GMT$/, '+0000')}`,
    `From: ${postmaster}`,
    `To: ${address}`,
    `Subject: ${encodedText(speaker.say('Your mailbox {name} is nearly full', values, language))}`,
    `Message-ID: <quota.${randomBytes(12).toString('hex')}@${hostname}>`,
    // RFC 3834 section 5: nobody's vacation answers this.
    'Auto-Submitted: auto-generated',
    `Content-Language: ${language}`,
    'MIME-Version: 1.0',
    'Content-Type: text/plain; charset=utf-8',
    'Content-Transfer-Encoding: 8bit',
  ];
  const body = [
    speaker.say('Your mailbox {name} holds {used} of the {limit} that it may hold.', values, language),
    speaker.say('When it is full, new mail to you will have to wait or go back to its sender.', {}, language),
    speaker.say('Removing mail that you no longer need makes room at once.', {}, language),
    '',
    speaker.say('This is written once, and again only after there was more room in between.', {}, language),
  ];
  return Buffer.from([...header, '', ...body, ''].join('\r\n'));
}
