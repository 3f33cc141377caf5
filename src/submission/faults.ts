/** What becomes of a message that the mail server did not take. */
import { Fault } from '../model/fault.ts';

/** Nobody knows whether it will be taken another time: the message waits where it is. */
export function notNow(cause: unknown): Fault {
  return new Fault('temporary', 'the message can not be sent on just now', { cause });
}

/** Characters of what the mail server said that are passed on. */
const MOST_SAID = 300;

/** `said`: its own words, which whoever sent the message may read. */
export function refused(said: string): Fault {
  const reply = said.replace(/\s+/g, ' ').trim().slice(0, MOST_SAID);
  return new Fault('permanent', 'the mail server here does not send the message on: {reply}', { values: { reply }, cause: said });
}
