/** What can be seen of a running server: status, metrics, the log. Every figure is held against what was done to it. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import type { FrontReport, HouseReport } from '../../src/model/report.ts';
import { version } from '../../src/version.ts';
import { samplesOf } from '../support/prometheusText.ts';
import type { Client } from '../support/socketDialogue.ts';
import { postkasse, program } from './support/cli.ts';
import { clientOf, serving } from './support/processes.ts';
import { missing } from './support/programs.ts';
import { makeTree, owner, type Server, type Tree, writeSettings } from './support/server.ts';

const isRoot = process.getuid?.() === 0;

function twoDomains(t: TestContext): Tree {
  const tree = makeTree({
    passwd: new Map([
      ['kvt.dk', ['abc:{PLAIN}secret:UID:GID::.:', 'kvt:{PLAIN}secret:UID:GID::.:']],
      ['example.org', ['ada:{PLAIN}secret:UID:GID::.:']],
    ]),
  });
  t.after(() => tree.remove());
  return tree;
}

function observed(t: TestContext, tree: Tree, ...top: string[]): Promise<Server> {
  const settings = { '': top, login: ['failure_delay_ms = 0'], metrics: ['address = "127.0.0.1:0"'] };
  return serving(t, { tree, protocols: ['pop3', 'lmtp'], settings });
}

async function loggedIn(t: TestContext, server: Server, login: string): Promise<Client> {
  const client = clientOf(t, { port: server.ports.pop3 });
  await client.line();
  client.write(`USER ${login}\r\nPASS secret\r\n`);
  for (const reply of [await client.line(), await client.line()]) assert.match(reply ?? '', /^\+OK/);
  return client;
}

/** As far as the reply to RCPT; `refused` are answered with 5xx. */
async function deliverer(t: TestContext, server: Server, recipients: readonly string[], refused: readonly string[] = []): Promise<Client> {
  const client = clientOf(t, { port: server.ports.lmtp });
  await client.line();
  client.write('LHLO client\r\n');
  for (let line = await client.line(); line?.startsWith('250-'); line = await client.line());
  for (const [command, code] of [
    ['MAIL FROM:<a@example.net>', '250'],
    ...recipients.map((name) => [`RCPT TO:<${name}>`, '250'] as const),
    ...refused.map((name) => [`RCPT TO:<${name}>`, '550'] as const),
    ['DATA', '354'],
  ] as const) {
    client.write(`${command}\r\n`);
    assert.equal((await client.line())?.slice(0, 3), code, command);
  }
  return client;
}

async function status(server: Server): Promise<HouseReport> {
  const socket = connect({ path: join(server.settingsFile, '..', 'run', 'control') });
  socket.write('status\n');
  return JSON.parse(await text(socket)) as HouseReport;
}

/** Asks until it is so. */
async function until(server: Server, isSo: (report: HouseReport) => boolean): Promise<HouseReport> {
  for (;;) {
    const report = await status(server);
    if (isSo(report)) return report;
  }
}

async function metricsOf(server: Server): Promise<Map<string, number>> {
  const [, port] = / port=(\d+)/.exec(await server.logged(/ net\.listening protocol=metrics /)) ?? [];
  const response = await fetch(`http://127.0.0.1:${port}/metrics`);
  assert.deepEqual([response.status, response.headers.get('content-type')], [200, 'text/plain; version=0.0.4; charset=utf-8']);
  return new Map(samplesOf(await response.text()));
}

/** Figures that are different each time become 'N', wherever they are. */
function settled(document: unknown): unknown {
  const volatile = new Set(['atMs', 'cpuMs', 'heapUsed', 'lagMs', 'pid', 'rss', 'uptimeS']);
  return JSON.parse(JSON.stringify(document), (name, value: unknown) => (volatile.has(name) && typeof value === 'number' ? 'N' : value));
}

function sum(clients: readonly Client[], figure: (client: Client) => number): number {
  return clients.reduce((total, client) => total + figure(client), 0);
}

const message = 'Subject: hello\r\n\r\nHello.\r\n';
/** With a part of it here, an LMTP server waits for the rest. */
const half = `Subject: large\r\n\r\n${'x'.repeat(70)}\r\n`;

