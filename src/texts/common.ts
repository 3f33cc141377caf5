import type { Translation } from './index.ts';

export const common = {
  'internal error': { da: 'intern fejl', de: 'interner Fehler' },
} as const satisfies Record<string, Translation>;
