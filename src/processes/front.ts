/** A front: takes the sockets the supervisor bound, becomes the user who owns the mail, and serves. */
import { createHouse, type House } from '../main.ts';
import { harden } from '../os/hardening.ts';
import { createAskedWhereabouts } from './askedWhereabouts.ts';
import { createEverybody } from './everybody.ts';
import { explained } from './failures.ts';
import type { FromFront, FrontStart, ToFront } from './protocol.ts';
import { toSupervisor } from './toSupervisor.ts';

/** Sessions in TRANSACTION get so long when the supervisor is gone. */
const ORPHAN_GRACE_MS = 10_000;

/** Serves until the supervisor says stop, or is gone. */
export function runFront(): void {
  harden();
  let house: Promise<House> | undefined;
  let front = 0;
  let hasOneConnection = false;
  const { tell, lastWords } = toSupervisor<ToFront, FromFront>({
    onMessage: hear,
    // Nobody would start us again or tell us to stop: an orphan gives the ports back.
    onClosed() {
      whereabouts.unanswerable();
      void endAfter((running) => running.stop(ORPHAN_GRACE_MS));
    },
  });
  const whereabouts = createAskedWhereabouts(tell, Date.now);
  const everybody = createEverybody(tell);
  let receive: (octets: Buffer) => void = () => {};

  function hear(message: ToFront): void {
    switch (message.kind) {
      case 'start':
        front = message.front;
        house = createFront(message);
        house.then(() => tell({ kind: 'ready' }), failed);
        break;
      case 'are-you-there':
        tell({ kind: 'here' });
        break;
      case 'there':
        whereabouts.answered(message);
        break;
      case 'shared':
        receive(Buffer.from(message.octets));
        break;
      case 'retire':
        void endAfter((running) => (hasOneConnection ? running.finish() : running.drain()));
        break;
      case 'stop':
        void endAfter((running) => running.stop(message.graceMs));
        break;
      case 'tell':
        void house?.then((running) => tell({ kind: 'told', id: message.id, report: running.state() }));
        break;
      case 'explain':
        void house
          ?.then((running) => running.explainMail(message.address))
          .then((explanation) => tell({ kind: 'explained', id: message.id, explanation }));
        break;
      case 'everybody-told':
        everybody.told(message);
        break;
      case 'report':
        void house?.then((running) => running.report({ pid: process.pid, front }));
        break;
    }
  }
  // A terminal sends these to every process of the group; the supervisor says what to do about them.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2'] as const) process.on(signal, () => {});

  async function createFront(message: FrontStart): Promise<House> {
    process.title = `postkasse front ${message.front}`;
    const { settings, phrasebook, listeners, connection, become, trace, hasWorkers, metrics } = message;
    hasOneConnection = connection !== undefined;
    return createHouse({
      settings,
      phrasebook,
      trace,
      connection,
      sockets: new Map(listeners.map(({ index, fds }) => [index, fds])),
      become,
      whereabouts: hasWorkers ? whereabouts : undefined,
      front: message.front,
      shared: {
        publish: (octets) => tell({ kind: 'shared', octets }),
        onReceived(handler) {
          receive = handler;
        },
      },
      metrics: metrics && { ...metrics, report: everybody.report },
      watchesCertificates: become === undefined,
    });
  }

  async function endAfter(ending: (running: House) => Promise<void>): Promise<void> {
    try {
      const running = await house;
      if (running === undefined) return;
      await ending(running);
      await lastWords({ kind: 'told', id: 0, report: running.state() });
    } catch {
      // That it could not start has been said.
    } finally {
      process.exit();
    }
  }

  function failed(thrown: unknown): void {
    const { text, values, exitCode } = explained(thrown);
    void lastWords({ kind: 'failed', text, values, exitCode }).then(() => process.exit(exitCode));
  }
}