test('sessions in two domains and deliveries under way, as status, metrics and the log have them', async (t) => {
  const tree = twoDomains(t);
  const server = await observed(t, tree, 'fronts = 1');
  const lock = join(tree.folder, 'spool', 'kvt.dk', 'kvt.lock');

  // Before the lock is there, which another program is to hold.
  const kvt = await loggedIn(t, server, 'kvt@kvt.dk');
  const done = await deliverer(t, server, ['abc@kvt.dk', 'ada@example.org'], ['nobody@kvt.dk']);
  done.write(`${message}.\r\n`);
  for (let n = 0; n < 2; n++) assert.equal((await done.line())?.slice(0, 3), '250');
  const receiving = await deliverer(t, server, ['abc@kvt.dk']);
  receiving.write(half);
  const waiting = await deliverer(t, server, ['kvt@kvt.dk']);
  writeFileSync(lock, '');
  waiting.write(`${message}.\r\n`);

  const abc = await loggedIn(t, server, 'abc@kvt.dk');
  const ada = await loggedIn(t, server, 'ada@example.org');
  ada.write('RETR 1\r\n');
  for (let line = await ada.line(); line !== '.'; line = await ada.line()) assert.ok(line !== undefined);
  const octets = await sizeOf(ada);
  ada.write('DELE 1\r\nQUIT\r\n');
  for (let line = await ada.line(); line !== undefined; line = await ada.line()) assert.match(line, /^\+OK/);
  const again = await loggedIn(t, server, 'ada@example.org');
  const stranger = clientOf(t, { port: server.ports.pop3 });
  await stranger.line();
  stranger.write('USER abc@kvt.dk\r\nPASS wrong\r\nUSER abc@kvt.dk\r\nPASS secret\r\n');
  const replies = [];
  for (let n = 0; n < 4; n++) replies.push((await stranger.line())?.split(' ').slice(0, 2).join(' '));
  assert.deepEqual(replies, ['+OK now', '-ERR [AUTH]', '+OK now', '-ERR [IN-USE]']);

  const pop3 = [abc, kvt, ada, again, stranger];
  const isThere = ({ deliveries }: FrontReport) => deliveries.delivering === 1 && deliveries.spooledOctets === half.length + message.length;
  const report = await until(server, ({ fronts }) => fronts[0]?.report != null && isThere(fronts[0].report));
  const octetsReceived = sum(pop3, ({ socket }) => socket.bytesWritten);
  const octetsSent = sum(pop3, ({ socket }) => socket.bytesRead);
  const counts = {
    cpuMs: 'N',
    accepted: { pop3: 5, pop3s: 0, lmtp: 3, smtp: 0, sasl: 0, socketmap: 0, 'tcp-table': 0, policy: 0 },
    turnedAway: 0,
    octetsReceived,
    octetsSent,
    sessions: {
      logins: 4,
      loginFailures: { auth: 1, 'in-use': 1, 'login-delay': 0, throttled: 0, temporary: 0, permanent: 0 },
      retrieved: 1,
      retrievedOctets: octets,
      deleted: 1,
      expired: 0,
    },
    smtpAuth: { logins: 0, failures: { auth: 0, throttled: 0, temporary: 0, permanent: 0 } },
    deliveries: {
      messages: 2,
      octets: 2 * message.length,
      delivered: 2,
      failedTemporarily: 0,
      failedPermanently: 0,
      deferred: 0,
      refused: 1,
      overQuota: 0,
    },
    questions: {
      lookups: { found: 0, notFound: 0, deferred: 0 },
      policy: { neutral: 0, permitted: 0, rejected: 0, deferred: 0 },
      late: 0,
      malformed: 0,
    },
  };
  const front = {
    connections: [
      { protocol: 'lmtp', state: 'data', connections: 2 },
      { protocol: 'lmtp', state: 'idle', connections: 1 },
      { protocol: 'pop3', state: 'AUTHORIZATION', connections: 1 },
      { protocol: 'pop3', state: 'TRANSACTION', connections: 3 },
    ],
    sessions: [
      { domain: 'kvt.dk', sessions: 2 },
      { domain: 'example.org', sessions: 1 },
    ],
    deliveries: { receiving: 1, delivering: 1, spooledOctets: half.length + message.length },
    throttle: { sources: 0, accounts: 0 },
    relays: [],
  };
  const own = { uptimeS: 'N', rss: 'N', heapUsed: 'N' };
  assert.deepEqual(
    report.fronts.map(({ pid }) => pid),
    server.fronts(),
  );
  assert.equal(report.supervisor.pid, server.pid);
  const expected = {
    version,
    atMs: 'N',
    supervisor: {
      pid: 'N',
      generation: 1,
      listeners: [`127.0.0.1:${server.ports.pop3}`, `127.0.0.1:${server.ports.lmtp}`],
      stopping: false,
      ...own,
      counts: { cpuMs: 'N', frontsDied: 0, workersStarted: 0, workersEnded: 0, workersDied: 0, ownersRefused: 0 },
    },
    fronts: [{ front: 0, pid: 'N', retiring: false, report: { ...own, lagMs: 'N', ...front, counts } }],
    workers: [],
    counts: { fronts: counts, workers: { cpuMs: 'N', requests: 0, deliveries: 0 } },
  };
  assert.deepEqual(settled(report), expected);

  await t.test('postkasse status --json', async () => {
    const { status: exit, out, err } = await postkasse(['status', '--json', '--config', server.settingsFile]);
    assert.deepEqual([exit, err, out.split('\n').length], [0, '', 2]);
    assert.deepEqual(settled(JSON.parse(out)), settled(report));
  });

  await t.test('postkasse status, for people', async () => {
    const { status: exit, out, err } = await postkasse(['status', '--config', server.settingsFile], { env: { LC_ALL: 'C' } });
    const shown = out
      .replace(/ {2,}/g, '  ')
      .replace(/^(0 {2})\d+( .* {2})\d+ MiB {2}\d+ ms {2}.*$/m, '$1PID$2MEMORY  LAG  TIME')
      .replace(/process \d+, running for .*/, 'process PID, running for TIME');
    assert.deepEqual([exit, err], [0, '']);
    assert.equal(
      shown,
      `Postkasse ${version}, process PID, running for TIME

front  process  sessions  connections  memory  lag  running for
0  PID  3  7  MEMORY  LAG  TIME

domain  sessions
kvt.dk  2
example.org  1

protocol  state  connections
lmtp  data  2
lmtp  idle  1
pop3  AUTHORIZATION  1
pop3  TRANSACTION  3

mail on its way in
  messages being received  1
  recipients being delivered to  1
  spooled  ${half.length + message.length} B
throttling
  sources held back  0
  accounts under attack  0

since the start
  logins  4
  failed: wrong name or password  1
  failed: maildrop in use  1
  failed: too soon after the last  0
  failed: too many tries lately  0
  failed: trouble here  0
  SMTP logins  0
  SMTP logins that failed  0
  messages retrieved  1
  messages deleted  1
  messages expired  0
  received over POP3  ${octetsReceived} B
  sent over POP3  ${octetsSent} B
  messages received  2
  recipients delivered to  2
  recipients to be tried again  0
  recipients failed  0
  recipients refused  1
  recipients without room  0
  questions of Postfix answered  0
  questions of Postfix put off  0
  connections accepted  8
  connections turned away  0
  fronts that died  0
`,
    );
  });

  await t.test('metrics', async () => {
    const samples = await metricsOf(server);
    for (const name of [...samples.keys()])
      if (/^postkasse_(cpu_seconds_total|resident_memory_bytes|heap_bytes|start_time_seconds|event_loop_lag_seconds)/.test(name))
        samples.delete(name);
    assert.deepEqual(
      [...samples],
      [
        [`postkasse_build_info{version="${version}"}`, 1],
        ['postkasse_settings_generation', 1],
        ['postkasse_processes{role="front",state="serving"}', 1],
        ['postkasse_processes{role="front",state="retiring"}', 0],
        ['postkasse_processes{role="front",state="silent"}', 0],
        ['postkasse_processes{role="worker",state="serving"}', 0],
        ['postkasse_processes{role="worker",state="silent"}', 0],
        ['postkasse_process_deaths_total{role="front"}', 0],
        ['postkasse_process_deaths_total{role="worker"}', 0],
        ['postkasse_workers_started_total', 0],
        ['postkasse_workers_ended_total', 0],
        ['postkasse_owners_refused_total', 0],
        ['postkasse_worker_requests_total', 0],
        ['postkasse_connections{protocol="lmtp",state="data"}', 2],
        ['postkasse_connections{protocol="lmtp",state="idle"}', 1],
        ['postkasse_connections{protocol="pop3",state="AUTHORIZATION"}', 1],
        ['postkasse_connections{protocol="pop3",state="TRANSACTION"}', 3],
        ['postkasse_connections_accepted_total{protocol="pop3"}', 5],
        ['postkasse_connections_accepted_total{protocol="pop3s"}', 0],
        ['postkasse_connections_accepted_total{protocol="lmtp"}', 3],
        ['postkasse_connections_accepted_total{protocol="smtp"}', 0],
        ['postkasse_connections_accepted_total{protocol="sasl"}', 0],
        ['postkasse_connections_accepted_total{protocol="socketmap"}', 0],
        ['postkasse_connections_accepted_total{protocol="tcp-table"}', 0],
        ['postkasse_connections_accepted_total{protocol="policy"}', 0],
        ['postkasse_connections_turned_away_total', 0],
        ['postkasse_sessions{domain="kvt.dk"}', 2],
        ['postkasse_sessions{domain="example.org"}', 1],
        ['postkasse_sessions{domain="(other)"}', 0],
        ['postkasse_sessions{domain="(host)"}', 0],
        ['postkasse_logins_total', 4],
        ['postkasse_login_failures_total{reason="auth"}', 1],
        ['postkasse_login_failures_total{reason="in-use"}', 1],
        ['postkasse_login_failures_total{reason="login-delay"}', 0],
        ['postkasse_login_failures_total{reason="throttled"}', 0],
        ['postkasse_login_failures_total{reason="temporary"}', 0],
        ['postkasse_login_failures_total{reason="permanent"}', 0],
        ['postkasse_smtp_auths_total', 0],
        ['postkasse_smtp_auth_failures_total{reason="auth"}', 0],
        ['postkasse_smtp_auth_failures_total{reason="throttled"}', 0],
        ['postkasse_smtp_auth_failures_total{reason="temporary"}', 0],
        ['postkasse_smtp_auth_failures_total{reason="permanent"}', 0],
        ['postkasse_throttled_sources', 0],
        ['postkasse_accounts_under_attack', 0],
        ['postkasse_messages_retrieved_total', 1],
        ['postkasse_retrieved_bytes_total', octets],
        ['postkasse_messages_deleted_total{cause="client"}', 1],
        ['postkasse_messages_deleted_total{cause="expired"}', 0],
        ['postkasse_pop3_bytes_total{direction="in"}', octetsReceived],
        ['postkasse_pop3_bytes_total{direction="out"}', octetsSent],
        ['postkasse_messages_received_total', 2],
        ['postkasse_received_bytes_total', 2 * message.length],
        ['postkasse_deliveries_total{outcome="delivered"}', 2],
        ['postkasse_deliveries_total{outcome="deferred"}', 0],
        ['postkasse_deliveries_total{outcome="failed"}', 0],
        ['postkasse_recipients_refused_total{outcome="deferred"}', 0],
        ['postkasse_recipients_refused_total{outcome="refused"}', 1],
        ['postkasse_over_quota_total', 0],
        ['postkasse_lookups_total{outcome="found"}', 0],
        ['postkasse_lookups_total{outcome="not-found"}', 0],
        ['postkasse_lookups_total{outcome="deferred"}', 0],
        ['postkasse_policy_requests_total{outcome="neutral"}', 0],
        ['postkasse_policy_requests_total{outcome="permitted"}', 0],
        ['postkasse_policy_requests_total{outcome="rejected"}', 0],
        ['postkasse_policy_requests_total{outcome="deferred"}', 0],
        ['postkasse_questions_unanswered_total{reason="late"}', 0],
        ['postkasse_questions_unanswered_total{reason="malformed"}', 0],
        ['postkasse_deliveries_under_way{stage="receiving"}', 1],
        ['postkasse_deliveries_under_way{stage="delivering"}', 1],
        ['postkasse_spooled_bytes', half.length + message.length],
      ],
    );
  });

  await t.test('SIGUSR2', async () => {
    process.kill(server.pid, 'SIGUSR2');
    const line = async (pattern: RegExp) =>
      (await server.logged(pattern)).replace(/^\S+ /, '').replace(/\b(pid|rss|heapUsed|uptimeS|lagMs|cpuMs)=[\d.]+/g, '$1=N');
    const json = (value: unknown) => JSON.stringify(JSON.stringify(value));
    const [{ connections, sessions, deliveries }, { cpuMs: _, sessions: came, smtpAuth, deliveries: received, ...others }] = [
      front,
      counts,
    ];
    const { accepted, turnedAway, questions } = others;
    const smtp = { smtpAuths: smtpAuth.logins, smtpAuthFailures: smtpAuth.failures };
    const fields = (row: object) =>
      Object.entries(row)
        .map(([name, value]) => ` ${name}=${typeof value === 'object' ? json(value) : value}`)
        .join('');
    assert.equal(
      await line(/ house\.state /),
      `info  house.state pid=N front=0 uptimeS=N rss=N heapUsed=N lagMs=N${fields({ connections, sessions, ...deliveries })} throttledSources=0 accountsUnderAttack=0 accountsRelaying=0 cpuMs=N${fields({ accepted, turnedAway, octetsReceived, octetsSent, questions, ...came, ...smtp, ...received })} store=${json({ open: 3, maildirs: 0, maildirMessages: 0 })}`,
    );
    const pids = JSON.stringify(server.fronts());
    const listeners = json([`127.0.0.1:${server.ports.pop3}`, `127.0.0.1:${server.ports.lmtp}`]);
    assert.equal(
      await line(/ supervisor\.state /),
      `info  supervisor.state pid=N fronts=${pids} workers=[] retiring=[] silent=[] sessions=3 generation=1 listeners=${listeners} stopping=false uptimeS=N rss=N heapUsed=N cpuMs=N frontsDied=0 workersStarted=0 workersEnded=0 workersDied=0 ownersRefused=0`,
    );
  });

  await t.test('what is over is no longer under way', async () => {
    rmSync(lock);
    assert.equal((await waiting.line())?.slice(0, 3), '250');
    receiving.socket.destroy();
    for (const client of [abc, kvt, again]) await client.end();
    const { fronts } = await until(server, (later) => later.fronts[0]?.report?.connections.length === 2);
    assert.deepEqual(fronts[0]?.report?.connections, [
      { protocol: 'lmtp', state: 'idle', connections: 2 },
      { protocol: 'pop3', state: 'AUTHORIZATION', connections: 1 },
    ]);
    assert.deepEqual(fronts[0]?.report?.deliveries, { receiving: 0, delivering: 0, spooledOctets: 0 });
    assert.deepEqual(fronts[0]?.report?.sessions, []);
  });

  await t.test('each session told the log what it did', async () => {
    await Promise.all([server.logged(/ pop3\.disconnected /, 3), server.logged(/ pop3\.quit /)]);
    const ended = server
      .log()
      .split('\n')
      .filter((line) => / pop3\.(quit|disconnected) /.test(line));
    const facts = ended.map((line) => / (pop3\.\w+) .* remote=(\S+) mailbox=(\S+) commands=(\d+) /.exec(line)?.slice(1));
    assert.deepEqual(facts.sort(), [
      ['pop3.disconnected', '127.0.0.1', 'abc@kvt.dk', '2'],
      ['pop3.disconnected', '127.0.0.1', 'ada@example.org', '2'],
      ['pop3.disconnected', '127.0.0.1', 'kvt@kvt.dk', '2'],
      ['pop3.quit', '127.0.0.1', 'ada@example.org', '6'],
    ]);
  });
});

