/** Of one delivery to one envelope recipient, as against the From and To of the header. RFC 5321 section 3.3. */
export interface Envelope {
  /** Envelope sender without angle brackets; empty for a bounce. */
  readonly sender: string;
  /** Envelope recipient as it came in RCPT, without angle brackets. */
  readonly recipient: string;
  /** What it was before aliases, where the deliverer said so (ORCPT, X-Original-To); else the same as `recipient`. */
  readonly originalRecipient: string;
  /** When the message arrived here. */
  readonly receivedAt: Date;
}
