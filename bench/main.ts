/**
 * `npm run bench [NAME …]`: prints a table for each benchmark. Figures of different runs don't compare; the ratios of one run do, so an earlier
 * release is measured in the same run: `npm run bench owners-checks -- --beside=FOLDER`, with its checkout, dependencies installed.
 */
import { resolve } from 'node:path';

import { benchAuths } from './auths.ts';
import { benchBigMailbox } from './bigMailbox.ts';
import { benchConnections } from './connections.ts';
import { benchDeliveries } from './deliveries.ts';
import { dovecotAvailable } from './dovecot.ts';
import { benchFloods } from './floods.ts';
import { benchLookups } from './lookups.ts';
import { benchMailChecks } from './mailChecks.ts';
import { measureOctetLoops } from './octetLoops.ts';
import { benchOwnersChecks, benchOwnersDeliveries, benchOwnersRetrieval } from './owners.ts';
import { benchPipeAgent } from './pipeAgent.ts';
import { benchRetrieval } from './retrieval.ts';
import { benchSmtpSource } from './smtpSource.ts';
import { formatTable, type Table } from './table.ts';
import { benchWorkers } from './workers.ts';

const benchmarks: Readonly<Record<string, (beside?: string) => Promise<Table> | Table>> = {
  octets: measureOctetLoops,
  'checks-maildir': () => benchMailChecks('maildir'),
  'checks-mbox': () => benchMailChecks('mbox'),
  'retr-maildir': () => benchRetrieval('maildir'),
  'retr-mbox': () => benchRetrieval('mbox'),
  big: benchBigMailbox,
  connections: benchConnections,
  'lmtp-maildir': () => benchDeliveries('maildir', 20),
  'lmtp-mbox': () => benchDeliveries('mbox', 20),
  'smtp-source-maildir': () => benchSmtpSource('maildir'),
  'smtp-source-mbox': () => benchSmtpSource('mbox'),
  'owners-checks': benchOwnersChecks,
  'owners-retr': benchOwnersRetrieval,
  'owners-lmtp': benchOwnersDeliveries,
  workers: benchWorkers,
  pipe: benchPipeAgent,
  floods: benchFloods,
  lookups: benchLookups,
  auths: benchAuths,
};

const option = '--beside=';
const words = process.argv.slice(2);
const wanted = words.filter((word) => !word.startsWith(option));
const beside = words.find((word) => word.startsWith(option))?.slice(option.length);
const unknown = wanted.filter((name) => !Object.hasOwn(benchmarks, name));
if (unknown.length > 0) {
  process.stderr.write(`no benchmark ${unknown.join(', ')}; there are ${Object.keys(benchmarks).join(', ')}\n`);
  process.exit(64);
}
if (!dovecotAvailable()) process.stdout.write('Dovecot is not measured: it is not installed, or this is not root.\n\n');
for (const [name, run] of Object.entries(benchmarks)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  process.stdout.write(`${formatTable(await run(beside && resolve(beside)))}\n`);
}
