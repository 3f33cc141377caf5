/** A front that is taken over speaks to the supervisor, which is root: whatever it says, the supervisor goes on, and so do the others. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { test } from 'node:test';
import { writeWords } from '../../src/processes/words.ts';
import { AttackHouse } from './support/attackHouse.ts';
import { rightsOf, needsRoot as skip } from './support/owners.ts';
import { seededRandom } from './support/seededRandom.ts';

const honestUid = 64231;

test('whatever a front says to the supervisor', { skip, timeout: 180_000 }, async (t) => {
  const users = { honest: { name: 'pk_honest4', uid: honestUid }, attacker: { name: 'pk_attacker4', uid: 64232 } };
  const house = await AttackHouse.open(t, users, { takenOver: true });
  const { server } = house;
  const children = (uid?: number) =>
    server.fronts().filter((pid) => existsSync(`/proc/${pid}`) && rightsOf(pid).uids.startsWith(`${uid} `));
  const fronts = () => readdirSync(house.path('attack')).filter((name) => /^\d+$/.test(name) && existsSync(`/proc/${name}`));
  await house.allIsWell();

  /** As if the front said it. Resolves when the supervisor has all of it, or no longer listens. */
  async function say(front: string, ...octets: readonly Uint8Array[]): Promise<void> {
    const socket = connect(house.path('attack', front));
    socket.on('error', () => {});
    socket.end(Buffer.concat(octets));
    socket.resume();
    // With an error before it or without: the supervisor may have had enough.
    await new Promise((resolve) => socket.once('close', resolve));
  }

  await t.test('what is no word of a front costs that front its life, and nobody else anything', async () => {
    const where = { kind: 'where', id: 1 };
    const odd: [string, Buffer][] = [
      ["a message of Node's own", words({ cmd: 'NODE_HANDLE_ACK' })],
      ['a name that climbs', words({ ...where, domain: '../../etc' })],
      ['what only a worker may ask', words({ kind: 'shadow' })],
      ['a message without end', Buffer.from([0xff, 0xff, 0xff, 0xff, 0x7b])],
    ];
    for (const [nth, [what, octets]] of odd.entries()) {
      const [front = ''] = fronts().toSorted((a, b) => Number(a) - Number(b));
      const restarted = server.logged(/ front\.restarted /, nth + 1);
      await say(front, octets);
      await server.logged(new RegExp(` error +front\\.malformed front=\\d pid=${front}$`));
      // The other one, which has been there all along or was started anew.
      await house.allIsWell();
      await restarted;
      assert.equal(existsSync(`/proc/${front}`), false, what);
    }
    const { uids } = rightsOf(server.pid);
    assert.equal(uids, '0 0 0 0');
  });

  await t.test('what a front could say: nothing of it is believed', async () => {
    const [front = ''] = fronts();
    const [worker] = children(honestUid);
    const [socket = ''] = readdirSync(house.path('run', 'owners')).filter((name) => name.startsWith(`${honestUid}-`));
    const lies = [
      // That nobody answers where somebody does.
      { kind: 'where', id: 1, domain: 'honest.dk', unreachable: house.path('run', 'owners', socket) },
      { kind: 'where', id: 2, domain: 'honest.dk', unreachable: '/etc/shadow' },
      // Nobody's, root, and users of the host, who don't log in here.
      { kind: 'where', id: 3, domain: 'nowhere.dk', unreachable: undefined },
      { kind: 'where', id: 4, user: 'root', unreachable: undefined },
      { kind: 'where', id: 5, user: 'pk_honest4', unreachable: undefined },
      { kind: 'told', id: 999, report: { anything: ['at all'] } },
      { kind: 'failed', text: 'internal error', values: {}, exitCode: 0 },
      { kind: 'ready' },
      { kind: 'here' },
    ] as const;
    await say(front, ...lies.map((lie) => framed(writeWords(lie))));
    const told = await house.during(async () => {});
    assert.deepEqual(told, []);
    assert.deepEqual(children(honestUid), [worker]);
    assert.equal(fronts().includes(front), true);
  });

  await t.test('what it tells the other fronts, as far as that is octets', async (t) => {
    const random = seededRandom(t);
    const before = fronts();
    const octets = Array.from({ length: 300 }, () =>
      Buffer.from(Array.from({ length: random.integer(60) }, (_, n) => (n === 0 ? 1 : random.integer(256)))),
    );
    await say(before[0] ?? '', ...octets.map((one) => framed(writeWords({ kind: 'shared', octets: one }))));
    for (let n = 0; n < 10; n += 1) await house.allIsWell();
    assert.deepEqual(fronts(), before);
  });

  await t.test('a flood of questions and of news', async () => {
    const before = fronts();
    const memory = () => Number(/^VmRSS:\s*(\d+) kB/m.exec(readFileSync(`/proc/${server.pid}/status`, 'latin1'))?.[1]);
    const megabytesBefore = memory() / 1000;
    const questions = Array.from({ length: 5000 }, (_, id) =>
      framed(writeWords({ kind: 'where', id, domain: id % 2 ? 'honest.dk' : `no${id}.dk`, unreachable: undefined })),
    );
    const news = Array.from({ length: 50 }, () => framed(writeWords({ kind: 'shared', octets: Buffer.alloc(500_000) })));
    const flood = say(before[0] ?? '', ...questions, ...news);
    for (let n = 0; n < 10; n += 1) await house.allIsWell();
    await flood;
    await house.allIsWell();
    assert.deepEqual(fronts(), before);
    assert.ok(memory() / 1000 - megabytesBefore < 400, `${megabytesBefore} ${memory() / 1000}`);
  });
});

function framed(octets: Uint8Array): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(octets.length);
  return Buffer.concat([length, octets]);
}

function words(value: unknown): Buffer {
  return framed(Buffer.from(JSON.stringify(value)));
}
