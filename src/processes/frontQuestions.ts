/** Questions that one front answers for the whole house, as it alone knows what it would do: asked on behalf of the control socket. */
import type { Child } from './children.ts';
import type { FromFront, ToFront } from './protocol.ts';

/** Asking the workers of several owners, some of which have to be started. */
const LIMIT_MS = 8000;

export class FrontQuestions {
  readonly #fronts: () => readonly Pick<Child, 'connected' | 'send'>[];
  readonly #waiting = new Map<number, (explanation: unknown) => void>();
  #lastId = 0;

  /** @param fronts those that serve */
  constructor(fronts: () => readonly Pick<Child, 'connected' | 'send'>[]) {
    this.#fronts = fronts;
  }

  /** What a front says of it, unread. @throws Error when none answers in time */
  explain(address: string): Promise<unknown> {
    const front = this.#fronts().find(({ connected }) => connected);
    if (front === undefined) return Promise.reject(new Error('no front is serving'));
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      const limit = setTimeout(() => {
        this.#waiting.delete(id);
        reject(new Error('no front answers'));
      }, LIMIT_MS);
      this.#waiting.set(id, (explanation) => {
        clearTimeout(limit);
        this.#waiting.delete(id);
        resolve(explanation);
      });
      front.send({ kind: 'explain', id, address } satisfies ToFront);
    });
  }

  explained({ id, explanation }: Extract<FromFront, { kind: 'explained' }>): void {
    this.#waiting.get(id)?.(explanation);
  }
}
