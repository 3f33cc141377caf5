/** What CAPA lists: the commands that say so in their row, and how the server behaves. RFC 2449 section 6. */
import type { Row } from './command.ts';
import type { Limits } from './host.ts';
import type { Authorization, Transaction } from './session.ts';

export function capabilities(session: Authorization | Transaction, rows: readonly Row[]): string[] {
  const lines: string[] = [];
  for (const row of rows) {
    const line = row.capability(session);
    if (line !== undefined) lines.push(line);
  }
  lines.push('RESP-CODES', 'AUTH-RESP-CODE', 'PIPELINING', ...limits(session));
  // Nobody need know which program to attack before they have shown who they are.
  if (session.state === 'TRANSACTION') lines.push(`IMPLEMENTATION ${session.host.implementation}`);
  return lines;
}

/** Before login the strictest that any mailbox can have, with USER where it may differ; after it the mailbox's own. */
function limits(session: Authorization | Transaction): string[] {
  const inForce = session.state === 'TRANSACTION' ? session.limits : session.host.limits;
  const { host, state } = session;
  const may = (limit: keyof Limits) => state === 'AUTHORIZATION' && host.limitsOf !== undefined && host.differing?.has(limit) !== false;
  const user = (limit: keyof Limits) => (may(limit) ? ' USER' : '');
  const lines = [`EXPIRE ${inForce.expireDays === 'never' ? 'NEVER' : inForce.expireDays}${user('expireDays')}`];
  if (inForce.loginDelayS > 0) lines.push(`LOGIN-DELAY ${inForce.loginDelayS}${user('loginDelayS')}`);
  return lines;
}
