import type { Translation } from './index.ts';

export const maildrops = {
  'another session has this maildrop': { da: 'en anden session har denne postkasse', de: 'eine andere Sitzung hat dieses Postfach' },
  'the mailbox was changed by another program': {
    da: 'postkassen blev ændret af et andet program',
    de: 'das Postfach wurde von einem anderen Programm geändert',
  },
  'the mailbox can not be used': { da: 'postkassen kan ikke bruges', de: 'das Postfach kann nicht benutzt werden' },
  'the mailbox can not be read just now': { da: 'postkassen kan ikke læses lige nu', de: 'das Postfach kann gerade nicht gelesen werden' },
  'the mailbox can not be written just now': {
    da: 'der kan ikke skrives i postkassen lige nu',
    de: 'in das Postfach kann gerade nicht geschrieben werden',
  },
  'the mailbox is full': { da: 'postkassen er fuld', de: 'das Postfach ist voll' },
  'the domain has no room left': { da: 'domænet har ikke mere plads', de: 'die Domain hat keinen Platz mehr' },
  'Your mailbox {name} is nearly full': {
    da: 'Din postkasse {name} er næsten fuld',
    de: 'Ihr Postfach {name} ist fast voll',
  },
  'Your mailbox {name} holds {used} of the {limit} that it may hold.': {
    da: 'Din postkasse {name} rummer {used} af de {limit}, den må rumme.',
    de: 'Ihr Postfach {name} enthält {used} von den {limit}, die es enthalten darf.',
  },
  'When it is full, new mail to you will have to wait or go back to its sender.': {
    da: 'Når den er fuld, må ny post til dig vente eller gå tilbage til afsenderen.',
    de: 'Wenn es voll ist, muss neue Post an Sie warten oder geht an den Absender zurück.',
  },
  'Removing mail that you no longer need makes room at once.': {
    da: 'Slet post, som du ikke længere har brug for, så er der plads igen med det samme.',
    de: 'Sobald Sie Post löschen, die Sie nicht mehr brauchen, ist wieder Platz.',
  },
  'This is written once, and again only after there was more room in between.': {
    da: 'Dette skrives én gang, og igen først efter at der har været mere plads.',
    de: 'Das wird einmal geschrieben und erst wieder, nachdem zwischendurch mehr Platz war.',
  },
  'the message is gone': { da: 'meddelelsen er væk', de: 'die Nachricht ist nicht mehr da' },
} as const satisfies Record<string, Translation>;
