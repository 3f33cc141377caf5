/**
 * Every sentence the program says to somebody outside, in each language it speaks: the English one is the key.
 * A sentence that isn't here doesn't compile; a language that lacks one falls back to English.
 */
import { admission } from './admission.ts';
import { cli } from './cli.ts';
import { common } from './common.ts';
import { config } from './config.ts';
import { directory } from './directory.ts';
import { lmtp } from './lmtp.ts';
import { mail } from './mail.ts';
import { maildrops } from './maildrops.ts';
import { mdn } from './mdn.ts';
import { net } from './net.ts';
import { os } from './os.ts';
import { pop3 } from './pop3.ts';
import { postfix } from './postfix.ts';
import { postfixKit } from './postfixKit.ts';
import { sasl } from './sasl.ts';
import { service } from './service.ts';
import { smtpAuth } from './smtpAuth.ts';
import { status } from './status.ts';
import { submission } from './submission.ts';

export type Language = 'da' | 'de';
export type Translation = Readonly<Record<Language, string>>;
/** What stands for `{name}` in a text. */
export type Values = Readonly<Record<string, string | number>>;

export const catalogue = {
  ...admission,
  ...cli,
  ...common,
  ...config,
  ...directory,
  ...pop3,
  ...lmtp,
  ...mail,
  ...maildrops,
  ...mdn,
  ...net,
  ...os,
  ...postfix,
  ...postfixKit,
  ...sasl,
  ...service,
  ...smtpAuth,
  ...status,
  ...submission,
} as const;
export type Text = keyof typeof catalogue;
