/** What a failed system call is to the client: trouble here that trying again may help against. The call itself goes to the log as the cause. */
import { Fault } from '../model/fault.ts';

export function unreadable(error: unknown): Fault {
  return error instanceof Fault ? error : new Fault('temporary', 'the mailbox can not be read just now', { cause: error });
}

/** Disc full and quota of the file system included. */
export function unwritable(error: unknown): Fault {
  return error instanceof Fault ? error : new Fault('temporary', 'the mailbox can not be written just now', { cause: error });
}

/** A mailbox that isn't as one has to be, until a person puts it right. */
export function unusable(why: string): Fault {
  return new Fault('permanent', 'the mailbox can not be used', { cause: new Error(why) });
}

/** What is wrong with a mailbox a person can put right; until then mail waits rather than goes back. */
export function waitable(fault: Fault): Fault {
  return fault.kind === 'permanent' ? new Fault('temporary', fault.text, { values: fault.values, cause: fault.cause ?? fault }) : fault;
}
