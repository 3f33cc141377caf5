/**
 * A front that is taken over: a process with exactly its rights says what it likes to the owners' workers of a running server. Without a password
 * it gets nobody's mail, and nothing that a password could be guessed from.
 */
import assert from 'node:assert/strict';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  answer,
  authenticate,
  claim,
  deliver,
  type Frame,
  f64,
  frame,
  MESSAGE,
  named,
  request,
  retrieve,
  text,
  u8,
  u32,
  wanted,
} from './support/attackFrames.ts';
import { AttackHouse, mbox } from './support/attackHouse.ts';
import { Intruder, type IntruderLine } from './support/attackLines.ts';
import { makeFile, rightsOf, needsRoot as skip } from './support/owners.ts';
import { Pop3Client } from './support/pop3Client.ts';
import { seededRandom } from './support/seededRandom.ts';

const honestUid = 64221;
const attackerUid = 64222;

const message = (octets: string) => frame(MESSAGE, Buffer.from(octets));
const open = frame(request.open, u8(0));
const update = frame(request.update);
const release = frame(request.release);
const markFirst = frame(request.mark, Buffer.concat([u8(0), u32(0), u32(1)]));

const kinds = (told: readonly Frame[] | 'cut') => (told === 'cut' ? told : told.map(({ type }) => type));

