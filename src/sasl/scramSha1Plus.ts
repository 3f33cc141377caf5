/** SCRAM-SHA-1-PLUS, RFC 5802, bound to the TLS connection. */
import { scram } from './scram/exchange.ts';

export const SCRAM_SHA_1_PLUS = scram('SCRAM-SHA-1-PLUS', 'sha1', true);
