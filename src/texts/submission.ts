import type { Translation } from './index.ts';

/** Said to who hands us mail that goes on to somewhere else. */
export const submission = {
  'the message can not be sent on just now': {
    da: 'beskeden kan ikke sendes videre lige nu',
    de: 'die Nachricht kann gerade nicht weitergeschickt werden',
  },
  'the mail server here does not send the message on: {reply}': {
    da: 'mailserveren her sender ikke beskeden videre: {reply}',
    de: 'der Mailserver hier schickt die Nachricht nicht weiter: {reply}',
  },
} as const satisfies Record<string, Translation>;
