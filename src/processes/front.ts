/** A front: takes the sockets the supervisor bound, becomes the user who owns the mail, and serves. */
import { createHouse, type House } from '../main.ts';
import { explained } from './failures.ts';
import type { FromFront, ToFront } from './protocol.ts';

/** Sessions in TRANSACTION get so long when the supervisor is gone. */
const ORPHAN_GRACE_MS = 10_000;

/** Serves until the supervisor says stop, or is gone. */
export function runFront(): void {
  let house: Promise<House> | undefined;
  let front = 0;

  process.on('message', (message: ToFront) => {
    switch (message.kind) {
      case 'start':
        front = message.front;
        house = start(message);
        house.then(() => tell({ kind: 'ready' }), failed);
        break;
      case 'retire':
        void endAfter((running) => running.drain());
        break;
      case 'stop':
        void endAfter((running) => running.stop(message.graceMs));
        break;
      case 'report':
        void house?.then((running) => running.report({ pid: process.pid, front }));
        break;
    }
  });
  // Nobody would start us again or tell us to stop: an orphan gives the ports back.
  process.on('disconnect', () => void endAfter((running) => running.stop(ORPHAN_GRACE_MS)));
  // A terminal sends these to every process of the group; the supervisor says what to do about them.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2'] as const) process.on(signal, () => {});

  async function endAfter(ending: (running: House) => Promise<void>): Promise<void> {
    try {
      const running = await house;
      if (running) await ending(running);
    } catch {
      // That it could not start has been said.
    } finally {
      process.exit();
    }
  }
}

function failed(thrown: unknown): void {
  const { text, values, exitCode } = explained(thrown);
  process.exitCode = exitCode;
  // Ends the process by way of 'disconnect', once the message is out.
  process.send?.({ kind: 'failed', text, values, exitCode } satisfies FromFront, () => process.disconnect?.());
}

async function start(message: ToFront & { kind: 'start' }): Promise<House> {
  process.umask(0o077);
  process.title = `postkasse front ${message.front}`;
  const { settings, phrasebook, listeners, become, trace } = message;
  return createHouse({
    settings,
    phrasebook,
    trace,
    sockets: new Map(listeners.map(({ index, fds }) => [index, fds])),
    become,
    watchesCertificates: become === undefined,
  });
}

function tell(message: FromFront): void {
  if (process.connected) process.send?.(message);
}
