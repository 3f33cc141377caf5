/** The mechanisms by name, the strongest first: the order in which they are offered. */
import { CRAM_MD5 } from './cramMd5.ts';
import { LOGIN } from './login.ts';
import type { Mechanism } from './mechanism.ts';
import { PLAIN } from './plain.ts';
import { SCRAM_SHA_1 } from './scramSha1.ts';
import { SCRAM_SHA_1_PLUS } from './scramSha1Plus.ts';
import { SCRAM_SHA_256 } from './scramSha256.ts';
import { SCRAM_SHA_256_PLUS } from './scramSha256Plus.ts';

export type { ChannelBinding, Exchange, Mechanism, SaslContext, Step } from './mechanism.ts';

export const mechanisms: ReadonlyMap<string, Mechanism> = new Map(
  [SCRAM_SHA_256_PLUS, SCRAM_SHA_1_PLUS, SCRAM_SHA_256, SCRAM_SHA_1, CRAM_MD5, PLAIN, LOGIN].map((mechanism) => [
    mechanism.name,
    mechanism,
  ]),
);
