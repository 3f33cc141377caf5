/**
 * Passwords and what is made of them appear nowhere: neither in the trace nor in the log, in files, arguments, environment or titles of
 * processes. Each way to log in is gone, rightly and wrongly, with passwords that are found again. What can't be helped: a password that is
 * typed where a user name belongs (`USER geheim`) is a user name to everybody, and stands in trace and log as one.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { proof } from '../dialogues/proofs.ts';
import { linesOf } from '../dialogues/socketWire.ts';
import { Client } from '../support/socketDialogue.ts';
import { program } from './support/cli.ts';
import { makeDomain, makeOwnersTree, type UnixUser } from './support/owners.ts';
import { endedAfter } from './support/processes.ts';
import { makeTree, type Server, serve, type Tree, writeSettings } from './support/server.ts';

const isRoot = process.getuid?.() === 0;

/** Every password ever typed, and everything made of one. */
class Secrets {
  readonly #needles = new Map<string, string>();

  make(what: string): string {
    const secret = `Geheim${randomBytes(9).toString('hex')}`;
    this.add(what, secret);
    this.add(`${what} in base64`, Buffer.from(secret).toString('base64').replace(/=+$/, ''));
    return secret;
  }

  add(what: string, needle: string): void {
    assert.ok(needle.length > 8, what);
    this.#needles.set(needle, what);
  }

  /** What of it is there. */
  foundIn(text: string): string[] {
    return [...this.#needles].filter(([needle]) => text.includes(needle)).map(([, what]) => what);
  }

  get size(): number {
    return this.#needles.size;
  }
}

interface House {
  readonly server: Server;
  readonly tree: Tree;
  readonly users: ReadonlyMap<string, string>;
}

const names = ['user', 'apop', 'plain', 'later', 'login', 'cram', 'scram', 'stls', 'again'];

async function house(t: TestContext, secrets: Secrets, format: 'line' | 'json', owners: 'one' | 'many'): Promise<House> {
  const users = new Map(names.map((name) => [name, secrets.make(`the password of ${name}`)]));
  const lines = [...users].map(([name, password]) => `${name}:${password}:UID:GID::.:`);
  let tree: Tree;
  if (owners === 'one') {
    tree = makeTree({ passwd: new Map([['kvt.dk', lines]]) });
    t.after(() => tree.remove());
  } else {
    tree = makeOwnersTree(t);
    const owner: UnixUser = { name: '60131', uid: 60_131, gid: 60_131, home: join(tree.folder, 'home', '60131') };
    makeDomain(tree, owner, 'kvt.dk', lines);
  }
  const { settingsFile, ports } = await writeSettings({
    tree,
    protocols: ['pop3', 'pop3s'],
    settings: {
      '': ['stop_grace_s = 0'],
      owners: [`mode = "${owners}"`],
      directory: ['password_kind = "plain"'],
      // So that APOP and the rest are announced before anybody has said a name.
      addresses: ['"127.0.0.1" = "kvt.dk"'],
      login: ['failure_delay_ms = 0', 'max_failures = 100'],
      throttle: ['exempt_networks = ["127.0.0.0/8"]'],
      log: ['level = "debug"', `format = "${format}"`],
    },
  });
  const tracing = join(tree.folder, 'tracing');
  writeFileSync(tracing, `#!/bin/sh\nexec '${program}' "$@" --trace pop3\n`, { mode: 0o755 });
  return { server: endedAfter(t, await serve(settingsFile, ports, { program: tracing })), tree, users };
}

/** Plays lines, `{…}` in them worked out from what was heard; what was worked out is secret. @returns the replies */
async function played(wire: Wire, secrets: Secrets, lines: readonly string[]): Promise<string[]> {
  const heard = [(await wire.line()) ?? 'closed'];
  for (const line of lines) {
    const sent = proof(line, heard);
    for (const [made] of line.matchAll(/\{[^}]*\}/g)) {
      const [start = '', end = ''] = line.split(made);
      const worked = sent.slice(start.length, sent.length - end.length);
      const [kind] = made.split(' ');
      // A SCRAM exchange begins with the user name, which is no secret; its proof comes last.
      if (/ first /.test(made)) continue;
      secrets.add(`what ${kind} makes`, worked);
      const plain = Buffer.from(worked, 'base64').toString('latin1');
      const [, digest] = /^\S+ ([0-9a-f]{32})$|,p=(.+)$/.exec(plain)?.filter((part) => part !== undefined) ?? [];
      if (digest !== undefined) secrets.add(`the digest of ${kind}`, digest);
    }
    wire.write(`${sent}\r\n`);
    heard.push((await wire.line()) ?? 'closed');
  }
  return heard.slice(1);
}

