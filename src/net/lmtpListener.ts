/** LMTP: one reply after DATA for each recipient, 250 only when the message would survive a power cut. RFC 2033. */
import { listenForMail, type MailListener, type MailListenerOptions } from './mailListener.ts';

/** @throws EADDRINUSE and its like */
export function startLmtpListener(options: MailListenerOptions): Promise<MailListener> {
  return listenForMail('lmtp', options);
}