/** Of message 1, on the wire. */
async function sizeOf(client: Client): Promise<number> {
  client.write('LIST 1\r\n');
  return Number((await client.line())?.split(' ')[2]);
}

test('a front that is stopped is listed as silent, and everybody else answers', async (t) => {
  const server = await observed(t, twoDomains(t), 'fronts = 2');
  const before = await status(server);
  const last = before.fronts.find(({ front }) => front === 1)?.pid ?? assert.fail();
  process.kill(last, 'SIGSTOP');
  try {
    const { out } = await postkasse(['status', '--json', '--config', server.settingsFile]);
    const { fronts } = JSON.parse(out) as HouseReport;
    assert.deepEqual(
      fronts.map(({ front, pid, report }) => [front, pid, report === null]),
      before.fronts.map(({ front, pid }) => [front, pid, pid === last]),
    );
    const { out: shown, status: exit } = await postkasse(['status', '--config', server.settingsFile], { env: { LC_ALL: 'da_DK.UTF-8' } });
    assert.equal(exit, 0);
    assert.match(shown, new RegExp(`^1 +${last} +svarer ikke$`, 'm'));
    assert.equal((await metricsOf(server)).get('postkasse_processes{role="front",state="silent"}'), 1);
    process.kill(server.pid, 'SIGUSR2');
    assert.match(await server.logged(/ supervisor\.state /), new RegExp(` silent=\\[${last}\\] `));
  } finally {
    process.kill(last, 'SIGCONT');
  }
  await until(server, ({ fronts }) => fronts.every(({ report }) => report !== null));
});

