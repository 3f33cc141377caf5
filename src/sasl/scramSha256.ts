/** SCRAM-SHA-256, RFC 7677. */
import { scram } from './scram/exchange.ts';

export const SCRAM_SHA_256 = scram('SCRAM-SHA-256', 'sha256', false);
