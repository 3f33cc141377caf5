/** A message on its way from the store to a front, at the pace of whoever reads it there. */
import type { Octets } from '../model/octets.ts';
import { plainFrame } from './codec.ts';
import type { FrameStream } from './frameStream.ts';
import { tell } from './frames.ts';

const done = plainFrame(tell.done);

/** Set by the front, or when it is gone. */
export interface Course {
  stopped: boolean;
}

/**
 * Sends the octets from `skip` on, and `done` after them; a small message is one write.
 * @throws what reading throws, after what was read has been sent; Unwritable
 */
export async function sendMessage(stream: FrameStream, octets: Octets, skip: number, course: Course): Promise<void> {
  const pieces = Symbol.iterator in octets ? octets[Symbol.iterator]() : octets[Symbol.asyncIterator]();
  let toSkip = skip;
  try {
    for (;;) {
      const step = pieces.next();
      const next = step instanceof Promise ? await step : step;
      if (next.done) break;
      if (course.stopped) {
        await pieces.return?.();
        break;
      }
      const piece = next.value.subarray(toSkip);
      toSkip = Math.max(0, toSkip - next.value.length);
      const pending = stream.message(piece);
      if (pending !== undefined) await pending;
    }
  } catch (thrown) {
    stop(pieces);
    const pending = stream.flush();
    if (pending !== undefined) await pending;
    throw thrown;
  }
  const pending = stream.add(done);
  if (pending !== undefined) await pending;
  await stream.flush();
}

/** Lets the store close its files. Something has failed already, so what closing throws is of no interest. */
function stop(pieces: Iterator<Uint8Array> | AsyncIterator<Uint8Array>): void {
  try {
    Promise.resolve(pieces.return?.()).catch(() => {});
  } catch {
    // See above.
  }
}
