/**
 * What `bin/postkasse deliver` runs; scripts/buildAgent.ts makes one file of it, for starting is what costs.
 *
 * Success has an exit status of its own, which bin/postkasse makes 0 of, as it makes 75 of every status that isn't meant: whatever ends this
 * process, and be it an empty file after an upgrade that broke off, nobody takes mail for delivered that isn't, and none goes back.
 */
import { writeSync } from 'node:fs';
import { deliverPiped } from './deliver.ts';
import type { Environment } from './envelope.ts';
import { later, type Outcome } from './outcome.ts';
import { startOwnServer, stopOwnServer } from './ownServer.ts';

const DELIVERED = 100;
/** Postfix bounces mail whose command takes longer than command_time_limit, 1000 s by default. */
const LIMIT_MS = 600_000;
const usualSocket = '/run/postkasse/lmtp';

process.exitCode = 75;
process.on('uncaughtException', (thrown) => end(failure(thrown)));
setTimeout(() => {
  say(later('4.4.2', 'no answer in time'));
  stopOwnServer();
  // Not by exit: that waits for a read that may never end.
  process.kill(process.pid, 'SIGKILL');
}, LIMIT_MS).unref();

deliverPiped({
  words: process.argv.slice(2).map(octets),
  environment: environment(['SENDER', 'RECIPIENT', 'ORIGINAL_RECIPIENT', 'EXTENSION', 'MAIL_CONFIG']),
  input: 0,
  socket: usualSocket,
  startOwn: startOwnServer,
}).then(end, (thrown: unknown) => end(failure(thrown)));

function environment(names: readonly string[]): Environment {
  return Object.fromEntries(names.map((name) => [name, process.env[name] && octets(process.env[name])]));
}

/** One character for each octet. */
function octets(text: string): string {
  return Buffer.from(text).toString('latin1');
}

function failure(thrown: unknown): Outcome {
  return later('4.3.0', `internal error: ${thrown instanceof Error ? thrown.message : String(thrown)}`);
}

function end(outcome: Outcome): void {
  say(outcome);
  process.exit(outcome.status === 0 ? DELIVERED : outcome.status);
}

function say({ line }: Outcome): void {
  try {
    if (line !== '') writeSync(1, `${line}\n`);
  } catch {
    // Nobody listens; the exit status says enough.
  }
}
