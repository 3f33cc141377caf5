/** A domain owner who is quick, and who has processes of his own on the host, against a whole server that root has started. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { AttackHouse, lineOf, mbox, password } from './support/attackHouse.ts';
import { rightsOf, needsRoot as skip } from './support/owners.ts';
import { Pop3Client } from './support/pop3Client.ts';

const attackerUid = 64212;
const honestUid = 64211;

test('a domain owner with processes of his own', { skip, timeout: 180_000 }, async (t) => {
  const house = await AttackHouse.open(t, {
    honest: { name: 'pk_honest2', uid: honestUid },
    attacker: { name: 'pk_attacker2', uid: attackerUid },
  });
  const { honest, attacker, server } = house;
  const { gid } = attacker;

  /** What a process of the attacker's prints. */
  const asAttacker = (module: string, ...args: string[]): string =>
    execFileSync(process.execPath, ['--input-type=module', '--eval', module, ...args], { uid: attackerUid, gid, encoding: 'utf8' });

  /** Makes a link at `at` lead to one of these and then to the other, as fast as it can, while `act` goes on. */
  async function whileSwapping(at: string, targets: readonly string[], act: () => Promise<void>): Promise<void> {
    const module = `
      import { renameSync, symlinkSync } from 'node:fs';
      const [at, ...targets] = process.argv.slice(1);
      process.stdout.write('swapping');
      for (let n = 0; ; n++) { symlinkSync(targets[n % targets.length], at + '.next'); renameSync(at + '.next', at); }`;
    const child: ChildProcess = spawn(process.execPath, ['--input-type=module', '--eval', module, at, ...targets], {
      uid: attackerUid,
      gid,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = once(child, 'exit');
    try {
      if (child.stdout !== null) await once(child.stdout, 'data');
      await act();
    } finally {
      child.kill('SIGKILL');
      await ended;
    }
  }

  await t.test("a passwd file that is now the own one and now another's", async (t) => {
    house.domain('race.dk', ['ada:{PLAIN}mine:UID:GID::.:', lineOf('eve')]);
    const own = join(attacker.home, 'domains', 'race.dk', 'passwd');
    const anothers = join(honest.home, 'domains', 'honest.dk', 'passwd');
    // The link itself is in root's folder no more.
    const at = house.link(['virtual', 'race.dk', 'passwd'], own);
    const replies = new Map<string, number>();
    await house.during(() =>
      whileSwapping(at, [own, anothers], async () => {
        for (let n = 0; n < 40; n++) {
          const round = [
            house.login('ada@race.dk'),
            house.login('ada@race.dk', 'mine'),
            house.login('eve@race.dk'),
            house.deliver('ada@race.dk'),
          ];
          const [stolen = '', ...others] = await Promise.all(round);
          // With the password that is in the honest owner's file.
          assert.match(stolen, /^-ERR \[(?:AUTH|SYS\/TEMP)\] /);
          for (const reply of [stolen, ...others])
            replies.set(reply.replace(/ as .*/, ''), (replies.get(reply.replace(/ as .*/, '')) ?? 0) + 1);
        }
      }),
    );
    t.diagnostic(JSON.stringify([...replies]));
    house.link(['virtual', 'race.dk', 'passwd'], own);
  });

  await t.test("a mailbox that is now the own one and now another's", async (t) => {
    house.domain('race2.dk', [lineOf('ada')]);
    const own = house.file(['home', attacker.name, 'own'], mbox('for eve'));
    const at = house.link(['spool', 'race2.dk', 'ada'], own);
    const replies = new Map<string, number>();
    await house.during(() =>
      whileSwapping(at, [own, house.path('spool', 'honest.dk', 'ada')], async () => {
        for (let n = 0; n < 40; n++) {
          const client = await Pop3Client.connect(server.ports.pop3);
          await client.ok('USER ada@race2.dk');
          const [login, fetched] = [await client.command(`PASS ${password}`), await client.command('RETR 1')];
          for (const reply of [login, fetched]) replies.set(reply, (replies.get(reply) ?? 0) + 1);
          // The honest owner's has 34 octets, and the attacker's grows by deliveries behind the first.
          if (fetched.startsWith('+OK')) assert.equal(fetched, '+OK 28 octets');
          await client.drop();
          await house.deliver('ada@race2.dk');
        }
      }),
    );
    t.diagnostic(JSON.stringify([...replies]));
  });

  await t.test('what a process of the owner can reach', async () => {
    await house.login('eve@race.dk');
    const sockets = readdirSync(house.path('run', 'owners')).map((name) => house.path('run', 'owners', name));
    const [ownWorker] = workersOf(server.pid, attackerUid);
    const [anothersWorker] = workersOf(server.pid, honestUid);
    const probe = `
      import fs from 'node:fs';
      import { connect } from 'node:net';
      const [connects, reads, writes, kills] = JSON.parse(process.argv[1]);
      const told = [];
      const attempt = (what, act) => { try { act(); told.push([what, 'done']); } catch (error) { told.push([what, error.code]); } };
      for (const path of connects) await new Promise((resolve) => {
        const socket = connect(path);
        socket.on('connect', () => { told.push([path, 'connected']); socket.destroy(); resolve(); });
        socket.on('error', (error) => { told.push([path, error.code]); resolve(); });
      });
      for (const path of reads) attempt(path, () => fs.statSync(path).isDirectory() ? fs.readdirSync(path) : fs.readFileSync(path));
      for (const path of writes) attempt(path, () => fs.writeFileSync(path, 'planted'));
      for (const pid of kills) attempt(pid, () => process.kill(pid, 0));
      process.stdout.write(JSON.stringify(told));`;
    const connects = [house.path('run', 'control'), ...sockets];
    const reads = [
      ...['owners', 'fronts', join('owners', String(honestUid)), join('fronts', 'secret'), join('owners', String(honestUid), 'secret')].map(
        (name) => house.path('state', name),
      ),
      ...['owners', 'locks', join('locks', String(honestUid)), join('locks', String(honestUid), 'sessions')].map((name) =>
        house.path('run', name),
      ),
      ...[server.pid, ...server.fronts(), anothersWorker, ownWorker].flatMap((pid) => [
        `/proc/${pid}/environ`,
        `/proc/${pid}/fd`,
        `/proc/${pid}/mem`,
      ]),
    ];
    const writes = [
      house.path('state', 'owners', '1'),
      house.path('state', 'owners', String(honestUid), 'index'),
      house.path('state', 'fronts', 'throttle'),
      house.path('run', 'locks', '1'),
      house.path('run', 'locks', String(honestUid), 'sessions'),
      house.path('run', 'owners', 'x.sock'),
      house.path('run', 'postkasse.pid'),
      house.path('virtual', 'new.dk'),
      house.path('spool', 'new.dk'),
      house.path('spool', 'honest.dk', 'ada.lock'),
    ];
    const kills = [server.pid, ...server.fronts()];
    assert.deepEqual(JSON.parse(asAttacker(probe, JSON.stringify([connects, reads, writes, kills]))), [
      ...[...connects, ...reads, ...writes].map((path) => [path, 'EACCES']),
      // The own worker is a process of that user; what comes of its end is tried below.
      ...kills.map((pid) => [pid, pid === ownWorker ? 'done' : 'EPERM']),
    ]);
  });

  await t.test('state that is planted, and a worker that is killed by its owner', async () => {
    const state = house.path('state', 'owners', String(attackerUid));
    const plant = `
      import fs from 'node:fs';
      import { execFileSync } from 'node:child_process';
      const [state, honest, pid] = process.argv.slice(1);
      fs.rmSync(state + '/mbox', { recursive: true, force: true });
      fs.symlinkSync(honest, state + '/mbox');
      fs.unlinkSync(state + '/secret');
      fs.symlinkSync('/etc/shadow', state + '/secret');
      process.kill(Number(pid), 'SIGKILL');`;
    const told = await house.during(async () => {
      const died = server.logged(/ worker\.died owner=64212/);
      asAttacker(plant, state, house.path('state', 'owners', String(honestUid)), String(workersOf(server.pid, attackerUid)[0]));
      await died;
      // It is tried again after a pause.
      const cannotStart = server.logged(/ worker\.died .* problem=/);
      const looking = new AbortController();
      void cannotStart.then(() => looking.abort());
      while (!looking.signal.aborted)
        assert.deepEqual(await house.session('eve@race.dk'), ['-ERR [SYS/TEMP] accounts can not be looked up just now']);
    });
    const lines = new Set(told.map((line) => line.replace(/pid=\d+/, 'pid=')));
    // Told of who asks during the pause; with a worker that had lived for a while there is none.
    lines.delete(`worker.refused domain=race.dk reason="the worker of ${attackerUid}:8 can't be kept running"`);
    assert.deepEqual(
      [...lines],
      [
        `worker.died owner=${attackerUid}:8 pid= code=null signal=SIGKILL`,
        `worker.died owner=${attackerUid}:8 pid= code=71 signal=null problem="EACCES: permission denied, open '/state/owners/${attackerUid}/secret'"`,
      ],
    );
  });
});

/** Process ids of children of the supervisor that are this user. */
function workersOf(supervisor: number, uid: number): number[] {
  return readFileSync(`/proc/${supervisor}/task/${supervisor}/children`, 'latin1')
    .split(' ')
    .filter(Boolean)
    .map(Number)
    .filter((pid) => existsSync(`/proc/${pid}`) && rightsOf(pid).uids.startsWith(`${uid} `));
}
