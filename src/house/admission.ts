import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { type AdmissionControl, createAdmission, createLoginNotes, keepAdmission, systemClock } from '../admission/index.ts';
import type { Settings } from '../config/index.ts';
import type { Directory } from '../model/directory.ts';
import type { Log } from '../model/log.ts';
import { Networks } from '../model/networks.ts';
import type { LoginNotes } from '../model/recentLogins.ts';
import { disk } from '../os/disk.ts';
import { sharedSecret } from '../os/sharedSecret.ts';
import type { HouseOptions } from './options.ts';

/** What slows down guessing, with what is remembered of it. */
export function admissionOf({ settings, shared, front = 0 }: HouseOptions, log: Log) {
  const { addresses, directory, limits, login, relay, stateDir, throttle } = settings;
  const admission = createAdmission({
    rules: {
      delimiters: directory.loginDelimiters,
      options: login.loginOptions,
      defaultDomain: directory.defaultDomain,
      addresses,
    },
    failureDelayMs: login.failureDelayMs,
    maxConnectionsPerAccount: limits.connectionsPerAccount,
    exemptNetworks: new Networks(throttle.exemptNetworks),
    recentLoginMs: relay.recentLoginMinutes * 60_000,
    fronts: shared === undefined ? 1 : settings.fronts === 'auto' ? availableParallelism() : settings.fronts,
    logs: front === 0,
    secret: sharedSecret(join(stateDir, 'secret')),
    log,
    clock: systemClock,
    publish: (octets) => shared?.publish(octets),
  });
  shared?.onReceived((octets) => admission.receive(octets));
  const keeping = keepAdmission({ admission, disk, path: join(stateDir, 'throttle'), keeps: front === 0, log, clock: systemClock });
  return { admission, keeping };
}

/** POP before SMTP; `undefined` where it is switched off for the whole house. */
export function loginNotesOf(
  { relay, throttle }: Settings,
  { directory, admission }: { readonly directory: Directory; readonly admission: AdmissionControl },
): LoginNotes | undefined {
  if (relay.recentLoginMinutes === 0) return undefined;
  return createLoginNotes({
    directory,
    exemptNetworks: new Networks(throttle.exemptNetworks),
    now: Date.now,
    remember: (address, account) => admission.remember(address, account),
  });
}
