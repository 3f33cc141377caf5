import type { Translation } from './index.ts';

export const sasl = {
  // The one sentence for every login that fails, so that it tells nothing.
  'authentication failed': { da: 'login mislykkedes', de: 'Anmeldung fehlgeschlagen' },
  'malformed authentication response': { da: 'ugyldigt svar under login', de: 'ungültige Antwort bei der Anmeldung' },
} as const satisfies Record<string, Translation>;
