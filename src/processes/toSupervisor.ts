/** A child's word to the supervisor, and what it hears from there. */
import { Socket } from 'node:net';
import { CHANNEL_FD, channelToSupervisor, type SupervisorEndPlan } from './channel.ts';
import type { FromFront, FromWorker } from './protocol.ts';
import { writeWords } from './words.ts';

export interface ToSupervisor<Out> {
  tell(message: Out): void;
  /** Resolves when it is on its way, or nobody is there to hear it. */
  lastWords(message: Out): Promise<void>;
}

export function toSupervisor<In, Out extends FromFront | FromWorker>(plan: SupervisorEndPlan<In>): ToSupervisor<Out> {
  const channel = channelToSupervisor<In, Out>(new Socket({ fd: CHANNEL_FD, readable: true, writable: true }), writeWords, plan);
  return {
    tell: (message) => channel.send(message),
    lastWords: (message) => new Promise((resolve) => channel.send(message, resolve)),
  };
}
