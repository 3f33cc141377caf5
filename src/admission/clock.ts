/** Time, as this room is given it. */
export interface Clock {
  /** ms since 1970. May jump. */
  now(): number;
  /** Calls `act` once, that many ms from now, whatever `now` does meanwhile. @returns what prevents it */
  after(ms: number, act: () => void): () => void;
}

/** Waiting for it keeps no process alive. */
export const systemClock: Clock = {
  now: Date.now,
  after(ms, act) {
    const timer = setTimeout(act, ms).unref();
    return () => clearTimeout(timer);
  },
};
