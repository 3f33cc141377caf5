/** Where the owners' workers are, as the supervisor answers it. Answers are kept for a few seconds, so that a busy domain costs nothing. */
import { Fault } from '../model/fault.ts';
import type { Whereabouts, Worker } from '../owners/whereabouts.ts';
import type { FromFront, ToFront } from './protocol.ts';

/** An owner who changes is noticed at once by the worker, which may not act for the domain any more; this is for the rest. */
const KEPT_MS = 5_000;
const MOST_KEPT = 10_000;
const PATIENCE_MS = 20_000;

type Question = { readonly domain: string } | { readonly user: string };
type Answer = Extract<ToFront, { kind: 'there' }>;

export interface AskedWhereabouts extends Whereabouts {
  /** What the supervisor said. */
  answered(answer: Answer): void;
  /** The supervisor is gone: whoever waits for an answer, or asks from now on, is told at once. */
  unanswerable(): void;
}

/** @param ask sends a question to the supervisor */
export function createAskedWhereabouts(
  ask: (question: Extract<FromFront, { kind: 'where' }>) => void,
  now: () => number,
): AskedWhereabouts {
  const kept = new Map<string, { readonly worker: Worker; readonly untilMs: number }>();
  /** By question; who asks the same meanwhile waits for the same answer. */
  const asked = new Map<string, Promise<Worker | undefined>>();
  const waiting = new Map<number, (answer: Answer | undefined) => void>();
  /** Where nobody answered, until the supervisor has been told. */
  const unreachable = new Map<string, string>();
  let questions = 0;
  let isAlone = false;

  async function answerTo(key: string, question: Question): Promise<Worker | undefined> {
    if (isAlone) throw unavailable('the supervisor is gone');
    questions += 1;
    const id = questions;
    const answer = await new Promise<Answer | undefined>((resolve) => {
      const limit = setTimeout(resolve, PATIENCE_MS, undefined);
      waiting.set(id, (given) => {
        clearTimeout(limit);
        resolve(given);
      });
      ask({ kind: 'where', id, unreachable: unreachable.get(key), ...question });
    });
    waiting.delete(id);
    unreachable.delete(key);
    if (answer === undefined) throw unavailable(isAlone ? 'the supervisor is gone' : 'the supervisor does not answer');
    if (answer.problem !== undefined) throw unavailable(answer.problem);
    if (answer.worker !== undefined) keep(key, answer.worker);
    return answer.worker;
  }

  function keep(key: string, worker: Worker): void {
    kept.delete(key);
    kept.set(key, { worker, untilMs: now() + KEPT_MS });
    if (kept.size <= MOST_KEPT) return;
    const [oldest] = kept.keys();
    if (oldest !== undefined) kept.delete(oldest);
  }

  async function find(key: string, question: Question): Promise<Worker | undefined> {
    const known = kept.get(key);
    if (known !== undefined && now() < known.untilMs) return known.worker;
    const answer = asked.get(key) ?? answerTo(key, question).finally(() => asked.delete(key));
    asked.set(key, answer);
    return answer;
  }

  return {
    ofDomain: (name) => find(`domain ${name}`, { domain: name }),
    ofSystemUser: (user) => find(`user ${user}`, { user }),
    forget(worker) {
      for (const [key, { worker: known }] of kept) {
        if (known.path !== worker.path) continue;
        kept.delete(key);
        if (unreachable.size < MOST_KEPT) unreachable.set(key, worker.path);
      }
    },
    doubt(worker) {
      for (const [key, { worker: known }] of kept) if (known.path === worker.path) kept.delete(key);
    },
    answered: (answer) => waiting.get(answer.id)?.(answer),
    unanswerable() {
      isAlone = true;
      for (const answer of waiting.values()) answer(undefined);
    },
  };
}

function unavailable(reason: string): Fault {
  return new Fault('temporary', 'accounts can not be looked up just now', { cause: new Error(reason) });
}
