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
  'smtpd_sasl_auth_enable is yes with another smtpd_sasl_type than dovecot': {
    da: 'smtpd_sasl_auth_enable er yes med en anden smtpd_sasl_type end dovecot',
    de: 'smtpd_sasl_auth_enable ist yes mit einem anderen smtpd_sasl_type als dovecot',
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
  '{domain} belongs to uid {uid}, which is no user of the host; style jth needs one': {
    da: '{domain} tilhører uid {uid}, som ikke er en bruger på maskinen; stilen jth kræver en',
    de: '{domain} gehört uid {uid}, was kein Benutzer des Rechners ist; der Stil jth braucht einen',
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
} as const satisfies Record<string, Translation>;