test('counters never go back: not when a front is killed, nor at a reload', async (t) => {
  const tree = twoDomains(t);
  const server = await observed(t, tree, 'fronts = 1');
  const first = await loggedIn(t, server, 'abc@kvt.dk');
  const { pid } = (await status(server)).fronts[0] ?? assert.fail();
  process.kill(pid, 'SIGKILL');
  assert.equal(await first.line(), undefined);
  await server.logged(/ front\.restarted /);
  const session = await loggedIn(t, server, 'abc@kvt.dk');
  const afterwards = await status(server);
  assert.deepEqual(
    [
      afterwards.supervisor.counts.frontsDied,
      afterwards.counts.fronts.sessions.logins,
      afterwards.fronts[0]?.report?.counts.sessions.logins,
    ],
    [1, 2, 1],
  );

  process.kill(server.pid, 'SIGHUP');
  await server.logged(/ supervisor\.reloaded /);
  const reloaded = await status(server);
  assert.equal(reloaded.supervisor.generation, 2);
  assert.deepEqual(
    reloaded.fronts.map(({ front, retiring, report }) => [front, retiring, report?.sessions, report?.counts.sessions.logins]),
    [
      [0, false, [], 0],
      [0, true, [{ domain: 'kvt.dk', sessions: 1 }], 1],
    ],
  );
  assert.equal((await metricsOf(server)).get('postkasse_processes{role="front",state="retiring"}'), 1);
  await session.play('C: QUIT\nS: +OK goodbye (maildrop empty)\nS: (closed)');
  const ended = await until(server, ({ fronts }) => fronts.length === 1);
  assert.deepEqual([ended.counts.fronts.sessions.logins, ended.counts.fronts.accepted.pop3], [2, 2]);
  const last = await metricsOf(server);
  assert.deepEqual([last.get('postkasse_logins_total'), last.get('postkasse_process_deaths_total{role="front"}')], [2, 1]);
  assert.equal(last.get('postkasse_pop3_bytes_total{direction="in"}'), ended.counts.fronts.octetsReceived);
});

