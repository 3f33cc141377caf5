/** SCRAM-SHA-1, RFC 5802. */
import { scram } from './scram/exchange.ts';

export const SCRAM_SHA_1 = scram('SCRAM-SHA-1', 'sha1', false);
