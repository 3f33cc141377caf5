import type { Translation } from './index.ts';

export const os = {
  'another program has locked the mailbox; try again later': {
    da: 'et andet program har låst postkassen; prøv igen senere',
    de: 'ein anderes Programm hat das Postfach gesperrt; bitte später erneut versuchen',
  },
} as const satisfies Record<string, Translation>;
