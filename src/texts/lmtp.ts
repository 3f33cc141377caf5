import type { Translation } from './index.ts';

export const lmtp = {} as const satisfies Record<string, Translation>;
