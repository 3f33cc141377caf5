import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { createAdmission, keepAdmission, systemClock } from '../admission/index.ts';
import type { Log } from '../model/log.ts';
import { Networks } from '../model/networks.ts';
import { disk } from '../os/disk.ts';
import { sharedSecret } from '../os/sharedSecret.ts';
import type { HouseOptions } from './options.ts';

/** What slows down guessing, with what is remembered of it. */
export function admissionOf({ settings, shared, front = 0 }: HouseOptions, log: Log) {
  const { addresses, directory, limits, login, stateDir, throttle } = settings;
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
