/** Mail that goes on to somewhere else: with which envelope sender, and into whose hands. */
import { parseDomainName } from '../model/address.ts';
import type { Directory } from '../model/directory.ts';
import { parseEnvelopeAddress } from '../model/envelopeAddress.ts';
import type { Log } from '../model/log.ts';
import type { Octets } from '../model/octets.ts';
import type { Submission } from '../model/submission.ts';
import type { Onward } from './delivery.ts';
import type { Srs } from './srs.ts';

export interface ForwardingOptions {
  readonly submission: Submission;
  readonly srs: Pick<Srs, 'forward'>;
  /** Whether envelope senders are rewritten, where the domain doesn't say. */
  readonly rewritesSenders: boolean;
  readonly directory: Pick<Directory, 'domain'>;
  readonly log: Log;
}

/** @returns `sendOn` of `deliver` */
export function createForwarding(options: ForwardingOptions): (content: Octets, onward: Onward) => Promise<void> {
  const { submission, srs, rewritesSenders, directory, log } = options;

  async function senderOf({ by, envelope: { sender } }: Onward): Promise<string> {
    if (!(by.rewritesSenders ?? rewritesSenders) || sender === '') return sender;
    const name = parseDomainName(parseEnvelopeAddress(sender)?.domain ?? '');
    // This host sends for our own domains anyway, and their bounces come here.
    const isOurs = name !== undefined && (await directory.domain(name)) !== undefined;
    return isOurs ? sender : srs.forward(sender, by.name);
  }

  return async (content, onward) => {
    const { address, envelope, id } = onward;
    const sender = await senderOf(onward);
    await submission.submit(content, { sender, recipients: [address] });
    log.info('delivery.sent-on', { id, sender: envelope.sender, recipient: envelope.recipient, to: address, as: sender });
  };
}
