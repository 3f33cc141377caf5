/** Which listener of the settings each socket is for that systemd has bound. */
import { realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { formatListenAddress, type ListenSettings } from '../config/index.ts';
import { EX_CONFIG } from '../os/exitCodes.ts';
import type { PassedSocket } from '../os/listenFds.ts';
import type { SocketAddress } from '../os/sockets.ts';
import { StartFailure } from '../os/startFailure.ts';

/** The socket that waits at the listener's address; `undefined`: systemd has none for it, and it is to be bound. */
export function passedTo({ address }: ListenSettings, passed: readonly PassedSocket[]): PassedSocket | undefined {
  const name = nameOf(address);
  return passed.find((socket) => nameOf(socket.address) === name);
}

/**
 * What clients connect to and nobody would serve must not stay unnoticed.
 * @throws StartFailure for a socket that no listener wants, and for one that takes the connections of another listener
 */
export function checkPassed(listen: readonly ListenSettings[], passed: readonly PassedSocket[]): void {
  for (const socket of passed) {
    const { address, takesIpv4 } = socket;
    const shown = shownAs(address);
    if (!listen.some((each) => passedTo(each, [socket]) !== undefined)) {
      throw new StartFailure(
        'systemd passed the socket {address}, but no [[listen]] in the settings has this address',
        { address: shown },
        EX_CONFIG,
      );
    }
    if (!takesIpv4 || 'path' in address) continue;
    const other = listen.find((each) => each.address.kind === 'tcp' && isIpv4OnPort(each.address, address.port));
    if (other === undefined || passedTo(other, passed) !== undefined) continue;
    throw new StartFailure(
      '{listener}: the socket {address} that systemd passed takes IPv4 too; set BindIPv6Only=ipv6-only in its unit',
      { listener: `${other.protocol} ${formatListenAddress(other.address)}`, address: shown },
      EX_CONFIG,
    );
  }
}

function isIpv4OnPort({ host, port }: { readonly host: string; readonly port: number }, wanted: number): boolean {
  return port === wanted && !host.includes(':');
}

function shownAs(address: SocketAddress): string {
  return formatListenAddress('path' in address ? { kind: 'unix', ...address } : { kind: 'tcp', ...address });
}

/** A path may be written by way of a link: /var/run is one. */
function nameOf(address: SocketAddress): string {
  if (!('path' in address)) return shownAs(address);
  try {
    return shownAs({ path: join(realpathSync(dirname(address.path)), basename(address.path)) });
  } catch {
    return shownAs(address);
  }
}
