import type { Translation } from './index.ts';

/** In messages of our own making. */
export const mail = {
  // What an automatic answer is about, where the message that it answers has no subject: "Auto: your message".
  'your message': { da: 'din besked', de: 'Ihre Nachricht' },
} as const satisfies Record<string, Translation>;
