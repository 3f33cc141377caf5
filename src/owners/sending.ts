/** A message on its way to the worker that delivers it. */
import type { Octets } from '../model/octets.ts';
import { plainFrame } from './codec.ts';
import { FrameStream, Unwritable } from './frameStream.ts';
import { ask, tell } from './frames.ts';
import { type Line, Question } from './line.ts';
import { type DeliverRequest, writeDeliver } from './requests.ts';

const endOfMessage = plainFrame(ask.endOfMessage);
const messageFailed = plainFrame(ask.messageFailed);

/**
 * Resolves when the worker has delivered it. Nothing is read of the message before the worker has taken the connection.
 * @throws Fault as the worker answers; LineLost; what the message throws, and nothing is delivered then
 */
export async function sendDelivery(line: Line, request: DeliverRequest, message: Octets): Promise<void> {
  await line.taken();
  const question = new Question(line, tell.done, (payload) => payload.end());
  question.answer.catch(() => {});
  line.begin(question);
  const stream = new FrameStream(line.socket);
  let failure: { readonly thrown: unknown } | undefined;
  try {
    await stream.add(writeDeliver(request));
    for await (const piece of message) {
      // An answer before the end is a refusal.
      if (question.settled) break;
      const pending = stream.message(piece);
      if (pending === undefined) continue;
      await pending;
      line.waitedTicks = 0;
    }
  } catch (thrown) {
    failure = { thrown };
  }
  try {
    await stream.add(failure === undefined ? endOfMessage : messageFailed);
    await stream.flush();
  } catch (thrown) {
    // The answer says what has become of the line.
    if (!(thrown instanceof Unwritable)) throw thrown;
  } finally {
    stream.close();
  }
  if (failure === undefined || failure.thrown instanceof Unwritable) return question.answer;
  await question.answer.catch(() => {});
  throw failure.thrown;
}
