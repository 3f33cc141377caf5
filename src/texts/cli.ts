import type { Translation } from './index.ts';

export const cli = {
  '{file}: no mistakes found': { da: '{file}: ingen fejl fundet', de: '{file}: keine Fehler gefunden' },
  'mail for {name}:': { da: 'post til {name}:', de: 'Post für {name}:' },
  'goes on to {address}, for {domain}': { da: 'går videre til {address}, for {domain}', de: 'geht weiter an {address}, für {domain}' },
  '{name} keeps no copy': { da: '{name} beholder ingen kopi', de: '{name} behält keine Kopie' },
  'rests with {name}: {path}': { da: 'ligger hos {name}: {path}', de: 'liegt bei {name}: {path}' },
  'mailbox: {path} ({format})': { da: 'postkasse: {path} ({format})', de: 'Postfach: {path} ({format})' },
  'mailbox: {path} ({format}, not there yet)': {
    da: 'postkasse: {path} ({format}, findes ikke endnu)',
    de: 'Postfach: {path} ({format}, noch nicht vorhanden)',
  },
  '{name}: {count} removed, {left} left': {
    da: '{name}: {count} fjernet, {left} tilbage',
    de: '{name}: {count} entfernt, {left} verbleiben',
  },
  '{name}: {count} would be removed, {left} left': {
    da: '{name}: {count} ville blive fjernet, {left} tilbage',
    de: '{name}: {count} würden entfernt, {left} verblieben',
  },
  '{name}: somebody is reading it, left alone': {
    da: '{name}: nogen er ved at læse den, ikke rørt',
    de: '{name}: wird gerade gelesen, nicht angerührt',
  },
  '{name}: {problem}': { da: '{name}: {problem}', de: '{name}: {problem}' },
  'nothing is known of it': { da: 'intet kendes til det', de: 'darüber ist nichts bekannt' },
  '{count} older ones are not shown; --since or --limit chooses others': {
    da: '{count} ældre vises ikke; --since eller --limit vælger andre',
    de: '{count} ältere sind nicht gezeigt; --since oder --limit wählt andere',
  },
  '{folder}: only root and the user who runs Postkasse may look': {
    da: '{folder}: kun root og den bruger, som kører Postkasse, må se efter',
    de: '{folder}: nur root und der Benutzer, der Postkasse betreibt, dürfen nachsehen',
  },
  'an address, a queue id or a Message-ID is needed': {
    da: 'en adresse, et kø-id eller et Message-ID mangler',
    de: 'eine Adresse, eine Queue-ID oder eine Message-ID fehlt',
  },
  '{time} delivered: from {sender} to {recipient}': {
    da: '{time} afleveret: fra {sender} til {recipient}',
    de: '{time} zugestellt: von {sender} an {recipient}',
  },
  '{time} to be tried again: from {sender} to {recipient}': {
    da: '{time} skal prøves igen: fra {sender} til {recipient}',
    de: '{time} wird wieder versucht: von {sender} an {recipient}',
  },
  '{time} refused: from {sender} to {recipient}': {
    da: '{time} afvist: fra {sender} til {recipient}',
    de: '{time} abgelehnt: von {sender} an {recipient}',
  },
  'why: {reason}': { da: 'hvorfor: {reason}', de: 'warum: {reason}' },
  'before aliases: {address}': { da: 'før aliasser: {address}', de: 'vor Aliassen: {address}' },
  'goes to: {names}': { da: 'går til: {names}', de: 'geht an: {names}' },
  'message: {octets} octets, {id}': { da: 'besked: {octets} oktetter, {id}', de: 'Nachricht: {octets} Oktette, {id}' },
  'from host {client}, queue id {queueId}, here {id}': {
    da: 'fra vært {client}, kø-id {queueId}, her {id}',
    de: 'von {client}, Queue-ID {queueId}, hier {id}',
  },
  'from host {client}, here {id}': { da: 'fra vært {client}, her {id}', de: 'von {client}, hier {id}' },
  'rule: {rule}: {outcome}': { da: 'regel: {rule}: {outcome}', de: 'Regel: {rule}: {outcome}' },

  '{name} holds {octets} octets ({size})': {
    da: '{name} rummer {octets} oktetter ({size})',
    de: '{name} enthält {octets} Oktette ({size})',
  },
  '{name} holds {octets} octets ({size}) in {messages} messages': {
    da: '{name} rummer {octets} oktetter ({size}) i {messages} beskeder',
    de: '{name} enthält {octets} Oktette ({size}) in {messages} Nachrichten',
  },
  'limit: {octets} octets ({size}), {percent} % of it used': {
    da: 'grænse: {octets} oktetter ({size}), {percent} % er brugt',
    de: 'Grenze: {octets} Oktette ({size}), davon {percent} % belegt',
  },
  'limit: none': { da: 'grænse: ingen', de: 'Grenze: keine' },
  '{name} is neither an address nor a domain of ours': {
    da: '{name} er hverken en adresse eller et domæne hos os',
    de: '{name} ist weder eine Adresse noch eine Domain von uns',
  },

  'Password: ': { da: 'Adgangskode: ', de: 'Passwort: ' },
  'Once more: ': { da: 'En gang til: ', de: 'Noch einmal: ' },
  'no password given': { da: 'ingen adgangskode angivet', de: 'kein Passwort angegeben' },
  'the two passwords differ': { da: 'de to adgangskoder er forskellige', de: 'die beiden Passwörter sind verschieden' },
  'nobody may act for this domain': {
    da: 'ingen må handle for dette domæne',
    de: 'für diese Domain darf niemand handeln',
  },
  'no such mailbox: {name}': { da: 'ingen sådan postkasse: {name}', de: 'kein solches Postfach: {name}' },
  '{name} is not an address': { da: '{name} er ikke en adresse', de: '{name} ist keine Adresse' },
  '{path} is in the way': { da: '{path} er i vejen', de: '{path} ist im Weg' },
  '{path} is {format} already': { da: '{path} er allerede {format}', de: '{path} ist bereits {format}' },
  '1 message converted to {format}; the old mailbox is kept as {path}': {
    da: '1 besked omdannet til {format}; den gamle postkasse er gemt som {path}',
    de: '1 Nachricht in {format} umgewandelt; das alte Postfach liegt unter {path}',
  },
  '{count} messages converted to {format}; the old mailbox is kept as {path}': {
    da: '{count} beskeder omdannet til {format}; den gamle postkasse er gemt som {path}',
    de: '{count} Nachrichten in {format} umgewandelt; das alte Postfach liegt unter {path}',
  },

  '{detail}': { da: '{detail}', de: '{detail}' },
  'certificate: {detail}': { da: 'certifikat: {detail}', de: 'Zertifikat: {detail}' },
  '{listener}: another program listens there already': {
    da: '{listener}: et andet program lytter der allerede',
    de: '{listener}: dort lauscht schon ein anderes Programm',
  },
  '{listener}: this host does not have that address': {
    da: '{listener}: denne maskine har ikke den adresse',
    de: '{listener}: dieser Rechner hat diese Adresse nicht',
  },
  '{listener}: ports below 1024 need root': {
    da: '{listener}: porte under 1024 kræver root',
    de: '{listener}: Ports unter 1024 brauchen root',
  },
  '{listener}: not allowed': { da: '{listener}: ikke tilladt', de: '{listener}: nicht erlaubt' },
  '{listener}: its folder is not there': { da: '{listener}: dens mappe findes ikke', de: '{listener}: das Verzeichnis dafür fehlt' },
  '{listener}: {detail}': { da: '{listener}: {detail}', de: '{listener}: {detail}' },
  '{setting}: {folder} can not be made ({detail})': {
    da: '{setting}: {folder} kan ikke oprettes ({detail})',
    de: '{setting}: {folder} kann nicht angelegt werden ({detail})',
  },
  '{setting}: uid {uid} can not write to {folder} ({detail})': {
    da: '{setting}: uid {uid} kan ikke skrive i {folder} ({detail})',
    de: '{setting}: uid {uid} kann nicht in {folder} schreiben ({detail})',
  },
  '{path}: already running, process {pid}': { da: '{path}: kører allerede, proces {pid}', de: '{path}: läuft bereits, Prozess {pid}' },
  '{path}: should be a file of its own; remove it': {
    da: '{path}: skal være en fil for sig selv; fjern den',
    de: '{path}: muss eine eigene Datei sein; bitte entfernen',
  },
  'the host has no user {name}': { da: 'maskinen har ingen bruger {name}', de: 'der Rechner hat keinen Benutzer {name}' },
  'the host has no group {name}': { da: 'maskinen har ingen gruppe {name}', de: 'der Rechner hat keine Gruppe {name}' },
  'owners.front_user must not be {name}, who owns mail': {
    da: 'owners.front_user må ikke være {name}, som ejer post',
    de: 'owners.front_user darf nicht {name} sein, dem Mail gehört',
  },
  'owners.mode = "many" needs a start by root': {
    da: 'owners.mode = "many" kræver start som root',
    de: 'owners.mode = "many" verlangt einen Start durch root',
  },
  'mail is never handled as root': { da: 'post behandles aldrig som root', de: 'Mail wird nie als root behandelt' },

  'Postkasse is running. Ctrl-C ends it.': { da: 'Postkasse kører. Ctrl-C afslutter.', de: 'Postkasse läuft. Strg-C beendet es.' },
  'STLS too': { da: 'også STLS', de: 'auch STLS' },
  'with a certificate of its own making': { da: 'med et selvlavet certifikat', de: 'mit einem selbst gemachten Zertifikat' },
  'takes mail for kvt.dk': { da: 'tager imod post til kvt.dk', de: 'nimmt Mail für kvt.dk an' },
  'login {name}, password {password}': {
    da: 'brugernavn {name}, adgangskode {password}',
    de: 'Anmeldung {name}, Passwort {password}',
  },
  'Mail and settings are in {folder}': { da: 'Post og indstillinger ligger i {folder}', de: 'Mail und Einstellungen liegen in {folder}' },
  '(the folder you started it in is closed to the user {user}, who handles mail here)': {
    da: '(mappen, det blev startet i, er lukket for brugeren {user}, som behandler posten her)',
    de: '(das Verzeichnis, in dem es gestartet wurde, ist dem Benutzer {user} verschlossen, der hier die Mail behandelt)',
  },
  'To send a mail, and to fetch it:': { da: 'For at sende en mail og hente den:', de: 'Eine Mail senden und abholen:' },
  'ending ...': { da: 'afslutter ...', de: 'wird beendet ...' },
  'to take ports that are free: {command}': { da: 'for at tage ledige porte: {command}', de: 'um freie Ports zu nehmen: {command}' },
  '{folder} can not be used ({detail}); choose another with --data': {
    da: '{folder} kan ikke bruges ({detail}); vælg en anden med --data',
    de: '{folder} ist nicht benutzbar ({detail}); mit --data ein anderes wählen',
  },
  '{folder} belongs to somebody else; choose another with --data': {
    da: '{folder} tilhører en anden; vælg en anden med --data',
    de: '{folder} gehört jemand anderem; mit --data ein anderes wählen',
  },
} as const satisfies Record<string, Translation>;
