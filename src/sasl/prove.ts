/** A proof on its way: past the gate that slows down guessing, and then to the directory. The same for each protocol that people log in by. */
import type { Admission, Directory, Service } from '../model/directory.ts';
import { Fault } from '../model/fault.ts';
import { type Attempt, FailedLogin, type LoginGate, type Passage, type Waiting } from '../model/loginGate.ts';

export interface ProofOptions {
  readonly directory: Pick<Directory, 'authenticate'>;
  readonly gate: LoginGate;
  readonly service: Service;
  /** Whether what begins is a session, which counts until it ends. */
  readonly begins: 'session' | 'nothing';
  /** Told while the gate keeps it waiting, and `undefined` when that is over. */
  waits(waiting: Waiting | undefined): void;
}

/** Somebody whose proof held. */
export interface Admitted {
  readonly admission: Admission;
  readonly passage: Passage;
  /** No maildrop will be opened for them. May be called again. */
  dismiss(): void;
}

/** @throws FailedLogin, Throttled, Fault temporary */
export async function prove(attempt: Attempt, { directory, gate, service, begins, waits }: ProofOptions): Promise<Admitted> {
  const { claim, proof } = attempt;
  const entered = gate.enter(attempt);
  const passage = 'passage' in entered ? await waitedFor(entered, waits) : entered;
  let admission: Admission | undefined;
  try {
    admission = await directory.authenticate(claim, proof, service);
    passage.succeeded(admission.account, begins);
    return admittedBy(admission, passage);
  } catch (thrown) {
    admission?.abandon?.();
    const fault = Fault.from(thrown);
    if (fault.kind === 'auth') throw new FailedLogin(fault, passage.failed(), claim.login);
    passage.ended();
    throw thrown;
  }
}

function admittedBy(admission: Admission, passage: Passage): Admitted {
  let isDismissed = false;
  return {
    admission,
    passage,
    dismiss() {
      if (isDismissed) return;
      isDismissed = true;
      admission.abandon?.();
      passage.ended();
    },
  };
}

async function waitedFor(waiting: Waiting, waits: ProofOptions['waits']): Promise<Passage> {
  waits(waiting);
  try {
    return await waiting.passage;
  } finally {
    waits(undefined);
  }
}