interface Wire {
  line(): Promise<string | undefined>;
  write(octets: string): void;
  end(): Promise<void>;
}

async function overTls(port: number): Promise<Wire> {
  const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  const lines = linesOf(socket);
  return {
    line: async () => (await lines.next()).value?.toString('latin1'),
    write: (octets) => void socket.write(octets),
    end: async () => void socket.destroy(),
  };
}

/** `+` for each reply that lets the client go on or in. */
function signs(replies: readonly string[]): string {
  return replies.map((reply) => (reply.startsWith('-ERR') ? '-' : '+')).join('');
}

async function everyWay({ server, users }: House, secrets: Secrets): Promise<void> {
  const of = (name: string) => users.get(name) ?? '';
  const wrong = (what: string) => secrets.make(`a wrong password (${what})`);
  const long = wrong('over-long line').repeat(30);
  const outOfStep = wrong('as a command of its own');
  const early = wrong('at the wrong time');
  const plain = (name: string, password: string) => `{base64 \\0${name}@kvt.dk\\0${password}}`;
  const scram = (name: string, password: string) => [
    `AUTH SCRAM-SHA-256 {scram-sha-256 first ${name}@kvt.dk}`,
    `{scram-sha-256 final ${name}@kvt.dk ${password}}`,
    '',
  ];
  const sessions: readonly (readonly [lines: readonly string[], expected: string])[] = [
    [['USER user@kvt.dk', `PASS ${of('user')}`, 'STAT', `PASS ${of('user')}`, 'QUIT'], '+++-+'],
    [['USER user@kvt.dk', `PASS ${wrong('PASS')}`], '+-'],
    [['USER user@kvt.dk', `pass ${wrong('pass')}`, 'USER nobody@kvt.dk', `PASS ${wrong('of nobody')}`], '+-+-'],
    [[`APOP apop@kvt.dk {apop ${of('apop')}}`, 'QUIT'], '++'],
    [[`APOP apop@kvt.dk {apop ${wrong('APOP')}}`], '-'],
    [[`AUTH PLAIN ${plain('plain', of('plain'))}`, 'QUIT'], '++'],
    [[`AUTH PLAIN ${plain('plain', wrong('PLAIN'))}`, 'AUTH PLAIN', plain('later', wrong('PLAIN, later'))], '-+-'],
    [['AUTH PLAIN', plain('later', of('later')), 'QUIT'], '+++'],
    [['AUTH LOGIN', '{base64 login@kvt.dk}', `{base64 ${of('login')}}`, 'QUIT'], '++++'],
    [['AUTH LOGIN', '{base64 login@kvt.dk}', `{base64 ${wrong('LOGIN')}}`], '++-'],
    [['AUTH CRAM-MD5', `{cram-md5 cram@kvt.dk ${of('cram')}}`, 'QUIT'], '+++'],
    [['AUTH CRAM-MD5', `{cram-md5 cram@kvt.dk ${wrong('CRAM-MD5')}}`], '+-'],
    [[...scram('scram', of('scram')), 'QUIT'], '++++'],
    [scram('scram', wrong('SCRAM')).slice(0, 2), '+-'],
    // Not base64, over-long, out of step, at the wrong time, misspelt, and several at once.
    [['AUTH PLAIN', `${wrong('not base64')}!!`, `AUTH PLAIN ${wrong('not base64 either')}*`], '+--'],
    [[`PASS ${long}`, 'USER user@kvt.dk', `PASS ${long}`, `AUTH PLAIN ${long}`], '-+--'],
    [
      [outOfStep, ` ${outOfStep}`, `PASS ${early}`, `PAS ${early}`, `PASSWORD ${early}`, `PASS\t${early}`, `USER user@kvt.dk ${early}`],
      '-------',
    ],
    [['STLS x', `APOP ${early}`, `APOP user@kvt.dk ${early} ${early}`, `AUTH ${early}`, `AUTH PLAIN x ${early}`], '-----'],
  ];
  const outcomes: string[] = [];
  for (const [lines] of sessions) {
    const wire = new Client({ port: server.ports.pop3, host: '127.0.0.1' });
    outcomes.push(signs(await played(wire, secrets, lines)));
    await wire.end();
  }
  assert.deepEqual(
    outcomes,
    sessions.map(([, expected]) => expected),
  );
  const secured = await overTls(server.ports.pop3s);
  const replies = await played(secured, secrets, [
    'USER stls@kvt.dk',
    `PASS ${wrong('over TLS')}`,
    `AUTH PLAIN ${plain('stls', of('stls'))}`,
  ]);
  assert.equal(signs(replies), '+-+');
  await secured.end();
}

