/** Envelope and message in, one outcome per envelope recipient out. */
export { type DeliveryOptions, deliver, type Outcome, type Recipient, type Transaction } from './delivery.ts';
export { type EnvelopeAddress, parseEnvelopeAddress } from './envelopeAddress.ts';
export { createResolver, type Resolution, type Resolver, type ResolverOptions } from './resolver.ts';
export { memoryLimitOctets, type ReceivedMessage, Spool, type SpoolOptions } from './spool.ts';
export { mailDate, type Reception, traceFields } from './traceFields.ts';
export { Undeliverable } from './undeliverable.ts';