test('metrics go with the settings, at a reload as well', async (t) => {
  const tree = twoDomains(t);
  const server = await observed(t, tree, 'fronts = 2');
  const [, port] = / port=(\d+)/.exec(await server.logged(/ net\.listening protocol=metrics /)) ?? [];
  const settings = readFileSync(server.settingsFile, 'utf8');
  const reload = async (toml: string, nth: number) => {
    writeFileSync(server.settingsFile, toml);
    process.kill(server.pid, 'SIGHUP');
    await server.logged(/ supervisor\.reloaded /, nth);
  };
  // A connection for each question: one that is kept ends with the generation it was made to.
  const answered = () =>
    new Promise<number | undefined | 'refused'>((resolve) => {
      get({ host: '127.0.0.1', port, path: '/metrics', agent: false }, (response) => resolve(response.resume().statusCode)).on(
        'error',
        () => resolve('refused'),
      );
    });
  assert.equal(await answered(), 200);
  await reload(settings, 1);
  assert.equal(await answered(), 200);
  await reload(settings.replace('address = "127.0.0.1:0"', ''), 2);
  await until(server, ({ fronts }) => fronts.length === 2);
  assert.equal(await answered(), 'refused');
  await reload(settings.replace('127.0.0.1:0"', `127.0.0.1:${port}"`), 3);
  assert.equal(await answered(), 200);
});

