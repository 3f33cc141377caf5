/** The command table. A new command is a row in one of the files beside this one. */
import { capabilities } from '../capabilities.ts';
import { command, type Row } from '../command.ts';
import { ok, say } from '../replies.ts';
import { authorization } from './authorization.ts';
import { either } from './either.ts';
import { transaction } from './transaction.ts';

/** CAPA: what the table offers in this session. RFC 2449 section 5. */
const CAPA = command({
  name: 'CAPA',
  states: ['AUTHORIZATION', 'TRANSACTION'],
  handle: (session) => ok(say(session, 'capabilities follow'), { rows: capabilities(session, rows) }),
});

const rows: readonly Row[] = [...transaction, ...authorization, ...either, CAPA];

export const commands: ReadonlyMap<string, Row> = new Map(rows.map((row) => [row.name, row]));
