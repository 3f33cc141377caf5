import type { Translation } from './index.ts';

/** Written to people whose message asked for a receipt; lines are broken where they are made. */
export const mdn = {
  'Receipt: {subject}': { da: 'Kvittering: {subject}', de: 'Quittung: {subject}' },
  'Your message to {recipient} was fetched from the mail server by the mail program of the recipient.': {
    da: 'Din besked til {recipient} er hentet fra mailserveren af modtagerens mailprogram.',
    de: 'Ihre Nachricht an {recipient} wurde vom Mailprogramm des Empfängers beim Mailserver abgeholt.',
  },
  'This does not mean that somebody has read it or understood it.': {
    da: 'Det betyder ikke, at nogen har læst eller forstået den.',
    de: 'Das heißt nicht, dass sie jemand gelesen oder verstanden hat.',
  },
  'Sent: {date}': { da: 'Sendt: {date}', de: 'Gesendet: {date}' },
  'Subject: {subject}': { da: 'Emne: {subject}', de: 'Betreff: {subject}' },
} as const satisfies Record<string, Translation>;