test('a server that has stopped takes its socket with it', async (t) => {
  const tree = twoDomains(t);
  const server = await observed(t, tree);
  const control = join(tree.folder, 'run', 'control');
  assert.equal(statSync(control).mode & 0o777, 0o600);
  assert.equal(await server.stop(), 0);
  assert.equal(existsSync(control), false);
  assert.deepEqual(await postkasse(['status', '--config', server.settingsFile]), {
    status: 69,
    out: '',
    err: `postkasse: ${control}: Postkasse is not running, or not with these settings\n`,
  });
});

test('whoever else may listen there: nothing that it says reaches the terminal', async (t) => {
  const tree = twoDomains(t);
  const { settingsFile } = await writeSettings({ tree, protocols: ['pop3'] });
  const control = join(tree.folder, 'run', 'control');
  let answer = '';
  const stranger = createServer((socket) => void socket.end(answer)).listen(control);
  await once(stranger, 'listening');
  t.after(() => stranger.close());
  const evil = '\u001b[2Jowned\r';
  const table: [string, number, string][] = [
    ['', 75, 'no answer (the connection was closed)'],
    [evil, 75, 'no answer (the connection was closed)'],
    [`${evil}\n`, 76, 'this is no answer of Postkasse'],
    ['{}\n', 76, 'this is no answer of Postkasse'],
    [`${JSON.stringify({ version: evil })}\n`, 76, 'this is no answer of Postkasse'],
  ];
  for (const [said, exit, words] of table) {
    answer = said;
    const ran = await postkasse(['status', '--config', settingsFile]);
    assert.deepEqual(ran, { status: exit, out: '', err: `postkasse: ${control}: ${words}\n` });
  }
});

