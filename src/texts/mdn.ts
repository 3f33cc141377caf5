import type { Translation } from './index.ts';

/** Written to people whose message asked for a receipt, and said to those who are to decide about it. */
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
  'no such receipt: {id}': { da: 'ingen sådan kvittering: {id}', de: 'keine solche Quittung: {id}' },
  'receipt sent to {address}': { da: 'kvittering sendt til {address}', de: 'Quittung an {address} gesendet' },
  'no receipt will be sent': { da: 'der sendes ingen kvittering', de: 'es wird keine Quittung gesendet' },
  'it would go to another address than the one the message came from': {
    da: 'den ville gå til en anden adresse end den, beskeden kom fra',
    de: 'sie ginge an eine andere Adresse als die, von der die Nachricht kam',
  },
  'nobody knows which address the message came from': {
    da: 'ingen ved, hvilken adresse beskeden kom fra',
    de: 'niemand weiß, von welcher Adresse die Nachricht kam',
  },
  'neither To nor Cc names this user': {
    da: 'hverken To eller Cc nævner denne bruger',
    de: 'weder To noch Cc nennt diesen Benutzer',
  },
  'Sent: {date}': { da: 'Sendt: {date}', de: 'Gesendet: {date}' },
  'Subject: {subject}': { da: 'Emne: {subject}', de: 'Betreff: {subject}' },
} as const satisfies Record<string, Translation>;
