/** Whoever wants something of a maildrop elsewhere has the line in turn. */

export interface Turn {
  /** The line is yours until `done`. */
  start(): void;
  /** Somebody waits for you. */
  hurry(): void;
}

export class Turns {
  #current: Turn | undefined;
  readonly #waiting: Turn[] = [];

  get areWaitedFor(): boolean {
    return this.#waiting.length > 0;
  }

  take(turn: Turn): void {
    if (this.#current === undefined) {
      this.#current = turn;
      turn.start();
    } else {
      this.#waiting.push(turn);
      this.#current.hurry();
    }
  }

  done(): void {
    this.#current = this.#waiting.shift();
    this.#current?.start();
  }

  /** `work` when its turn comes. */
  async inTurn<T>(work: () => Promise<T>): Promise<T> {
    await new Promise<void>((resolve) => this.take({ start: resolve, hurry() {} }));
    try {
      return await work();
    } finally {
      this.done();
    }
  }
}
