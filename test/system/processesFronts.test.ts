/** The fronts: they share each port, tell their state, and one that dies is started again without a connection being lost. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clientOf, fieldsOf, loggedIn, serving, smallTree } from './support/processes.ts';

interface State {
  readonly pid: number;
  readonly connections: number;
  readonly accepted: number;
  readonly states: Readonly<Record<string, number>>;
  readonly open: number;
  readonly delivered: number;
}

function stateIn(line: string): State {
  const fields = fieldsOf(line);
  const connections = JSON.parse(fields.get('connections') ?? '[]') as { protocol: string; state: string; connections: number }[];
  const pop3 = connections.filter(({ protocol }) => protocol === 'pop3');
  const accepted = JSON.parse(fields.get('accepted') ?? '{}') as { pop3: number };
  return {
    pid: Number(fields.get('pid')),
    connections: pop3.reduce((sum, each) => sum + each.connections, 0),
    accepted: accepted.pop3,
    states: Object.fromEntries(pop3.map((each) => [each.state, each.connections])),
    open: JSON.parse(fields.get('store') ?? '{}').open,
    delivered: Number(fields.get('delivered')),
  };
}

test('two fronts share each port, and SIGUSR2 tells the state of each', async (t) => {
  const server = await serving(t, { tree: smallTree(t), protocols: ['pop3', 'pop3s', 'lmtp'] });
  const clients = Array.from({ length: 39 }, () => clientOf(t, { port: server.ports.pop3 }));
  for (const client of clients) await client.line();
  const user = await loggedIn(t, server);
  const deliverers = Array.from({ length: 20 }, () => clientOf(t, { port: server.ports.lmtp }));
  for (const client of deliverers) {
    await client.line();
    client.write('LHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<abc@kvt.dk>\r\nDATA\r\nSubject: hello\r\n\r\n.\r\nQUIT\r\n');
    for (let line = await client.line(); line !== undefined; line = await client.line()) assert.match(line, /^[23]/);
  }

  process.kill(server.pid, 'SIGUSR2');
  const [one, two] = [stateIn(await server.logged(/ house\.state /, 1)), stateIn(await server.logged(/ house\.state /, 2))];
  assert.deepEqual([one.pid, two.pid].sort(), [...server.fronts()].sort());
  // Chance may give one of them few, but 40 connections leave it without any once in 10^12 times.
  for (const state of [one, two]) assert.ok(state.accepted > 0 && state.delivered > 0, JSON.stringify(state));
  assert.equal(one.delivered + two.delivered, 20);
  assert.deepEqual([one.accepted + two.accepted, one.connections + two.connections, one.open + two.open], [40, 40, 1]);
  assert.equal((one.states.AUTHORIZATION ?? 0) + (two.states.AUTHORIZATION ?? 0), 39);
  assert.equal((one.states.TRANSACTION ?? 0) + (two.states.TRANSACTION ?? 0), 1);
  const supervisor = fieldsOf(await server.logged(/ supervisor\.state /));
  assert.deepEqual(
    [supervisor.get('pid'), supervisor.get('fronts'), supervisor.get('retiring'), supervisor.get('stopping')],
    [String(server.pid), JSON.stringify(server.fronts()), '[]', 'false'],
  );

  await user.play('C: QUIT\nS: +OK goodbye (maildrop empty)\nS: (closed)');
  for (const client of clients) await client.end();
  let seen = 2;
  for (let left = -1; left !== 0; seen += 2) {
    process.kill(server.pid, 'SIGUSR2');
    const states = [stateIn(await server.logged(/ house\.state /, seen + 1)), stateIn(await server.logged(/ house\.state /, seen + 2))];
    left = states.reduce((sum, { connections, open }) => sum + connections + open, 0);
  }
});

test('a front that is killed is started again, and those who wait to be let in are', async (t) => {
  const server = await serving(t, { tree: smallTree(t), protocols: ['pop3'], settings: { '': ['fronts = 1'] } });
  const [first = 0] = server.fronts();
  process.kill(first, 'SIGSTOP');
  const waiting = Array.from({ length: 5 }, () => clientOf(t, { port: server.ports.pop3 }));
  for (const { socket } of waiting) if (socket.connecting) await new Promise((resolve) => socket.once('connect', resolve));
  process.kill(first, 'SIGKILL');
  for (const client of waiting) assert.match((await client.line()) ?? 'closed', /^\+OK /);
  const died = fieldsOf(await server.logged(/ front\.died /));
  assert.deepEqual([died.get('front'), died.get('pid'), died.get('signal')], ['0', String(first), 'SIGKILL']);
  const restarted = fieldsOf(await server.logged(/ front\.restarted /));
  assert.deepEqual([Number(restarted.get('pid'))], server.fronts());
  assert.equal(await server.stop(), 0);
});
