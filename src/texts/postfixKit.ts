import type { Translation } from './index.ts';

/** Said by `postkasse postfix` to the administrator. */
export const postfixKit = {
  '{program} can not be run: is Postfix installed?': {
    da: '{program} kan ikke køres: er Postfix installeret?',
    de: '{program} lässt sich nicht ausführen: ist Postfix installiert?',
  },
  '{program} failed': { da: '{program} mislykkedes', de: '{program} ist gescheitert' },
  'Postfix is {version}, and {oldest} is the oldest that will do': {
    da: 'Postfix er {version}, og {oldest} er den ældste, der kan bruges',
    de: 'Postfix ist {version}, und {oldest} ist das älteste, das geht',
  },
  'this Postfix has no type of look-up table that can be written': {
    da: 'denne Postfix har ingen type opslagstabel, der kan skrives',
    de: 'dieses Postfix hat keinen Tabellentyp, der sich schreiben lässt',
  },
  'this Postfix has neither regexp nor pcre tables': {
    da: 'denne Postfix har hverken regexp- eller pcre-tabeller',
    de: 'dieses Postfix hat weder regexp- noch pcre-Tabellen',
  },
  '{path} is no file of its own': { da: '{path} er ikke en fil for sig selv', de: '{path} ist keine eigene Datei' },
  '{path} can not be understood': { da: '{path} er ikke til at forstå', de: '{path} ist nicht zu verstehen' },
  'what was kept of {path} is damaged': { da: 'det gemte af {path} er beskadiget', de: 'das Aufbewahrte von {path} ist beschädigt' },
  '{path}: line {line} makes no sense': { da: '{path}: linje {line} giver ingen mening', de: '{path}: Zeile {line} ergibt keinen Sinn' },
  '{path} was changed by somebody else just now; look at the plan again': {
    da: '{path} blev ændret af en anden netop nu; se på planen igen',
    de: '{path} wurde gerade von jemand anderem geändert; den Plan noch einmal ansehen',
  },
  '{path} was changed since it was written; --force replaces it': {
    da: '{path} er ændret, siden den blev skrevet; --force erstatter den',
    de: '{path} wurde seit dem Schreiben geändert; --force ersetzt es',
  },
  "{path} is somebody else's; --force replaces it": {
    da: '{path} er en andens; --force erstatter den',
    de: '{path} ist von jemand anderem; --force ersetzt es',
  },
  'only root can do this': { da: 'det kan kun root', de: 'das kann nur root' },
  'there is no domain {domain}': { da: 'der er intet domæne {domain}', de: 'es gibt keine Domain {domain}' },
  'no domain has a style: say one with --style {styles}': {
    da: 'intet domæne har en stil: angiv en med --style {styles}',
    de: 'keine Domain hat einen Stil: mit --style {styles} einen angeben',
  },
  'the domain {domain} is left out: {detail}': { da: 'domænet {domain} er udeladt: {detail}', de: 'die Domain {domain} fehlt: {detail}' },
  'the account {account} is left out: {detail}': {
    da: 'kontoen {account} er udeladt: {detail}',
    de: 'das Konto {account} fehlt: {detail}',
  },
  'nothing to change': { da: 'intet at ændre', de: 'nichts zu ändern' },
  'nothing to put back': { da: 'intet at sætte tilbage', de: 'nichts zurückzusetzen' },
  '  before: {value}': { da: '  før:   {value}', de: '  vorher:  {value}' },
  '  after:  {value}': { da: '  efter: {value}', de: '  nachher: {value}' },
  '(not set)': { da: '(ikke sat)', de: '(nicht gesetzt)' },
  'then: {command}': { da: 'derefter: {command}', de: 'danach: {command}' },
  'in the way: {detail}': { da: 'i vejen: {detail}', de: 'im Weg: {detail}' },
  'no findings': { da: 'ingen fund', de: 'keine Befunde' },

  'the settings have no listener with protocol = "lmtp"': {
    da: 'indstillingerne har ingen lytter med protocol = "lmtp"',
    de: 'die Einstellungen haben keinen Listener mit protocol = "lmtp"',
  },
  'the settings have no listener with protocol = "{protocol}" that Postfix could ask': {
    da: 'indstillingerne har ingen lytter med protocol = "{protocol}", som Postfix kan spørge',
    de: 'die Einstellungen haben keinen Listener mit protocol = "{protocol}", den Postfix fragen könnte',
  },
  '{socket} can not be reached from the chroot of smtpd; give it a path below {folder}, or a port on 127.0.0.1': {
    da: '{socket} kan ikke nås fra smtpds chroot; giv den en sti under {folder} eller en port på 127.0.0.1',
    de: '{socket} ist aus dem Chroot von smtpd nicht erreichbar; einen Pfad unter {folder} geben oder einen Port auf 127.0.0.1',
  },
  'the service {service} asks somebody else for passwords: {path}': {
    da: 'tjenesten {service} spørger en anden om adgangskoder: {path}',
    de: 'der Dienst {service} fragt jemand anderen nach Passwörtern: {path}',
  },
  'forward_path is {value}, and style jth needs the default': {
    da: 'forward_path er {value}, og stilen jth kræver standardværdien',
    de: 'forward_path ist {value}, und der Stil jth braucht die Vorgabe',
  },
  'virtual_mailbox_base is {base}, and mailboxes of ours are elsewhere': {
    da: 'virtual_mailbox_base er {base}, og vores postkasser ligger et andet sted',
    de: 'virtual_mailbox_base ist {base}, und unsere Postfächer liegen woanders',
  },
  'recipient_delimiter is {value}, and style jth needs +': {
    da: 'recipient_delimiter er {value}, og stilen jth kræver +',
    de: 'recipient_delimiter ist {value}, und der Stil jth braucht +',
  },
  'myorigin is {origin}, below a domain of style jth, and mydestination has no other name': {
    da: 'myorigin er {origin}, under et domæne med stilen jth, og mydestination har intet andet navn',
    de: 'myorigin ist {origin}, unter einer Domain mit Stil jth, und mydestination hat keinen anderen Namen',
  },
  '{domain} belongs to root, and style jth needs a user of the host': {
    da: '{domain} tilhører root, og stilen jth kræver en bruger på maskinen',
    de: '{domain} gehört root, und der Stil jth braucht einen Benutzer des Rechners',
  },
  '{domain} belongs to uid {uid}, who has no home of the own on the host; style jth needs one': {
    da: '{domain} tilhører uid {uid}, som ikke har et eget hjem på maskinen; stilen jth kræver et',
    de: '{domain} gehört uid {uid}, wofür es auf dem Rechner kein eigenes Heimatverzeichnis gibt; der Stil jth braucht eines',
  },
  '{domain} belongs to {owner}, a name that style jth can not write': {
    da: '{domain} tilhører {owner}, et navn som stilen jth ikke kan skrive',
    de: '{domain} gehört {owner}, ein Name, den der Stil jth nicht schreiben kann',
  },
  '{domain} stands in mydestination, too: take it out there': {
    da: '{domain} står også i mydestination: tag det ud der',
    de: '{domain} steht auch in mydestination: dort herausnehmen',
  },
  '{domain} stands in relay_domains, too: take it out there': {
    da: '{domain} står også i relay_domains: tag det ud der',
    de: '{domain} steht auch in relay_domains: dort herausnehmen',
  },
  '{domain} stands in virtual_mailbox_domains, and style {style} needs it out of there': {
    da: '{domain} står i virtual_mailbox_domains, og stilen {style} kræver, at det ikke gør',
    de: '{domain} steht in virtual_mailbox_domains, und der Stil {style} verlangt, dass es dort nicht steht',
  },
  '{domain} is a virtual alias domain, and style {style} needs it not to be one': {
    da: '{domain} er et virtuelt aliasdomæne, og stilen {style} kræver, at det ikke er det',
    de: '{domain} ist eine virtuelle Alias-Domain, und der Stil {style} verlangt, dass sie keine ist',
  },

  '{count} files are not as they should be: look at postkasse postfix plan': {
    da: '{count} filer er ikke, som de skal være: se postkasse postfix plan',
    de: '{count} Dateien sind nicht, wie sie sein sollten: siehe postkasse postfix plan',
  },
  '{setting} names {table}, which postmap has not been run on: run postmap {table}': {
    da: '{setting} nævner {table}, som postmap ikke er kørt på: kør postmap {table}',
    de: '{setting} nennt {table}, worauf postmap nicht ausgeführt wurde: postmap {table} ausführen',
  },
  '{setting} names {table}, whose source has changed since: run postmap {table}': {
    da: '{setting} nævner {table}, hvis kilde er ændret siden: kør postmap {table}',
    de: '{setting} nennt {table}, dessen Quelle sich seither geändert hat: postmap {table} ausführen',
  },
  'recipient_delimiter is {value} in Postfix and {own} in our settings (delivery.recipient_delimiter): make them the same': {
    da: 'recipient_delimiter er {value} i Postfix og {own} i vores indstillinger (delivery.recipient_delimiter): gør dem ens',
    de: 'recipient_delimiter ist {value} in Postfix und {own} in unseren Einstellungen (delivery.recipient_delimiter): beide gleich setzen',
  },
  'home_mailbox is {value} in Postfix and {own} in our settings (mailboxes.home): mail for users of the host is not looked for where it lies':
    {
      da: 'home_mailbox er {value} i Postfix og {own} i vores indstillinger (mailboxes.home): post til maskinens brugere søges ikke, hvor den ligger',
      de: 'home_mailbox ist {value} in Postfix und {own} in unseren Einstellungen (mailboxes.home): Mail für Benutzer des Rechners wird nicht dort gesucht, wo sie liegt',
    },
  'message_size_limit is {value} in Postfix and delivery.max_message_octets {own}: what is larger is taken, and then returned to its sender':
    {
      da: 'message_size_limit er {value} i Postfix og delivery.max_message_octets {own}: hvad der er større, tages imod og sendes så tilbage',
      de: 'message_size_limit ist {value} in Postfix und delivery.max_message_octets {own}: was größer ist, wird angenommen und dann zurückgeschickt',
    },
  '{setting} is {value}: a larger mbox gets no more mail; 0 is no limit': {
    da: '{setting} er {value}: en større mbox får ikke mere post; 0 er ingen grænse',
    de: '{setting} ist {value}: eine größere mbox bekommt keine Mail mehr; 0 ist keine Grenze',
  },
  '{setting} has reject_unverified_recipient: with virtual_mailbox_maps it is not needed, and keeps a new user waiting for hours': {
    da: '{setting} har reject_unverified_recipient: med virtual_mailbox_maps er den unødvendig og lader en ny bruger vente i timer',
    de: '{setting} hat reject_unverified_recipient: mit virtual_mailbox_maps ist es unnötig und lässt neue Benutzer stundenlang warten',
  },
  '{setting} lacks forward: .forward files can not do what they say': {
    da: '{setting} mangler forward: .forward-filer kan ikke gøre, hvad de siger',
    de: 'in {setting} fehlt forward: .forward-Dateien können nicht tun, was in ihnen steht',
  },
  'command_time_limit is {value}: leave it above 660s, or Postfix returns mail that would only have had to wait': {
    da: 'command_time_limit er {value}: lad den være over 660s, ellers sender Postfix post tilbage, som blot skulle vente',
    de: 'command_time_limit ist {value}: über 660s lassen, sonst schickt Postfix Mail zurück, die nur hätte warten müssen',
  },
  '{setting} names a {type} table, a type that this Postfix does not have (postconf -m)': {
    da: '{setting} nævner en {type}-tabel, en type som denne Postfix ikke har (postconf -m)',
    de: '{setting} nennt eine {type}-Tabelle, einen Typ, den dieses Postfix nicht hat (postconf -m)',
  },
  '{setting} names {socket}, which {command} can not see from its chroot {folder}: postkasse postfix plan says it otherwise': {
    da: '{setting} nævner {socket}, som {command} ikke kan se fra sin chroot {folder}: postkasse postfix plan siger det anderledes',
    de: '{setting} nennt {socket}, was {command} aus seinem Chroot {folder} nicht sieht: postkasse postfix plan sagt es anders',
  },
  'nobody listens at {socket} ({detail}): is Postkasse running, with these settings?': {
    da: 'ingen lytter på {socket} ({detail}): kører Postkasse, med disse indstillinger?',
    de: 'niemand lauscht auf {socket} ({detail}): läuft Postkasse, mit diesen Einstellungen?',
  },
  "Postfix' user may not connect to {socket} ({detail}): see to the modes of the socket and of the folders above it": {
    da: "Postfix' bruger må ikke forbinde til {socket} ({detail}): se på tilstanden af soklen og mapperne over den",
    de: 'der Benutzer von Postfix darf sich nicht mit {socket} verbinden ({detail}): Modus des Sockets und der Verzeichnisse darüber prüfen',
  },
  '{path} is not there: the mailboxes in it can not be made': {
    da: '{path} findes ikke: postkasserne i den kan ikke oprettes',
    de: '{path} ist nicht da: die Postfächer darin lassen sich nicht anlegen',
  },
  '{path} can be written by others: take that away (chmod go-w)': {
    da: '{path} kan skrives af andre: fjern det (chmod go-w)',
    de: '{path} ist für andere schreibbar: das wegnehmen (chmod go-w)',
  },
  '{path} belongs to uid {uid}, and mail is written there as uid {wanted}': {
    da: '{path} tilhører uid {uid}, og post skrives der som uid {wanted}',
    de: '{path} gehört uid {uid}, und Mail wird dort als uid {wanted} geschrieben',
  },
  '{path} can not be read by uid {wanted}, as whom Postfix looks at it': {
    da: '{path} kan ikke læses af uid {wanted}, som Postfix ser på den',
    de: '{path} ist für uid {wanted} nicht lesbar, als der Postfix es ansieht',
  },
} as const satisfies Record<string, Translation>;
