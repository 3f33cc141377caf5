import type { Translation } from './index.ts';

/** Said to mail programs that send mail: Postfix puts "authentication failed: " before it. */
export const smtpAuth = {
  // For every login that fails, so that it tells nothing.
  'wrong name or password': { da: 'forkert navn eller adgangskode', de: 'falscher Name oder falsches Passwort' },
  'no passwords without encryption here: use TLS': {
    da: 'ingen adgangskoder uden kryptering her: brug TLS',
    de: 'keine Passwörter ohne Verschlüsselung: bitte TLS benutzen',
  },
  'too many requests at a time, try again later': {
    da: 'for mange forespørgsler på én gang, prøv igen senere',
    de: 'zu viele Anfragen auf einmal, bitte später erneut versuchen',
  },
  'there is no such request': { da: 'den forespørgsel findes ikke', de: 'diese Anfrage gibt es nicht' },
  'the request is being worked on already': { da: 'der arbejdes allerede på forespørgslen', de: 'die Anfrage ist schon in Arbeit' },
} as const satisfies Record<string, Translation>;