/** Of the server and all it has started. */
function family(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').split(' ').filter(Boolean).map(Number);
  return [pid, ...children.flatMap(family)];
}

for (const owners of ['one', 'many'] as const) {
  for (const format of ['line', 'json'] as const) {
    test(`${owners} owner${owners === 'many' ? 's' : ''}, log.format = "${format}"`, {
      skip: owners === 'many' && !isRoot ? 'needs root' : false,
    }, async (t) => {
      const secrets = new Secrets();
      const made = await house(t, secrets, format, owners);
      const { server, tree } = made;
      await everyWay(made, secrets);

      // Somebody is logged in and somebody about to be while the processes are looked at.
      const present = new Client({ port: server.ports.pop3, host: '127.0.0.1' });
      t.after(() => present.end());
      const password = made.users.get('again') ?? '';
      assert.equal(signs(await played(present, secrets, ['USER again@kvt.dk', `PASS ${password}`])), '++');
      const pids = family(server.pid);
      assert.ok(pids.length >= 3);
      for (const pid of pids) {
        for (const file of ['cmdline', 'comm', ...(isRoot || pid === server.pid ? ['environ'] : [])]) {
          if (file === 'environ' && !isRoot) continue;
          assert.deepEqual(secrets.foundIn(readFileSync(`/proc/${pid}/${file}`, 'latin1')), [], `${file} of ${pid}`);
        }
      }
      process.kill(server.pid, 'SIGUSR2');
      await server.logged(/supervisor\.state/);
      assert.equal(await server.stop(), 0);
      await server.gone();

      assert.ok(secrets.size > 60, String(secrets.size));
      const written = server.out() + server.log();
      // It is all there but for the secrets: a trace with nothing in it would hide them too.
      assert.match(written, /^C: USER user@kvt\.dk$/m);
      assert.match(written, /^C: PASS \*\*\*$/m);
      assert.match(written, /^C: \(over-long line\)$/m);
      assert.match(written, /pop3\.login-failed/);
      assert.deepEqual(secrets.foundIn(written), []);
      let files = 0;
      for (const place of ['state', 'run']) {
        for (const name of readdirSync(join(tree.folder, place), { recursive: true, encoding: 'utf8' })) {
          const path = join(tree.folder, place, name);
          if (!statSync(path).isFile()) continue;
          files++;
          assert.deepEqual(secrets.foundIn(readFileSync(path, 'latin1')), [], path);
        }
      }
      assert.ok(files > 0);
    });
  }
}
