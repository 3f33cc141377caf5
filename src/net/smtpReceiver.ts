/** A small SMTP receiver, so that mail can be sent here without Postfix: for hosted users only, it relays nothing. RFC 5321. */
import { listenForMail, type MailListener, type MailListenerOptions } from './mailListener.ts';

/** @throws EADDRINUSE and its like */
export function startSmtpReceiver(options: MailListenerOptions): Promise<MailListener> {
  return listenForMail('smtp', options);
}
