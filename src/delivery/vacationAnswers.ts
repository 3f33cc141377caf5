/** Answers of those who are away, after the mail that they answer has arrived: whatever becomes of them, that stays delivered. */
import type { Account } from '../model/directory.ts';
import type { Log } from '../model/log.ts';
import type { OnceMemory } from '../model/onceMemory.ts';
import type { Submission } from '../model/submission.ts';
import type { Speaker } from '../texts/speaker.ts';
import type { Delivered } from './delivery.ts';
import { judgeVacation } from './vacation.ts';

export interface VacationAnswersOptions {
  readonly submission: Submission;
  readonly once: OnceMemory;
  readonly speaker: Speaker;
  /** Of accounts that have chosen none. */
  readonly language: string;
  readonly log: Log;
  /** ms since 1970. */
  readonly now: () => number;
  /** Gives a name that no other has. */
  readonly name: () => string;
}

export interface VacationAnswers {
  /** Answers, where it is due. Returns at once and never throws. */
  consider(delivered: Delivered): void;
  /** Resolves when all answers under way are sent or given up. */
  settled(): Promise<void>;
}

/** Beyond so many waiting answers there are no more: whoever sends as fast as that is no person. */
const MOST_WAITING = 1000;
const DAY_S = 86_400;

export function createVacationAnswers(options: VacationAnswersOptions): VacationAnswers {
  const { submission, once, speaker, language, log, now, name } = options;
  const underWay = new Set<Promise<void>>();

  async function answer({ account, envelope, head }: Delivered): Promise<void> {
    const vacation = account.rules?.vacation;
    if (vacation === undefined) return;
    const { mailbox } = account;
    const { sender, recipient, originalRecipient } = envelope;
    const at = now();
    const verdict = judgeVacation({ vacation, mailbox, sender, recipient, originalRecipient, head, now: at });
    const fields = { mailbox: mailbox.name, sender };
    if (!verdict.answers) {
      log.debug('vacation.not-answered', { ...fields, why: verdict.why });
      return;
    }
    const { from, key } = verdict;
    if (!(await once.first(mailbox, 'vacation', key, vacation.intervalDays * DAY_S))) {
      log.debug('vacation.not-answered', { ...fields, why: 'answered lately' });
      return;
    }
    const { writeVacation } = await import('./vacationMessage.ts');
    const id = `${name()}@${from.slice(from.lastIndexOf('@') + 1)}`;
    const noSubject = speaker.say('your message', {}, languageOf(account));
    const message = await writeVacation({ vacation, from, to: sender, head, noSubject, date: new Date(at), id });
    // RFC 3834 section 3.3: nobody is to answer the answer.
    await submission.submit([message], { sender: '', recipients: [sender] });
    log.info('vacation.answered', { ...fields, from });
  }

  function languageOf(account: Account): string {
    return (account.language === undefined ? undefined : speaker.match(account.language)) ?? language;
  }

  return {
    consider(delivered) {
      const { account, envelope } = delivered;
      if (account.rules?.vacation === undefined) return;
      const fields = { mailbox: account.mailbox.name, sender: envelope.sender };
      if (underWay.size >= MOST_WAITING) {
        log.warn('vacation.failed', { ...fields, cause: 'too many answers wait' });
        return;
      }
      const answering = answer(delivered)
        .catch((cause: unknown) => log.warn('vacation.failed', { ...fields, cause }))
        .finally(() => underWay.delete(answering));
      underWay.add(answering);
    },

    async settled() {
      await Promise.all(underWay);
    },
  };
}
