/** SCRAM-SHA-256-PLUS, RFC 7677, bound to the TLS connection. */
import { scram } from './scram/exchange.ts';

export const SCRAM_SHA_256_PLUS = scram('SCRAM-SHA-256-PLUS', 'sha256', true);
