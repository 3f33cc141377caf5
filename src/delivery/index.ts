/** Envelope and message in, one outcome per envelope recipient out. */
export { cannotSendOn, type DeliveryOptions, deliver, type Onward, type Outcome, type Recipient, type Transaction } from './delivery.ts';
export { explainMail } from './explainMail.ts';
export { type HostedDomainOptions, hostedDomain } from './hostedDomain.ts';
export { createPartialDeliveries, noPartialDeliveries, type PartialDeliveries } from './partialDeliveries.ts';
export { type QuotaPolicy, requireAnyRoom } from './quotaPolicy.ts';
export { createResolver, type Destination, type Resolution, type Resolver, type ResolverOptions } from './resolver.ts';
export { memoryLimitOctets, type ReceivedMessage, Spool, type SpoolOptions } from './spool.ts';
export { messageFacts } from './trace/messageFacts.ts';
export { type DeliveryTrace, noTrace, type TraceResult } from './trace/record.ts';
export { mailDate, type Reception, traceFields } from './traceFields.ts';
export { Undeliverable } from './undeliverable.ts';
