/** What an owner wants to become of an account's mail, as a worker tells it: believed as far as it can be such a thing at all. */
import { z } from 'zod';
import { isTimeZone, parseDay } from '../model/day.ts';
import type { AccountRules, ReceiptPolicy, Vacation } from '../model/directory.ts';
import { Malformed } from './frames.ts';

const day = z.string().refine((written) => parseDay(written) !== undefined);
const octets = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const oneLine = z.string().regex(/^\P{Cc}*$/u);

const vacation: z.ZodType<Vacation> = z.strictObject({
  from: day.optional().transform(kept),
  until: day.optional().transform(kept),
  timeZone: z.string().refine(isTimeZone).optional().transform(kept),
  subject: oneLine.optional().transform(kept),
  text: z.string(),
  intervalDays: z.number().int().min(1).max(365),
  addresses: z.array(oneLine),
});

const accountRules: z.ZodType<AccountRules> = z.strictObject({
  forward: z.array(oneLine),
  keepsCopy: z.boolean(),
  vacation: vacation.optional().transform(kept),
  quotaOctets: octets.optional().transform(kept),
  receipts: z
    .enum(['never', 'ask', 'known-senders', 'always'] satisfies ReceiptPolicy[])
    .optional()
    .transform(kept),
  expireDays: z
    .union([z.literal('never'), z.number().int().min(0).max(36_500)])
    .optional()
    .transform(kept),
});

/** Left out in JSON, and there as `undefined` in the model. */
function kept<T>(value: T | undefined): T | undefined {
  return value;
}

/** @throws Malformed */
export function readAccountRules(json: string): AccountRules {
  const { success, data } = accountRules.safeParse(parsed(json));
  if (!success) throw new Malformed('no rules of an account');
  return data;
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}
