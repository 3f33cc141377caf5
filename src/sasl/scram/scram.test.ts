import assert from 'node:assert/strict';
import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { contextOf, fakeDirectory, play, type ScramSettings } from '../fakes.test.ts';
import { type ChannelBinding, mechanisms, type SaslContext } from '../index.ts';

/** RFC 5802 section 5. */
const rfc5802 = {
  name: 'SCRAM-SHA-1',
  scram: { salt: Buffer.from('QSXCR+Q6sek8bf92', 'base64'), iterations: 4096 },
  serverNonce: '3rfcNHYJY1ZVvWVs7j',
  client: ['n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL', 'c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts='],
  server: ['r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096', 'success user v=rmF9pqV8S7suAoZWja4dJRkFsKQ='],
};
/** RFC 7677 section 3. */
const rfc7677 = {
  name: 'SCRAM-SHA-256',
  scram: { salt: Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64'), iterations: 4096 },
  serverNonce: '%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0',
  client: [
    'n,,n=user,r=rOprNGfwEbeRWgbNEkqO',
    'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=',
  ],
  server: [
    'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096',
    'success user v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=',
  ],
};

function rfcContext(example: typeof rfc5802, more: Partial<SaslContext> = {}): SaslContext {
  const directory = fakeDirectory(new Map([['user', 'pencil']]), example.scram);
  return contextOf(directory, { random: () => Buffer.from(example.serverNonce), ...more });
}

for (const example of [rfc5802, rfc7677]) {
  test(`${example.name}: the example of its RFC, octet for octet`, async () => {
    assert.deepEqual(await play(example.name, rfcContext(example), example.client), example.server);
  });
}

/** A client of its own, written from RFC 5802 and sharing nothing with the server. */
interface Client {
  readonly hash: 'sha1' | 'sha256';
  readonly user: string;
  readonly password: string;
  readonly gs2: string;
  readonly bound?: Buffer;
  /** Optional attributes behind the nonce, with their comma. */
  readonly extension?: string;
  /** What it makes of the nonce in its last message. */
  readonly repeats?: (nonce: string) => string;
}

const clientNonce = 'clientnonce';

function clientFirst({ gs2, user, extension = '' }: Client): string {
  return `${gs2}n=${user},r=${clientNonce}${extension}`;
}

/** The last message and the server signature that must answer it. */
function clientFinal(
  { hash, password, gs2, bound, user, extension = '', repeats = (nonce) => nonce }: Client,
  challenge: string,
): { message: string; expects: string } {
  const [, nonce = '', salt = '', iterations = ''] = /^r=(.+),s=(.+),i=(\d+)$/.exec(challenge) ?? [];
  const length = hash === 'sha1' ? 20 : 32;
  const salted = pbkdf2Sync(password, Buffer.from(salt, 'base64'), Number(iterations), length, hash);
  const clientKey = createHmac(hash, salted).update('Client Key').digest();
  const storedKey = createHash(hash).update(clientKey).digest();
  const withoutProof = `c=${Buffer.concat([Buffer.from(gs2), bound ?? Buffer.alloc(0)]).toString('base64')},r=${repeats(nonce)}`;
  const authMessage = `n=${user},r=${clientNonce}${extension},${challenge},${withoutProof}`;
  const signature = createHmac(hash, storedKey).update(authMessage).digest();
  const proof = clientKey.map((octet, index) => octet ^ (signature[index] ?? 0));
  const serverKey = createHmac(hash, salted).update('Server Key').digest();
  return {
    message: `${withoutProof},p=${Buffer.from(proof).toString('base64')}`,
    expects: `v=${createHmac(hash, serverKey).update(authMessage).digest('base64')}`,
  };
}

async function converse(name: string, context: SaslContext, client: Client): Promise<{ said: string[]; expects: string }> {
  const [challenge = ''] = await play(name, context, [clientFirst(client)]);
  const { message, expects } = clientFinal(client, challenge);
  return { said: await play(name, context, [clientFirst(client), message]), expects };
}

const people = new Map([
  ['ada', 'pencil'],
  ['a,b=c', 'pencil'],
  ['IX', 'pencil'],
  ['søren', 'pencil'],
  ['clerk', 'I\u00adX \u2168'],
]);
const exporter = Buffer.from('0123456789abcdef0123456789abcdef');
const endPoint = Buffer.from('hash of the certificate, 32 oct.');
const binding: ChannelBinding = {
  data: (type) => (type === 'tls-exporter' ? exporter : type === 'tls-server-end-point' ? endPoint : undefined),
};

for (const hash of ['sha1', 'sha256'] as const) {
  const name = hash === 'sha1' ? 'SCRAM-SHA-1' : 'SCRAM-SHA-256';
  const ada: Client = { hash, user: 'ada', password: 'pencil', gs2: 'n,,' };

  test(`${name}: who gets in`, async (t) => {
    const cases: [string, Client, string][] = [
      ['plainly', ada, 'ada'],
      ['by a client that could bind to a channel, where there is none', { ...ada, gs2: 'y,,' }, 'ada'],
      ['with the own name as authorization identity', { ...ada, gs2: 'n,a=ada,' }, 'ada'],
      ['with comma and equals sign in the name', { ...ada, user: 'a=2Cb=3Dc', gs2: 'n,a=a=2Cb=3Dc,' }, 'a,b=c'],
      ['with an extension that may be passed over', { ...ada, extension: ',z=later' }, 'ada'],
      ['with a name in UTF-8', { ...ada, user: 'søren' }, 'søren'],
      ['with a name that SASLprep puts right (RFC 4013 section 3)', { ...ada, user: 'I\u00adX' }, 'IX'],
      ['with a password that SASLprep puts right', { ...ada, user: 'clerk', password: 'IX IX' }, 'clerk'],
    ];
    for (const [what, client, login] of cases) {
      await t.test(what, async () => {
        const { said, expects } = await converse(name, contextOf(fakeDirectory(people)), client);
        assert.deepEqual(said.slice(1), [`success ${login} ${expects}`]);
      });
    }
  });

  test(`${name}: who doesn't`, async (t) => {
    const cases: [string, Client][] = [
      ['wrong password', { ...ada, password: 'pencils' }],
      ['unknown user', { ...ada, user: 'eve' }],
      ['right proof over a nonce that lacks the server’s part', { ...ada, repeats: () => clientNonce }],
      ['right proof over a nonce of another exchange', { ...ada, repeats: (nonce) => `${nonce}x` }],
    ];
    for (const [what, client] of cases) {
      await t.test(what, async () => {
        const { said } = await converse(name, contextOf(fakeDirectory(people)), client);
        assert.deepEqual(said.slice(1), ['fault auth']);
      });
    }
  });

  test(`${name}-PLUS: bound to the connection, both types`, async (t) => {
    for (const [type, bound] of [
      ['tls-exporter', exporter],
      ['tls-server-end-point', endPoint],
    ] as const) {
      const client: Client = { ...ada, gs2: `p=${type},,`, bound };
      const context = () => contextOf(fakeDirectory(people), { channelBinding: binding });
      await t.test(type, async () => {
        const { said, expects } = await converse(`${name}-PLUS`, context(), client);
        assert.deepEqual(said.slice(1), [`success ada ${expects}`]);
      });
      await t.test(`${type}, the client has another connection`, async () => {
        const { said } = await converse(`${name}-PLUS`, context(), { ...client, bound: Buffer.alloc(32) });
        assert.deepEqual(said.slice(1), ['fault auth']);
      });
      await t.test(`${type}, binding data left out`, async () => {
        const { said } = await converse(`${name}-PLUS`, context(), { ...ada, gs2: client.gs2 });
        assert.deepEqual(said.slice(1), ['fault auth']);
      });
      await t.test(`${type}, the mechanism without -PLUS`, async () => {
        assert.deepEqual(await play(name, context(), [clientFirst(client)]), ['fault auth']);
      });
    }
  });

  test(`${name}: channel binding flags, RFC 5802 section 6`, async (t) => {
    const cases: [string, string, ChannelBinding | undefined, string][] = [
      ['y where -PLUS was offered is a downgrade', name, binding, 'y,,'],
      ['n with -PLUS', `${name}-PLUS`, binding, 'n,,'],
      ['y with -PLUS', `${name}-PLUS`, binding, 'y,,'],
      ['a type that is not to be had', `${name}-PLUS`, binding, 'p=tls-unique,,'],
      ['-PLUS without TLS', `${name}-PLUS`, undefined, 'p=tls-exporter,,'],
    ];
    for (const [what, mechanism, channelBinding, gs2] of cases) {
      await t.test(what, async () => {
        const context = contextOf(fakeDirectory(people), { channelBinding });
        assert.deepEqual(await play(mechanism, context, [clientFirst({ ...ada, gs2 })]), ['fault auth']);
      });
    }
    await t.test('n where -PLUS was offered is a client that cannot bind', async () => {
      const { said, expects } = await converse(name, contextOf(fakeDirectory(people), { channelBinding: binding }), ada);
      assert.deepEqual(said.slice(1), [`success ada ${expects}`]);
    });
  });
}

test('client-first-message: what is refused, RFC 5802 section 7', async (t) => {
  const cases: [string, string | Buffer, 'auth' | 'syntax'][] = [
    ['nothing', '', 'syntax'],
    ['no gs2-header', 'n=ada,r=x', 'syntax'],
    ['gs2-header alone', 'n,,', 'syntax'],
    ['unknown flag', 'x,,n=ada,r=x', 'syntax'],
    ['flag in capitals', 'N,,n=ada,r=x', 'syntax'],
    ['p without a type', 'p=,,n=ada,r=x', 'syntax'],
    ['a type with other characters', 'p=tls_unique,,n=ada,r=x', 'syntax'],
    ['authorization as somebody else', 'n,a=eve,n=ada,r=x', 'auth'],
    ['empty authorization identity', 'n,a=,n=ada,r=x', 'syntax'],
    ['authorization identity without its name', 'n,ada,n=ada,r=x', 'syntax'],
    ['mandatory extension', 'n,,m=x,n=ada,r=x', 'syntax'],
    ['mandatory extension at the end', 'n,,n=ada,r=x,m=x', 'syntax'],
    ['nonce before name', 'n,,r=x,n=ada', 'syntax'],
    ['no name', 'n,,n=,r=x', 'syntax'],
    ['no nonce', 'n,,n=ada', 'syntax'],
    ['empty nonce', 'n,,n=ada,r=', 'syntax'],
    ['space in the nonce', 'n,,n=ada,r=x x', 'syntax'],
    ['nonce beyond ASCII', 'n,,n=ada,r=ø', 'syntax'],
    ['bare equals sign in the name', 'n,,n=a=b,r=x', 'syntax'],
    ['escape in lower case', 'n,,n=a=2cb,r=x', 'syntax'],
    ['escape at the end', 'n,,n=a=2,r=x', 'syntax'],
    ['NUL in the name', 'n,,n=a\0da,r=x', 'syntax'],
    ['no UTF-8', Buffer.from('n,,n=\xff,r=x', 'latin1'), 'syntax'],
    ['name of 256 octets', `n,,n=${'a'.repeat(256)},r=x`, 'syntax'],
    ['a control character, prohibited by SASLprep', 'n,,n=a\u0007da,r=x', 'auth'],
    ['a name of nothing but soft hyphens', 'n,,n=\u00ad,r=x', 'auth'],
    ['extension without value', 'n,,n=ada,r=x,z=', 'syntax'],
    ['trailing comma', 'n,,n=ada,r=x,', 'syntax'],
    ['longer than a line may be', `n,,n=ada,r=${'x'.repeat(9300)}`, 'syntax'],
  ];
  for (const [what, message, kind] of cases) {
    await t.test(what, async () =>
      assert.deepEqual(await play('SCRAM-SHA-256', contextOf(fakeDirectory(people)), [message]), [`fault ${kind}`]),
    );
  }
});

test('client-final-message: what is refused', async (t) => {
  const [first = '', final = ''] = rfc5802.client;
  const cases: [string, string, 'auth' | 'syntax'][] = [
    ['nothing', '', 'syntax'],
    ['another gs2-header than before', final.replace('biws', 'eSws'), 'auth'],
    ['nonce cut', final.replace('s7j,', 's7,'), 'auth'],
    ['only the client’s own nonce', final.replace('3rfcNHYJY1ZVvWVs7j', ''), 'auth'],
    ['another proof', final.replace('p=v', 'p=w'), 'auth'],
    ['shorter proof', final.replace('p=v0X8', 'p='), 'auth'],
    ['empty proof', final.replace(/p=.*/, 'p='), 'syntax'],
    ['no proof', final.replace(/,p=.*/, ''), 'syntax'],
    ['proof before the end', final.replace(/(r=.*),(p=.*)/, '$2,$1'), 'syntax'],
    ['proof that is no base64', final.replace('p=v', 'p=*'), 'syntax'],
    ['proof without padding', final.replace(/=$/, ''), 'syntax'],
    ['a second spelling of the same proof', final.replace('4Ts=', '4Tt='), 'syntax'],
    ['mandatory extension', final.replace(',p=', ',m=x,p='), 'syntax'],
    ['channel binding missing', final.replace('c=biws,', ''), 'syntax'],
    ['channel binding that is no base64', final.replace('biws', 'n,,'), 'syntax'],
    ['extension slipped in', final.replace(',p=', ',z=x,p='), 'auth'],
  ];
  for (const [what, message, kind] of cases) {
    await t.test(what, async () => {
      assert.notEqual(message, final);
      assert.deepEqual(await play('SCRAM-SHA-1', rfcContext(rfc5802), [first, message]), [rfc5802.server[0], `fault ${kind}`]);
    });
  }
});

test('the server nonce is printable without a comma, whatever the random octets', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ minLength: 40, maxLength: 40 }), async (octets) => {
      const context = contextOf(fakeDirectory(people), { random: () => Buffer.from(octets) });
      const [challenge = ''] = await play('SCRAM-SHA-256', context, ['n,,n=ada,r=x']);
      assert.match(challenge, /^r=x[\x21-\x2b\x2d-\x7e]*,s=[A-Za-z0-9+/=]+,i=2$/);
    }),
    { numRuns: 100 },
  );
});

