/** How long events wait for their turn while the process is at something else: the lag of its event loop. */

export interface LagMeter {
  /** The longest wait within the last minute or so, in ms. */
  longestMs(): number;
  stop(): void;
}

const LOOK_MS = 250;
/** Two spans are remembered: the present one and the one before. */
const LOOKS_A_SPAN = 120;

/**
 * Looks four times a second how late it is, which costs next to nothing; a pause shorter than that may go unseen, one that is longer never.
 * @param clock milliseconds of a clock that only goes forward
 */
export function startLagMeter(clock: () => number): LagMeter {
  let before = 0;
  let present = 0;
  let looks = 0;
  let dueMs = clock() + LOOK_MS;
  const look = () => {
    const nowMs = clock();
    present = Math.max(present, nowMs - dueMs);
    dueMs = nowMs + LOOK_MS;
    if (++looks % LOOKS_A_SPAN !== 0) return;
    before = present;
    present = 0;
  };
  const timer = setInterval(look, LOOK_MS).unref();
  return {
    longestMs: () => Math.round(Math.max(before, present, clock() - dueMs)),
    stop: () => clearInterval(timer),
  };
}
