import type { Translation } from './index.ts';

export const pop3 = {} as const satisfies Record<string, Translation>;
