/** Which protocols are served, and the code of those that bring mail in, which is loaded only where it is needed. */
import type { HouseOptions } from './options.ts';

export function servedProtocols({ settings, sockets, connection }: HouseOptions): readonly string[] {
  const listening = settings.listen.filter((_, index) => sockets.has(index)).map(({ protocol }) => protocol);
  return connection === undefined ? listening : [connection.protocol];
}

export function takesMail(options: HouseOptions): boolean {
  return servedProtocols(options).some((protocol) => protocol === 'lmtp' || protocol === 'smtp');
}

export function takesLogins(options: HouseOptions): boolean {
  return servedProtocols(options).some((protocol) => protocol === 'pop3' || protocol === 'pop3s');
}

export async function loadMailProtocols() {
  const [{ startLmtpListener }, { startSmtpReceiver }] = await Promise.all([
    import('../net/lmtpListener.ts'),
    import('../net/smtpReceiver.ts'),
    import('../delivery/vacationMessage.ts'),
  ]);
  return { lmtp: startLmtpListener, smtp: startSmtpReceiver };
}
