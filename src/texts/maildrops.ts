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
  'the message is gone': { da: 'meddelelsen er væk', de: 'die Nachricht ist nicht mehr da' },
} as const satisfies Record<string, Translation>;
