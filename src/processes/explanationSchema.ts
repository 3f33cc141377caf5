/** What a front says about an address: printed as it is, a false one could write to the terminal whatever it likes. */
import { z } from 'zod';
import type { MailExplanation } from '../model/mailExplanation.ts';

const line = z.string().regex(/^\P{Cc}{0,65536}$/u);

export const mailExplanation: z.ZodType<MailExplanation> = z.strictObject({
  outcome: z.enum(['deliver', 'refuse', 'defer']),
  steps: z.array(z.strictObject({ rule: line, outcome: line })).max(100_000),
  destinations: z
    .array(
      z.discriminatedUnion('kind', [
        z.strictObject({ kind: z.literal('rests'), name: line, path: line.nullable() }),
        z.strictObject({ kind: z.literal('passes'), name: line }),
        z.strictObject({ kind: z.literal('goes-on'), address: line, domain: line }),
      ]),
    )
    .max(10_000),
});