test('a front that is taken over', { skip, timeout: 180_000 }, async (t) => {
  const house = await AttackHouse.open(
    t,
    {
      honest: { name: 'pk_honest3', uid: honestUid },
      attacker: { name: 'pk_attacker3', uid: attackerUid },
    },
    { settings: { login: ['mechanisms = ["PLAIN", "SCRAM-SHA-256"]'] } },
  );
  const { server, honest, attacker } = house;
  house.domain('attacker.dk');
  const crypted = '$6$saltstring$ls7AxXSIe9KVScQvO59U3NR01/TCj/6Bp2hgVOsEhjbYA3eJWkwvQ3H6ahnm2qPSLPzU8B/r.0ZnKRLAvU/yH0';
  const passwd = join(honest.home, 'domains', 'honest.dk', 'passwd');
  makeFile(
    honest,
    passwd,
    ['ada:{PLAIN}secret', 'bob:{PLAIN}bobs', `cleo:${crypted}`].map((fields) => `${fields}:${honestUid}:8::.:\n`).join(''),
  );
  makeFile(honest, house.path('spool', 'honest.dk', 'bob'), mbox('for bob alone'));
  for (const path of [passwd, house.path('spool', 'honest.dk')]) house.openForAll(path);
  await house.allIsWell();
  await house.login('eve@attacker.dk');

  const socketOf = (uid: number) => {
    const [name] = readdirSync(house.path('run', 'owners')).filter((one) => one.startsWith(`${uid}-`));
    return house.path('run', 'owners', name ?? '');
  };
  const socket = socketOf(honestUid);
  const [front = 0] = server.fronts().filter((pid) => !rightsOf(pid).uids.startsWith(`${honestUid} `));
  const { uids, gids } = rightsOf(front);
  const rights = { uid: Number(uids.split(' ')[0]), gid: Number(gids.split(' ')[0]) };
  const intruder = await Intruder.start(t, house.tree.folder, rights);
  const lines: IntruderLine[] = [];
  const connect = async (path = socket) => {
    const line = await intruder.connect(path);
    assert.equal(line.refusal, undefined);
    lines.push(line);
    return line;
  };

  await t.test('it can connect to the workers; nobody else can, nor it to the supervisor', async () => {
    assert.equal(await intruder.refusal(house.path('run', 'control')), 'EACCES');
    assert.equal(await intruder.refusal(socket), undefined);
    const others: [uid: number, gid: number][] = [
      [attackerUid, attacker.gid],
      [honestUid, honest.gid],
      [64229, 64229],
      [8, 8],
    ];
    for (const [uid, gid] of others) {
      const other = await Intruder.start(t, house.tree.folder, { uid, gid });
      for (const path of [socket, socketOf(attackerUid), house.path('run', 'control')])
        assert.equal(await other.refusal(path), 'EACCES', `${uid} ${path}`);
    }
    // Somebody else with the fronts' group comes as far as the socket.
    const sameGroup = await Intruder.start(t, house.tree.folder, { uid: 64229, gid: rights.gid });
    const line = await sameGroup.connect(socket);
    assert.equal(await line.ask(authenticate({ login: 'ada@honest.dk' })), 'cut');
    assert.equal(line.received.length, 0);
    await server.logged(/ warn +owners\.refused-peer uid=64229 pid=\d+ frontUid=\d+$/);
  });

  await t.test('nothing is opened, read or changed without a login on the same connection', async () => {
    const told = await house.during(async () => {
      for (const asked of [open, retrieve(0), retrieve(0, 5), update, markFirst]) assert.equal(await (await connect()).ask(asked), 'cut');
      const line = await connect();
      assert.deepEqual(kinds(await line.ask(release)), [answer.done]);
      assert.equal(await line.ask(open), 'cut');
    });
    const reasons = told.map((one) => /^owners\.malformed from=front reason="(.*)"$/.exec(one)?.[1]);
    assert.deepEqual(new Set(reasons), new Set(['nobody was admitted on this connection', 'no maildrop is open on this connection']));
  });

  await t.test('a login that fails, or that is for something else than mail, opens nothing', async () => {
    await house.during(async () => {
      const failing = [
        { login: 'ada@honest.dk', password: 'wrong' },
        { login: 'ada@honest.dk', password: '' },
        { login: 'ada@honest.dk', password: 'bobs' },
        { login: 'ada', password: 'secret' },
        { login: 'eve@attacker.dk', password: 'secret' },
        { login: 'pk_honest3', password: 'secret' },
        { login: 'root', password: 'secret' },
        { login: '../honest.dk/ada', domain: 'honest.dk' },
        { login: 'ada@honest.dk', password: `secret\0${'x'.repeat(60_000)}` },
      ];
      for (const login of failing) {
        for (const next of [open, retrieve(0)]) {
          const line = await connect();
          assert.deepEqual(kinds(await line.ask(authenticate(login))), [answer.fault], login.login);
          assert.equal(await line.ask(next), 'cut');
        }
      }
      for (const service of [1, 2, 3]) {
        const line = await connect();
        assert.deepEqual(kinds(await line.ask(authenticate({ login: 'ada@honest.dk', service }))), [
          service === 2 ? answer.admitted : answer.admitted,
        ]);
        assert.equal(await line.ask(open), 'cut');
      }
    });
  });

  await t.test('a login opens that one mailbox, once, and no other', async () => {
    const bob = { login: 'bob@honest.dk', password: 'bobs' };
    const mail = mbox('for bob alone').split('\n').slice(1, -1).join('\n');
    const told = await house.during(async () => {
      const rows = await connect();
      assert.deepEqual(kinds(await rows.ask(authenticate(bob))), [answer.admitted, answer.listing]);
      assert.equal(await rows.message(retrieve(0)), mail);
      assert.equal(await rows.message(retrieve(1)), 'cut');

      // The next login on the same connection takes the place of the one before, also when it fails.
      const twice = await connect();
      await twice.ask(authenticate(bob));
      assert.deepEqual(kinds(await twice.ask(authenticate({ login: 'ada@honest.dk', password: 'wrong' }))), [answer.fault]);
      assert.equal(await twice.message(retrieve(0)), 'cut');

      const released = await connect();
      await released.ask(authenticate(bob));
      assert.deepEqual(kinds(await released.ask(release)), [answer.done]);
      assert.equal(await released.ask(open), 'cut');

      const later = await connect();
      assert.deepEqual(kinds(await later.ask(authenticate({ ...bob, opens: false }))), [answer.admitted]);
      assert.deepEqual(kinds(await later.ask(open)), [answer.opened, answer.listing]);
      assert.deepEqual(kinds(await later.ask(update)), [answer.done]);
      assert.equal(await later.ask(open), 'cut');

      // Somebody else's connection.
      const owner = await connect();
      await owner.ask(authenticate(bob));
      const other = await connect();
      assert.equal(await other.ask(retrieve(0)), 'cut');
      assert.equal(await owner.message(retrieve(0)), mail);
      // While it is open nobody else has it: the answer says so, and who has logged in.
      const second = await connect();
      const [refused] = (await second.ask(authenticate(bob))) as Frame[];
      assert.equal(refused?.type, answer.admitted);
      assert.equal(refused?.payload.includes('another session has this maildrop'), true);
      assert.equal(await second.message(retrieve(0)), 'cut');
      owner.cut();
    });
    assert.deepEqual(new Set(told.map((one) => one.replace(/reason=.*/, ''))), new Set(['owners.malformed from=front ']));
  });

  await t.test('a conversation that was recorded, played again without its login', async () => {
    const whole = [authenticate({ login: 'bob@honest.dk', password: 'bobs' }), retrieve(0), frame(request.stop), markFirst, release];
    await house.during(async () => {
      for (let from = 1; from < whole.length - 1; from += 1) {
        const line = await connect();
        line.send(...whole.slice(from));
        const told: number[] = [];
        for (let next = await line.frame(); next !== undefined; next = await line.frame()) told.push(next.type);
        assert.deepEqual(told, [answer.hello], `from ${from}`);
      }
    });
  });

  await t.test('a delivery gives no right to what was delivered', async () => {
    const content = message('Subject: planted\n\nx\n');
    const end = frame(request.endOfMessage);
    const mailbox = house.path('spool', 'attacker.dk', 'eve');
    const told = await house.during(async () => {
      const before = statSync(mailbox).size;
      const line = await connect(socketOf(attackerUid));
      assert.deepEqual(kinds(await line.ask(deliver('eve@attacker.dk'), content, end)), [answer.done]);
      assert.equal(await line.ask(open), 'cut');
      const after = statSync(mailbox).size;
      assert.notEqual(after, before);
      // In the middle of a message there is nothing but the message, and one that is broken off is none.
      for (const inside of [authenticate({ login: 'eve@attacker.dk' }), open, release, deliver('eve@attacker.dk')])
        assert.equal(await (await connect(socketOf(attackerUid))).ask(deliver('eve@attacker.dk'), content, inside), 'cut');
      assert.equal(statSync(mailbox).size, after);

      const elsewhere = await connect();
      for (const to of ['eve@attacker.dk', 'nobody@honest.dk', 'root@honest.dk', 'pk_honest3@honest.dk'])
        assert.deepEqual(kinds(await elsewhere.ask(deliver(to), content, end)), [answer.fault], to);
      for (const to of ['../honest.dk/ada@honest.dk', '..@honest.dk', 'ada@..', 'ADA@honest.dk', 'ada@HONEST.DK', '@honest.dk', 'ada@'])
        assert.equal(await (await connect()).ask(deliver(to)), 'cut', to);
    });
    assert.deepEqual(
      told.filter((one) => !one.startsWith('owners.malformed from=front ')),
      [],
    );
  });

  await t.test('what may be asked without a password tells of no password', async () => {
    const line = await connect();
    const asked: Buffer[] = [];
    for (const user of ['ada', 'bob', 'cleo', 'nobody']) {
      const address = `${user}@honest.dk`;
      asked.push(
        frame(request.account, wanted(address)),
        frame(request.explain, claim({ login: address })),
        frame(request.locate, wanted(address)),
        frame(request.alias, named(address)),
        frame(request.pattern, named(address)),
        frame(request.usage, Buffer.concat([u8(0), wanted(address)])),
        frame(request.first, Buffer.concat([wanted(address), u8(0), text('somebody'), f64(60)])),
      );
      for (const hash of [0, 1]) asked.push(frame(request.scramParameters, Buffer.concat([u8(hash), claim({ login: address })])));
    }
    asked.push(
      frame(request.domain, text('honest.dk')),
      frame(request.domain, text('attacker.dk')),
      frame(request.account, wanted('eve@attacker.dk')),
    );
    for (const one of asked) assert.notEqual(await line.ask(one), 'cut');
    // Of SCRAM what every client is told that asks for it.
    for (const user of ['ada', 'cleo', 'nobody']) {
      const hash = u8(1);
      const [given] = (await line.ask(
        frame(request.scramParameters, Buffer.concat([hash, claim({ login: `${user}@honest.dk` })])),
      )) as Frame[];
      const salt = given?.payload.subarray(4, 4 + given.payload.readUInt32LE());
      const iterations = given?.payload.readUInt32LE(given.payload.length - 4);
      const client = await Pop3Client.connect(server.ports.pop3);
      const challenge = await client.command(`AUTH SCRAM-SHA-256 ${Buffer.from(`n,,n=${user}@honest.dk,r=nonce`).toString('base64')}`);
      const [, , told = ''] = /^(\+ )(\S+)$/.exec(challenge) ?? [];
      assert.equal(
        Buffer.from(told, 'base64')
          .toString()
          .replace(/^r=[^,]+,/, ''),
        `s=${salt?.toString('base64')},i=${iterations}`,
      );
      await client.drop();
    }
  });

  await t.test('arbitrary octets and frames', async (t) => {
    const random = seededRandom(t);
    const before = server.fronts();
    const known: [Buffer, ...Buffer[]] = [
      open,
      update,
      release,
      markFirst,
      retrieve(0),
      message('x'),
      deliver('nobody@honest.dk'),
      authenticate({ login: 'ada@honest.dk', password: 'wrong' }),
      frame(request.account, wanted('ada@honest.dk')),
      frame(request.account, u8(1), 0xffff_ffff),
      ...Object.values(request).map((type) => frame(type)),
    ];
    const some = (most: number) => Buffer.from(Array.from({ length: random.integer(most) }, () => random.integer(256)));
    const altered = (octets: Buffer) => {
      const copy = Buffer.from(octets);
      copy[random.integer(copy.length)] = random.integer(256);
      return copy;
    };
    const piece = () =>
      random.pick([
        () => random.pick(known),
        () => altered(random.pick(known)),
        () => random.pick(known).subarray(0, random.integer(9)),
        () => frame(random.integer(256), some(40)),
        () => some(40),
      ])();
    const told = await house.during(async () => {
      const good = await connect();
      for (let round = 0; round < 20; round += 1) {
        const batch = await Promise.all(Array.from({ length: 20 }, () => connect()));
        for (const line of batch) line.send(...Array.from({ length: 1 + random.integer(6) }, piece));
        // By then what they sent has been looked at.
        for (const _ of [1, 2]) assert.deepEqual(kinds(await good.ask(frame(request.account, wanted('ada@honest.dk')))), [answer.account]);
        for (const line of batch) line.cut();
      }
    });
    assert.deepEqual([...new Set(told.map((one) => one.replace(/ reason=.*/, '')))], ['owners.malformed from=front']);
    assert.deepEqual(server.fronts(), before);
  });

  const everything = Buffer.concat(lines.map(({ received }) => received)).toString('latin1');
  for (const secret of ['secret', 'bobs', crypted, crypted.slice(-20), 'for ada alone'])
    assert.equal(everything.includes(secret), false, secret);
});
