/**
 * Plays dialogues: text files in the notation of the RFCs, against whatever answers.
 *
 *   # what it shows, with the RFC section
 *   login ada@example.org, maildrop of 120 200 310 octets
 *   C: DELE 2
 *   S: +OK *
 *
 * A blank line ends a dialogue. `C:` is said to the server (`\xE6` is an octet, `{…}` a proof worked out, see proofs.ts), `S:` is what
 * it must say: `+OK *` and `+ *` fit any text after the status, everything else is compared whole. `C2:` and `S2:` are a second client.
 * Other lines set the stage, see `directions` below. A connection opens with the first line that needs it; where that is `C:`, the
 * greeting is passed over.
 */
import assert from 'node:assert/strict';
import { proof } from './proofs.ts';
import type { Dialogue } from './script.ts';

/** Octets to and from one connection. */
export interface Wire {
  /** A line with its line end. */
  send(octets: Buffer): Promise<void>;
  /** The next line without its line end; `undefined`: the server closed. Must fail rather than wait for ever. */
  receive(): Promise<Buffer | undefined>;
  /** The client's side of what comes after STLS. */
  startTls(): Promise<void>;
  /** The client is gone, without QUIT; resolves when the server has noticed. @throws where the server said what nobody has read */
  lose(): Promise<void>;
}

export type Network = 'TLS' | 'a trusted network' | 'plaintext' | 'plaintext without certificate';

export interface Stage {
  expireDays: number | 'never';
  loginDelayS: number;
  /** Limits are said to differ by mailbox. */
  limitsDiffer: boolean;
  /** Without clear text there is no APOP, no CRAM-MD5 and no SCRAM. */
  hashedPasswords: boolean;
  /** Process, clock and host of the timestamp in the greeting. */
  timestamp: { process: bigint; clockMs: number; host: string } | undefined;
}

export interface House {
  connect(network: Network): Promise<Wire>;
  deliver(mailbox: string, message: Buffer): Promise<void>;
  /** `undefined`: no such account. */
  passwordOf(login: string): string | undefined;
  pass(ms: number): void;
  /** From now on no UPDATE succeeds. */
  fillDisc(): void;
}

interface Client {
  wire: Wire;
  /** Lines of the server, the newest last: greeting and challenges are what proofs are worked out from. */
  heard: string[];
}

interface Play {
  house: House | undefined;
  readonly open: (stage: Stage) => House | Promise<House>;
  readonly stage: Stage;
  network: Network;
  readonly clients: Map<string, Client>;
  message: { mailbox: string; lines: string[] } | undefined;
}

const msOf = { s: 1000, days: 86_400_000 } as const;

/** What else a line may say. */
const directions: readonly (readonly [RegExp, (play: Play, words: string[]) => void | Promise<void>])[] = [
  [
    /^login (\S+)(?:, maildrop of ([\d ]+) octets|, empty maildrop)?$/,
    async (play, [login = '', sizes = '']) => {
      await fillMaildrop(play, login, sizes);
      const client = await clientOf(play, '');
      await expectLine(client, '+OK *');
      await say(client, `USER ${login}`);
      await expectLine(client, '+OK *');
      await say(client, `PASS ${(await houseOf(play)).passwordOf(login)}`);
      await expectLine(client, '+OK *');
    },
  ],
  [/^maildrop of (\S+): ([\d ]+) octets$/, (play, [mailbox = '', sizes = '']) => fillMaildrop(play, mailbox, sizes)],
  [
    /^message for (\S+):$/,
    (play, [mailbox = '']) => {
      play.message = { mailbox, lines: [] };
    },
  ],
  [
    /^over (TLS|a trusted network|plaintext|plaintext without certificate)$/,
    (play, [network]) => {
      play.network = network as Network;
    },
  ],
  [
    /^expire (\d+) days$/,
    (play, [days]) => {
      play.stage.expireDays = Number(days);
    },
  ],
  [
    /^login delay (\d+) s$/,
    (play, [seconds]) => {
      play.stage.loginDelayS = Number(seconds);
    },
  ],
  [
    /^limits differ$/,
    (play) => {
      play.stage.limitsDiffer = true;
    },
  ],
  [
    /^hashed passwords$/,
    (play) => {
      play.stage.hashedPasswords = true;
    },
  ],
  [
    /^timestamp <(\d+)\.(\d+)@(\S+)>$/,
    (play, [process = '', clock, host = '']) => {
      play.stage.timestamp = { process: BigInt(process), clockMs: Number(clock), host };
    },
  ],
  [/^(\d+) (s|days) pass$/, async (play, [count, unit]) => (await houseOf(play)).pass(Number(count) * msOf[unit as keyof typeof msOf])],
  [/^the disc is full$/, async (play) => (await houseOf(play)).fillDisc()],
  [/^TLS negotiation(2?)$/, async (play, [which = '']) => (await clientOf(play, which)).wire.startTls()],
  [
    /^connection(2?) lost$/,
    async (play, [which = '']) => {
      await (await clientOf(play, which)).wire.lose();
      play.clients.delete(which);
    },
  ],
  [
    /^connection(2?) closed$/,
    async (play, [which = '']) => {
      const line = await (await clientOf(play, which)).wire.receive();
      assert.equal(line?.toString(), undefined, 'the server should have closed');
      play.clients.delete(which);
    },
  ],
];

