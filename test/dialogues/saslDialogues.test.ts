/**
 * Dialogues of Dovecot's auth protocol, with blanks for TABs. `C:` is the client (Postfix), `S:` the server, `*` at the end stands for any rest.
 * `delay 2000`: as login.failure_delay_ms; `hashed passwords`; `held back 2000 ms`: nothing is said for so long; `closed`: by the server.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { createAdmission } from '../../src/admission/admission.ts';
import { FakeClock } from '../../src/admission/fakes.test.ts';
import { createMemoryDirectory } from '../../src/directory/memory/index.ts';
import { parseDomainName, parseUserName } from '../../src/model/address.ts';
import { silent } from '../../src/model/log.ts';
import { Networks } from '../../src/model/networks.ts';
import { noAuthCounts } from '../../src/model/report.ts';
import { AuthConversation } from '../../src/postfix/auth/conversation.ts';
import { createSpeaker } from '../../src/texts/speaker.ts';
import { accounts } from './accounts.ts';
import { proof } from './proofs.ts';
import { type Dialogue, parse } from './script.ts';

const folder = join(import.meta.dirname, 'sasl');

/** And one who has a mailbox, but may not send. */
const everybody = new Map(accounts);
const ada = accounts.get('ada@example.org') ?? assert.fail();
const eva = { ...ada.mailbox, name: 'eva@example.org', user: parseUserName('eva') ?? assert.fail() };
everybody.set(eva.name, { mailbox: eva, password: 'lovelace', services: new Set(['pop3']) });

async function play({ steps }: Dialogue): Promise<void> {
  const has = (words: string) => steps.some(({ text }) => text === words);
  const delay = Number(steps.find(({ text }) => text.startsWith('delay '))?.text.slice(6) ?? 0);
  const clock = new FakeClock();
  const admission = createAdmission({
    rules: { delimiters: '@%', options: true, defaultDomain: undefined, addresses: new Map() },
    failureDelayMs: delay,
    maxConnectionsPerAccount: 20,
    exemptNetworks: new Networks(),
    recentLoginMs: 0,
    fronts: 1,
    logs: true,
    secret: Buffer.alloc(32, 7),
    log: silent,
    clock,
    publish() {},
  });
  const directory = createMemoryDirectory(everybody, {
    hashedPasswords: has('hashed passwords'),
    addresses: new Map([['192.0.2.10', parseDomainName('example.org') ?? assert.fail()]]),
  });
  const said: string[] = [];
  const heard: string[] = [];
  let isClosed = false;
  let isOver = false;
  const conversation = new AuthConversation(
    {
      directory,
      gate: admission.gate,
      speaker: createSpeaker(),
      log: silent,
      clock,
      random: (octets) => Buffer.alloc(octets, 0x61),
      hostname: 'mail.example.org',
      mechanisms: undefined,
      plaintextNetworks: new Networks(['127.0.0.0/8']),
      isOverloaded: () => isOver,
      counts: noAuthCounts(),
      processId: 4711,
    },
    'c',
    {
      say: (line) => void said.push(line),
      hangUp() {
        isClosed = true;
      },
      idle() {},
    },
  );
  const until = async (holds: () => boolean, what: string) => {
    for (let n = 0; !holds(); n++) {
      assert.ok(n < 100_000, `${what}; what was said: ${JSON.stringify(said)}`);
      await turn();
    }
  };
  conversation.begin(7);
  for (const { text, line } of steps) {
    if (text.startsWith('C: ')) conversation.line(Buffer.from(proof(text.slice(3), heard).replaceAll(' ', '\t')).toString('latin1'));
    else if (text.startsWith('S: ')) {
      await until(() => said.length > 0, `line ${line}: nothing is said`);
      const got = (said.shift() ?? '').replace(/\n$/, '').replaceAll('\t', ' ').replaceAll('\x01', '^A');
      const wanted = text.slice(3);
      if (wanted.endsWith('*')) assert.equal(got.slice(0, wanted.length - 1), wanted.slice(0, -1), `line ${line}`);
      else assert.equal(got, wanted, `line ${line}`);
      heard.push(got.replace(/^CONT \d+/, '+'));
    } else if (text.startsWith('held back ')) {
      const ms = Number(text.split(' ')[2]);
      await until(() => clock.timers > 0, `line ${line}: nothing is held back`);
      clock.pass(ms - 1);
      await turn();
      assert.deepEqual(said, [], `line ${line}`);
      clock.pass(1);
    } else if (text === 'closed') await until(() => isClosed, `line ${line}: it is not closed`);
    else if (text === 'handshake') said.length = 0;
    else if (text === 'overloaded') isOver = true;
    else assert.ok(text.startsWith('delay ') || text === 'hashed passwords', `line ${line}: ${text}`);
  }
  await turn();
  assert.deepEqual(said, []);
  assert.equal(isClosed, has('closed'));
}

for (const file of readdirSync(folder).filter((name) => name.endsWith('.txt'))) {
  describe(file, () => {
    for (const dialogue of parse(readFileSync(join(folder, file), 'utf8'))) {
      test(`${dialogue.line}: ${dialogue.title}`, () => play(dialogue));
    }
  });
}