test('after a crash the socket that lies about is nobody, and the next start takes its place', async (t) => {
  const tree = twoDomains(t);
  const server = await observed(t, tree);
  const control = join(tree.folder, 'run', 'control');
  await server.stop('SIGKILL');
  await server.gone();
  assert.equal(existsSync(control), true);
  const { status: exit } = await postkasse(['status', '--config', server.settingsFile]);
  assert.equal(exit, 69);
  const next = await server.restart();
  t.after(() => next.stop());
  assert.equal((await status(next)).supervisor.pid, next.pid);
});

const unprivileged = !isRoot ? 'needs root, to become others' : missing('setpriv', 'util-linux');

test('nobody but root may ask a server that root started', { skip: unprivileged }, async (t) => {
  const tree = twoDomains(t);
  const server = await observed(t, tree);
  chmodSync(tree.folder, 0o755);
  chmodSync(server.settingsFile, 0o644);
  const control = join(tree.folder, 'run', 'control');
  for (const uid of [65534, owner.uid]) {
    const as = ['--reuid', String(uid), '--regid', String(uid), '--clear-groups', '--'];
    const ran = await postkasse(['status', '--json', '--config', server.settingsFile], { through: ['setpriv', ...as] });
    assert.deepEqual(ran, { status: 77, out: '', err: `postkasse: ${control}: only root and the user who started Postkasse may ask\n` });
  }
});

test('--watch goes on until it is ended', async (t) => {
  const server = await observed(t, twoDomains(t));
  const child = spawn(program, ['status', '--json', '--watch', '0.1', '--config', server.settingsFile], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let heard = '';
  while (heard.split('\n').length < 4) heard += String((await once(child.stdout, 'data'))[0]);
  child.kill('SIGINT');
  const documents = heard
    .split('\n')
    .slice(0, 3)
    .map((line) => JSON.parse(line) as HouseReport);
  for (const { supervisor } of documents) assert.equal(supervisor.pid, server.pid);
  assert.ok((documents[0]?.atMs ?? 0) < (documents[2]?.atMs ?? 0));
});