/** One edit: octets from `at` on, `cut` of them, give way to others. */
const edit = fc.record({ at: fc.double({ min: 0, max: 1, noNaN: true }), cut: fc.nat(3), put: fc.uint8Array({ maxLength: 3 }) });
const scramPieces = fc
  .array(
    fc.constantFrom('n', 'y', 'p=tls-exporter', ',', 'n=ada', 'a=ada', 'r=x', 'm=x', 'z=x', 'c=biws', 'p=', 'AAAA', '=', '=2C', '\0'),
    { maxLength: 12 },
  )
  .map((pieces) => Buffer.from(pieces.join('')));
const junk = fc.oneof(
  fc.uint8Array({ maxLength: 200 }).map((octets) => Buffer.from(octets)),
  scramPieces,
);

function edited(message: string, { at, cut, put }: { at: number; cut: number; put: Uint8Array }): Buffer {
  const octets = Buffer.from(message);
  const from = Math.floor(at * octets.length);
  return Buffer.concat([octets.subarray(0, from), put, octets.subarray(from + cut)]);
}

const fewRounds: ScramSettings = { salt: Buffer.from('pepper'), iterations: 1 };
const unbound: Client = { hash: 'sha256', user: 'ada', password: 'pencil', gs2: 'n,,' };
const bound: Client = { ...unbound, gs2: 'p=tls-exporter,,', bound: exporter };

