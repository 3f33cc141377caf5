import { Fault, type FaultKind } from '../model/fault.ts';
import type { Text, Values } from '../texts/index.ts';

/** A fault that knows its enhanced status code, RFC 3463: class 4 to be tried again, class 5 not. */
export class Undeliverable extends Fault {
  readonly status: string;

  constructor(status: string, text: Text, details: { values?: Values; cause?: unknown } = {}) {
    super(kindOf(status), text, details);
    this.status = status;
  }
}

function kindOf(status: string): FaultKind {
  if (status.startsWith('4')) return 'temporary';
  return status.startsWith('5.1.') ? 'not-found' : 'permanent';
}
