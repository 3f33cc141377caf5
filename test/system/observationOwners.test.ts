/** What can be seen of the owners' workers: who they are for, whom they serve, and that they ended. */
import assert from 'node:assert/strict';
import { chmodSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import type { HouseReport } from '../../src/model/report.ts';
import { samplesOf } from '../support/prometheusText.ts';
import { postkasse } from './support/cli.ts';
import { makeDomain, makeOwnersTree, makeUser, needsRoot as skip, type UnixUser } from './support/owners.ts';
import { Pop3Client } from './support/pop3Client.ts';
import { serving } from './support/processes.ts';
import type { Server } from './support/server.ts';

interface House {
  readonly server: Server;
  readonly one: UnixUser;
  readonly other: UnixUser;
}

/** one.example belongs to one, other.example to other. */
async function twoOwners(t: TestContext, idleS: number): Promise<House> {
  const tree = makeOwnersTree(t);
  const one = makeUser(t, tree, { name: 'pk_seen_one', uid: 6411, group: 'nogroup' });
  const other = makeUser(t, tree, { name: 'pk_seen_other', uid: 6412, group: 'nogroup' });
  makeDomain(tree, one, 'one.example', ['abc:{PLAIN}6411secret:UID:GID::.:', 'def:{PLAIN}6411secret:UID:GID::.:']);
  makeDomain(tree, other, 'other.example', ['abc:{PLAIN}6412secret:UID:GID::.:']);
  const settings = { '': ['fronts = 1'], owners: ['mode = "many"', `idle_s = ${idleS}`], metrics: ['address = "127.0.0.1:0"'] };
  return { server: await serving(t, { tree, protocols: ['pop3', 'lmtp'], settings }), one, other };
}

async function loggedIn(server: Server, login: string, password: string): Promise<Pop3Client> {
  return (await Pop3Client.login(server.ports.pop3, login, password)) ?? assert.fail(`${login} is in use`);
}

async function status(server: Server): Promise<HouseReport> {
  const socket = connect({ path: join(server.settingsFile, '..', 'run', 'control') });
  socket.write('status\n');
  return JSON.parse(await text(socket)) as HouseReport;
}

async function until(server: Server, isSo: (report: HouseReport) => boolean): Promise<HouseReport> {
  for (;;) {
    const report = await status(server);
    if (isSo(report)) return report;
  }
}

async function metricsOf(server: Server): Promise<Map<string, number>> {
  const [, port] = / port=(\d+)/.exec(await server.logged(/ net\.listening protocol=metrics /)) ?? [];
  return new Map(samplesOf(await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()));
}

function titleOf(pid: number): string {
  return readFileSync(`/proc/${pid}/cmdline`, 'latin1').replace(/\0+$/, '');
}

test('each worker, whom it serves, and whose it is', { skip }, async (t) => {
  const { server, one, other } = await twoOwners(t, 3600);
  const clients = [
    await loggedIn(server, 'abc@one.example', '6411secret'),
    await loggedIn(server, 'def@one.example', '6411secret'),
    await loggedIn(server, 'abc@other.example', '6412secret'),
  ];
  await clients[2]?.ok('QUIT');
  const report = await until(server, ({ workers }) => workers.some((worker) => worker.report?.idleSinceMs != null));
  const workers = report.workers.toSorted((a, b) => (a.owner < b.owner ? -1 : 1));
  assert.deepEqual(
    workers.map(({ owner, user, report: told }) => [owner, user, told?.sessions, told?.idleSinceMs === null, told?.counts.deliveries]),
    [
      [`6411:${one.gid}`, 'pk_seen_one', [{ domain: 'one.example', sessions: 2 }], true, 0],
      [`6412:${other.gid}`, 'pk_seen_other', [], false, 0],
    ],
  );
  assert.deepEqual(report.fronts[0]?.report?.sessions, [{ domain: 'one.example', sessions: 2 }]);
  const { cpuMs: _, ...events } = report.supervisor.counts;
  assert.deepEqual(events, { frontsDied: 0, workersStarted: 2, workersEnded: 0, workersDied: 0, ownersRefused: 0 });
  const requests = workers.reduce((sum, worker) => sum + (worker.report?.counts.requests ?? 0), 0);
  assert.ok(requests >= 3);
  assert.equal(report.counts.workers.requests, requests);

  await t.test('process titles say what each is, and nothing else', () => {
    const [first, second] = workers;
    assert.deepEqual([server.pid, report.fronts[0]?.pid ?? 0, first?.pid ?? 0, second?.pid ?? 0].map(titleOf), [
      'postkasse supervisor',
      'postkasse front 0',
      'postkasse owner pk_seen_one',
      'postkasse owner pk_seen_other',
    ]);
  });

  await t.test('postkasse status', async () => {
    const { out } = await postkasse(['status', '--config', server.settingsFile], { env: { LC_ALL: 'C' } });
    const section = out.split('\n\n').find((lines) => lines.startsWith("owner's worker"));
    const rows = section
      ?.split('\n')
      .slice(1)
      .map((line) =>
        line
          .replace(/ {2,}/g, '  ')
          .replace(/\d+ MiB/, 'MEMORY')
          .replace(/\d+ s$/, 'TIME'),
      );
    const [first, second] = workers;
    assert.deepEqual(rows?.sort(), [
      `pk_seen_one (6411:${one.gid})  ${first?.pid}  2  ${first?.report?.counts.requests}  0  MEMORY  -`,
      `pk_seen_other (6412:${other.gid})  ${second?.pid}  0  ${second?.report?.counts.requests}  0  MEMORY  TIME`,
    ]);
  });

  await t.test('SIGUSR2', async () => {
    process.kill(server.pid, 'SIGUSR2');
    const supervisor = await server.logged(/ supervisor\.state /);
    assert.match(
      supervisor,
      new RegExp(` workers=\\[${report.workers.map(({ pid }) => pid).join(',')}\\] retiring=\\[\\] silent=\\[\\] sessions=2 `),
    );
    const lines = [await server.logged(/ worker\.state /, 1), await server.logged(/ worker\.state /, 2)];
    const facts = lines.map((line) => line.replace(/^\S+ /, '').replace(/\b(uptimeS|rss|heapUsed|cpuMs|idleSinceMs)=\d+/g, '$1=N'));
    const sessions = JSON.stringify(JSON.stringify([{ domain: 'one.example', sessions: 2 }]));
    const expected = (n: 0 | 1, { uid, gid }: UnixUser, rest: string) =>
      `info  worker.state pid=${workers[n]?.pid} uid=${uid} gid=${gid} uptimeS=N rss=N heapUsed=N ${rest} cpuMs=N requests=${workers[n]?.report?.counts.requests} deliveries=0`;
    assert.deepEqual(
      facts.sort(),
      [expected(0, one, `sessions=${sessions} idleSinceMs=null`), expected(1, other, 'sessions=[] idleSinceMs=N')].sort(),
    );
  });

  await t.test('one that is stopped is silent; its owner is the only one to notice', async () => {
    const { pid } = workers[1] ?? assert.fail();
    process.kill(pid, 'SIGSTOP');
    try {
      const { workers: seen } = await status(server);
      assert.deepEqual(
        seen.filter(({ report: told }) => told === null).map((worker) => worker.pid),
        [pid],
      );
      const metrics = await metricsOf(server);
      const states = ['serving', 'silent'].map((state) => metrics.get(`postkasse_processes{role="worker",state="${state}"}`));
      assert.deepEqual([...states, metrics.get('postkasse_workers_started_total')], [1, 1, 2]);
      await clients[0]?.ok('STAT');
    } finally {
      process.kill(pid, 'SIGCONT');
    }
  });
  for (const client of clients.slice(0, 2)) await client.ok('QUIT');
});

test('what a worker counted is kept when it has ended, and owners nobody may act for are counted', { skip }, async (t) => {
  const { server, one } = await twoOwners(t, 1);
  const client = await loggedIn(server, 'abc@one.example', '6411secret');
  await client.ok('QUIT');
  await server.logged(/ worker\.ended /);
  const { workers, supervisor, counts } = await until(server, (report) => report.workers.length === 0);
  assert.deepEqual([workers, supervisor.counts.workersStarted, supervisor.counts.workersEnded], [[], 1, 1]);
  assert.ok(counts.workers.requests > 0 && counts.workers.cpuMs > 0);

  // Anybody could put lines into its passwd file: no process may act for it.
  const passwd = join(server.settingsFile, '..', 'home', one.name, 'domains', 'one.example', 'passwd');
  chmodSync(passwd, 0o666);
  await assert.rejects(loggedIn(server, 'abc@one.example', '6411secret'), /^Error: PASS: -ERR \[SYS\/TEMP\]/);
  assert.equal((await status(server)).supervisor.counts.ownersRefused, 1);
  assert.equal((await metricsOf(server)).get('postkasse_owners_refused_total'), 1);
  assert.equal((await metricsOf(server)).get('postkasse_worker_requests_total'), counts.workers.requests);
});
