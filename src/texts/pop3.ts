import type { Translation } from './index.ts';

/** Said to mail programs. No "[" in them: after +OK or -ERR that would begin a response code, RFC 2449 section 8. */
export const pop3 = {
  'POP3 server ready': { da: 'POP3-server klar', de: 'POP3-Server bereit' },
  goodbye: { da: 'farvel', de: 'auf Wiedersehen' },
  'goodbye (maildrop empty)': { da: 'farvel (postkassen er tom)', de: 'auf Wiedersehen (Postfach leer)' },
  'goodbye (1 message left)': { da: 'farvel (1 besked tilbage)', de: 'auf Wiedersehen (1 Nachricht verbleibt)' },
  'goodbye ({messages} messages left)': {
    da: 'farvel ({messages} beskeder tilbage)',
    de: 'auf Wiedersehen ({messages} Nachrichten verbleiben)',
  },
  'the session is over': { da: 'sessionen er slut', de: 'die Sitzung ist beendet' },

  'unknown command': { da: 'ukendt kommando', de: 'unbekannter Befehl' },
  'line too long': { da: 'linjen er for lang', de: 'Zeile zu lang' },
  'missing argument': { da: 'argument mangler', de: 'Argument fehlt' },
  'too many arguments': { da: 'for mange argumenter', de: 'zu viele Argumente' },
  'not a message-number': { da: 'ikke et beskednummer', de: 'keine Nachrichtennummer' },
  'not a number of lines': { da: 'ikke et antal linjer', de: 'keine Zeilenzahl' },
  'log in first': { da: 'log ind først', de: 'erst anmelden' },
  'only before login': { da: 'kun før login', de: 'nur vor der Anmeldung' },

  'now the password': { da: 'nu adgangskoden', de: 'nun das Passwort' },
  'USER comes first': { da: 'USER kommer først', de: 'erst kommt USER' },
  'a user name has no blanks': { da: 'et brugernavn har ingen mellemrum', de: 'ein Benutzername hat keine Leerzeichen' },
  'a password has no NUL': { da: 'en adgangskode har intet NUL', de: 'ein Passwort hat kein NUL' },
  'APOP is not offered here': { da: 'APOP tilbydes ikke her', de: 'APOP wird hier nicht angeboten' },
  'a digest has 32 hexadecimal digits': { da: 'et digest har 32 hexadecimale cifre', de: 'ein Digest hat 32 Hexadezimalziffern' },
  'no passwords without encryption here: use STLS first, or the POP3S port': {
    da: 'ingen adgangskoder uden kryptering her: brug STLS først, eller POP3S-porten',
    de: 'keine Passwörter ohne Verschlüsselung: erst STLS, oder der POP3S-Port',
  },
  'no passwords without encryption here: use the POP3S port': {
    da: 'ingen adgangskoder uden kryptering her: brug POP3S-porten',
    de: 'keine Passwörter ohne Verschlüsselung: bitte den POP3S-Port benutzen',
  },
  'too soon after the last login: {seconds} seconds must lie between': {
    da: 'for tidligt efter sidste login: der skal gå {seconds} sekunder',
    de: 'zu früh nach der letzten Anmeldung: {seconds} Sekunden müssen dazwischen liegen',
  },

  'mechanisms follow': { da: 'her er mekanismerne', de: 'es folgen die Mechanismen' },
  'no such mechanism': { da: 'den mekanisme findes ikke', de: 'diesen Mechanismus gibt es nicht' },
  'this mechanism needs TLS': { da: 'denne mekanisme kræver TLS', de: 'dieser Mechanismus braucht TLS' },
  'this mechanism takes no initial response': {
    da: 'denne mekanisme tager ikke imod et første svar',
    de: 'dieser Mechanismus nimmt keine erste Antwort',
  },
  'not base64': { da: 'ikke base64', de: 'kein Base64' },
  'nothing more was asked for': { da: 'der blev ikke bedt om mere', de: 'mehr war nicht gefragt' },
  'authentication cancelled': { da: 'login afbrudt', de: 'Anmeldung abgebrochen' },

  'begin TLS negotiation': { da: 'begynd TLS-forhandling', de: 'TLS-Verhandlung beginnen' },
  'not permitted when TLS is active': { da: 'ikke tilladt når TLS er i brug', de: 'nicht erlaubt, solange TLS aktiv ist' },
  'there is no TLS here': { da: 'her er ingen TLS', de: 'hier gibt es kein TLS' },

  'capabilities follow': { da: 'her er mulighederne', de: 'es folgen die Fähigkeiten' },
  'UTF-8 it is': { da: 'UTF-8 er valgt', de: 'UTF-8 ist gewählt' },
  'languages follow': { da: 'her er sprogene', de: 'es folgen die Sprachen' },
  'language changed': { da: 'sproget er skiftet', de: 'Sprache gewechselt' },
  'not a language tag': { da: 'ikke et sprogmærke', de: 'kein Sprachkürzel' },
  'that language is not spoken here': { da: 'det sprog tales ikke her', de: 'diese Sprache wird hier nicht gesprochen' },

  '1 message ({octets} octets)': { da: '1 besked ({octets} oktetter)', de: '1 Nachricht ({octets} Oktette)' },
  '{messages} messages ({octets} octets)': {
    da: '{messages} beskeder ({octets} oktetter)',
    de: '{messages} Nachrichten ({octets} Oktette)',
  },
  '{octets} octets': { da: '{octets} oktetter', de: '{octets} Oktette' },
  'top of message follows': { da: 'her er beskedens begyndelse', de: 'es folgt der Anfang der Nachricht' },
  'message {number} deleted': { da: 'besked {number} slettet', de: 'Nachricht {number} gelöscht' },
  'message {number} already deleted': { da: 'besked {number} er allerede slettet', de: 'Nachricht {number} ist schon gelöscht' },
  'no such message, the maildrop is empty': {
    da: 'den besked findes ikke, postkassen er tom',
    de: 'diese Nachricht gibt es nicht, das Postfach ist leer',
  },
  'no such message, only 1 message in maildrop': {
    da: 'den besked findes ikke, der er kun 1 besked i postkassen',
    de: 'diese Nachricht gibt es nicht, nur 1 Nachricht im Postfach',
  },
  'no such message, only {messages} messages in maildrop': {
    da: 'den besked findes ikke, der er kun {messages} beskeder i postkassen',
    de: 'diese Nachricht gibt es nicht, nur {messages} Nachrichten im Postfach',
  },
  'the messages could not be deleted, all of them are still there': {
    da: 'beskederne kunne ikke slettes, de er der alle endnu',
    de: 'die Nachrichten konnten nicht gelöscht werden, alle sind noch da',
  },
  'it is not known whether the messages were deleted': {
    da: 'det vides ikke, om beskederne blev slettet',
    de: 'es ist nicht bekannt, ob die Nachrichten gelöscht wurden',
  },
} as const satisfies Record<string, Translation>;
