/** The process behind `pamAuthenticate`: reads its question from standard input, asks libpam and answers with its exit status. */
import fs from 'node:fs';
import { harden } from './hardening.ts';
import { PAM_NO, PAM_YES, readQuestion } from './pam.ts';
import { pamAllows } from './pamConversation.ts';

try {
  harden();
  process.exitCode = pamAllows(readQuestion(fs.readFileSync(0))) ? PAM_YES : PAM_NO;
} catch (error) {
  process.stderr.write(String(error instanceof Error && error.cause instanceof Error ? error.cause : error));
  process.exitCode = 1;
}