for (const [name, client] of [
  ['SCRAM-SHA-256', unbound],
  ['SCRAM-SHA-256-PLUS', bound],
] as const) {
  const context = () => contextOf(fakeDirectory(people, fewRounds), client.bound ? { channelBinding: binding } : {});

  test(`${name}: junk ends in auth or syntax`, async () => {
    await fc.assert(
      fc.asyncProperty(junk, junk, async (first, second) => {
        const said = await play(name, context(), [first, second]);
        assert.match(said.at(-1) ?? '', /^fault (auth|syntax)$/);
      }),
      { numRuns: 500 },
    );
  });

  test(`${name}: a good exchange with either message changed ends in auth or syntax`, async () => {
    const first = clientFirst(client);
    const [challenge = ''] = await play(name, context(), [first]);
    const { message } = clientFinal(client, challenge);
    assert.match((await play(name, context(), [first, message])).at(-1) ?? '', /^success ada v=/);
    await fc.assert(
      fc.asyncProperty(edit, fc.boolean(), async (change, inFirst) => {
        const responses = inFirst ? [edited(first, change), Buffer.from(message)] : [Buffer.from(first), edited(message, change)];
        fc.pre(!Buffer.concat(responses).equals(Buffer.from(first + message)));
        const said = await play(name, context(), responses);
        assert.match(said.at(-1) ?? '', /^fault (auth|syntax)$/);
      }),
      { numRuns: 500 },
    );
  });
}

test('every mechanism that needs a channel binding is a -PLUS one', () => {
  for (const [name, { needsChannelBinding }] of mechanisms) assert.equal(needsChannelBinding, name.endsWith('-PLUS'));
});
