/** One at a time for each key: those of one process that want the same mailbox queue up here instead of polling for its locks. */
export class Turns {
  readonly #last = new Map<string, Promise<void>>();

  async run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key);
    let done = (): void => {};
    const mine = new Promise<void>((resolve) => {
      done = resolve;
    });
    this.#last.set(key, mine);
    try {
      await before;
      return await work();
    } finally {
      if (this.#last.get(key) === mine) this.#last.delete(key);
      done();
    }
  }

  /** Resolves when all that has been asked for is done. */
  async idle(): Promise<void> {
    while (this.#last.size > 0) await Promise.all(this.#last.values());
  }
}
