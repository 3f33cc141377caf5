/** What becomes of mail beyond resting here: it goes on with a sender whose bounces find their way back, and who is away answers it. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { Settings } from '../config/index.ts';
import { createForwarding } from '../delivery/forwarding.ts';
import type { DeliveryOptions } from '../delivery/index.ts';
import { createSrs, type Srs } from '../delivery/srs.ts';
import { createVacationAnswers, type VacationAnswers } from '../delivery/vacationAnswers.ts';
import type { Directory } from '../model/directory.ts';
import type { Log } from '../model/log.ts';
import type { OnceMemory } from '../model/onceMemory.ts';
import type { Submission } from '../model/submission.ts';
import { sharedSecret } from '../os/sharedSecret.ts';
import type { Speaker } from '../texts/speaker.ts';

export interface OnwardParts {
  readonly directory: Directory;
  readonly submission: Submission;
  readonly once: OnceMemory;
  readonly speaker: Speaker;
  /** A tag the speaker knows. */
  readonly language: string;
  readonly log: Log;
  readonly now: () => number;
}

export interface OnwardMail {
  readonly srs: Srs;
  readonly sendOn: DeliveryOptions['sendOn'];
  readonly answers: VacationAnswers;
}

export function onwardMail(settings: Settings, parts: OnwardParts): OnwardMail {
  const srs = createSrs({ secret: sharedSecret(join(settings.stateDir, 'secret')), now: parts.now });
  return {
    srs,
    sendOn: createForwarding({ ...parts, srs, rewritesSenders: settings.delivery.srs }),
    answers: createVacationAnswers({ ...parts, name: () => randomBytes(12).toString('hex') }),
  };
}
