/**
 * Every sentence the program says to somebody outside, in each language it speaks: the English one is the key.
 * A sentence that isn't here doesn't compile; a language that lacks one falls back to English.
 */
import { common } from './common.ts';
import { lmtp } from './lmtp.ts';
import { pop3 } from './pop3.ts';

export type Language = 'da' | 'de';
export type Translation = Readonly<Record<Language, string>>;
/** What stands for `{name}` in a text. */
export type Values = Readonly<Record<string, string | number>>;

export const catalogue = { ...common, ...pop3, ...lmtp } as const;
export type Text = keyof typeof catalogue;
