import type { Translation } from './index.ts';

/** Said to mail programs when somebody guesses passwords. No "[" in them: after -ERR that would begin a response code, RFC 2449 section 8. */
export const admission = {
  'too many attempts, try again later': {
    da: 'for mange forsøg, prøv igen senere',
    de: 'zu viele Versuche, bitte später erneut versuchen',
  },
  'too many connections for this account, try again later': {
    da: 'for mange forbindelser til denne konto, prøv igen senere',
    de: 'zu viele Verbindungen für dieses Konto, bitte später erneut versuchen',
  },
} as const satisfies Record<string, Translation>;
