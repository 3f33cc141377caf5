import type { Translation } from './index.ts';

/** Said to mail programs by the connection itself. No "[" in them: after -ERR that would begin a response code, RFC 2449 section 8. */
export const net = {
  'too many connections, try again later': {
    da: 'for mange forbindelser, prøv igen senere',
    de: 'zu viele Verbindungen, bitte später erneut versuchen',
  },
  'the server is overloaded, try again later': {
    da: 'serveren er overbelastet, prøv igen senere',
    de: 'der Server ist überlastet, bitte später erneut versuchen',
  },
  'too many failed logins, closing the connection': {
    da: 'for mange mislykkede login, forbindelsen lukkes',
    de: 'zu viele fehlgeschlagene Anmeldungen, die Verbindung wird geschlossen',
  },
} as const satisfies Record<string, Translation>;
