import type { Translation } from './index.ts';

/** Said to who hands us mail, over LMTP or SMTP; also shown to senders whose mail comes back. */
export const lmtp = {
  'this is no mail address': { da: 'dette er ingen mailadresse', de: 'das ist keine Mailadresse' },
  'no such user here': { da: 'den bruger findes ikke her', de: 'diesen Benutzer gibt es hier nicht' },
  'we do not take mail for that domain': { da: 'vi modtager ikke post til det domæne', de: 'für diese Domain nehmen wir keine Post an' },
  'this mailbox takes no mail': { da: 'denne postkasse modtager ikke post', de: 'dieses Postfach nimmt keine Post an' },
  'this address stands for too many others': {
    da: 'denne adresse står for for mange andre',
    de: 'diese Adresse steht für zu viele andere',
  },
  'mail can not go on to other hosts from here': {
    da: 'post kan ikke gå videre til andre værter herfra',
    de: 'Post kann von hier nicht an andere Hosts weitergehen',
  },
  'this address was good for a few weeks, which are over': {
    da: 'denne adresse gjaldt i nogle uger, og de er gået',
    de: 'diese Adresse galt einige Wochen, und die sind vorbei',
  },
  'mail forwarding loop': { da: 'posten kører i ring', de: 'die Post läuft im Kreis' },
  'message too large, the limit is {limit} octets': {
    da: 'beskeden er for stor, grænsen er {limit} oktetter',
    de: 'die Nachricht ist zu groß, die Grenze liegt bei {limit} Oktetten',
  },
  'too many recipients': { da: 'for mange modtagere', de: 'zu viele Empfänger' },
  'no room for the message at the moment': {
    da: 'der er ikke plads til beskeden for tiden',
    de: 'für die Nachricht ist zurzeit kein Platz',
  },
  'parameter {parameter} is not known here': {
    da: 'parameteren {parameter} kendes ikke her',
    de: 'der Parameter {parameter} ist hier nicht bekannt',
  },
  'too many connections': { da: 'for mange forbindelser', de: 'zu viele Verbindungen' },
  'the server is shutting down': { da: 'serveren lukker ned', de: 'der Server wird beendet' },
} as const satisfies Record<string, Translation>;