/** Plays one dialogue in a house of its own, which whoever opens it closes. @throws Error naming the line that went otherwise */
export async function play(dialogue: Dialogue, open: (stage: Stage) => House | Promise<House>): Promise<void> {
  const stage: Stage = { expireDays: 'never', loginDelayS: 0, limitsDiffer: false, hashedPasswords: false, timestamp: undefined };
  const going: Play = { house: undefined, open, stage, network: 'a trusted network', clients: new Map(), message: undefined };
  for (const step of dialogue.steps) {
    try {
      await perform(going, step.text);
    } catch (cause) {
      throw new Error(`line ${step.line}: ${step.text}`, { cause });
    }
  }
  for (const client of going.clients.values()) await client.wire.lose();
}

async function perform(going: Play, text: string): Promise<void> {
  if (going.message !== undefined) {
    if (text === '|' || text.startsWith('| ')) {
      going.message.lines.push(octetsOf(text.slice(2)));
      return;
    }
    await handIn(going);
  }
  const said = /^([CS])(2?): ?(.*)$/.exec(text);
  if (said !== null) {
    const [, who, which = '', what = ''] = said;
    const opened = going.clients.has(which);
    const client = await clientOf(going, which);
    if (who === 'S') return await expectLine(client, what);
    if (!opened) await expectLine(client, '+OK *');
    return await say(client, what);
  }
  for (const [pattern, act] of directions) {
    const match = pattern.exec(text);
    if (match !== null) return await act(going, match.slice(1));
  }
  throw new Error('neither said by anybody nor a direction');
}

async function houseOf(going: Play): Promise<House> {
  going.house ??= await going.open(going.stage);
  return going.house;
}

async function clientOf(going: Play, which: string): Promise<Client> {
  const known = going.clients.get(which);
  if (known !== undefined) return known;
  const client = { wire: await (await houseOf(going)).connect(going.network), heard: [] };
  going.clients.set(which, client);
  return client;
}

async function say(client: Client, text: string): Promise<void> {
  await client.wire.send(Buffer.from(`${proof(octetsOf(text), client.heard)}\r\n`, 'latin1'));
}

async function expectLine(client: Client, expected: string): Promise<void> {
  const line = (await client.wire.receive())?.toString();
  if (line !== undefined) client.heard.push(line);
  const status = /^(\+OK|\+) \*$/.exec(expected)?.[1];
  if (status !== undefined && line !== undefined && (line === status || line.startsWith(`${status} `))) return;
  assert.equal(line, expected);
}

/** Characters as the latin1 of their UTF-8 octets, `\xE6` as that octet. */
function octetsOf(text: string): string {
  return Buffer.from(text)
    .toString('latin1')
    .replace(/\\x([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

async function handIn(going: Play): Promise<void> {
  const { mailbox = '', lines = [] } = going.message ?? {};
  going.message = undefined;
  await (await houseOf(going)).deliver(mailbox, Buffer.from(lines.map((line) => `${line}\r\n`).join(''), 'latin1'));
}

async function fillMaildrop(going: Play, mailbox: string, sizes: string): Promise<void> {
  const house = await houseOf(going);
  for (const [index, size] of sizes
    .split(' ')
    .filter((word) => word !== '')
    .entries()) {
    await house.deliver(mailbox, messageOf(index + 1, Number(size)));
  }
}

/** A message of exactly so many octets with CRLF line ends. */
export function messageOf(number: number, octets: number): Buffer {
  const header = `Subject: ${number}\r\n\r\n`;
  const filler = octets - header.length - 2;
  assert.ok(filler >= 0, `no message has ${octets} octets`);
  return Buffer.from(`${header}${'x'.repeat(filler)}\r\n`);
}
