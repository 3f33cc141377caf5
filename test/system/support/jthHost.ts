/**
 * A host in the predecessor's style: Postfix' maps give a domain to a Unix user, as `kvt_dk+abc--kvt.dk`, whose `.forward` files start the pipe
 * agent. REQUIREMENTS A56 to A65.
 */
import { chmodSync, chownSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { headerFields } from '../../../src/message/header.ts';
import { MailClient } from './mailClient.ts';
import { loggedIn, makeDomain, makeOwnersTree, makeUser, type UnixUser } from './owners.ts';
import { type Postfix, startPostfix } from './postfix.ts';
import { type Server, startServer, type Tree } from './server.ts';

export const program = join(import.meta.dirname, '..', '..', '..', 'bin', 'postkasse');

export interface JthHost {
  readonly tree: Tree;
  readonly kvt: UnixUser;
  /** LMTP. */
  readonly socket: string;
  readonly postfix: Postfix;
  server: Server;
  /** A file in the owner's home, as Postfix accepts it: mode 644, REQUIREMENTS A62. */
  forward(extension: string, line: string): void;
  /** By SMTP, as from anywhere. Resolves when Postfix has taken it. @throws Error when it doesn't */
  send(to: string, content: string, from?: string): Promise<void>;
  /** Sends, and resolves with what Postfix logs of this one recipient: `sent`, `bounced` or `deferred`, DSN and words. */
  delivery(to: string, content: string, from?: string): Promise<Delivery>;
}

export interface Delivery {
  readonly dsn: string;
  readonly status: string;
  readonly words: string;
}

export interface JthOptions {
  /** Owner of kvt.dk, who also has ny.example: name and uid that no other test has. */
  readonly user: readonly [name: string, uid: number];
  /** Further lines of master.cf and main.cf. @param command what starts the agent */
  readonly services?: (command: string, user: UnixUser) => readonly string[];
  /** `SOCKET` in them becomes the server's. */
  readonly main?: readonly string[];
  /** Further settings of the server, by table. */
  readonly settings?: Readonly<Record<string, readonly string[]>>;
}

export const password = 'secret';
const subdomain = 'z.kvt.dk';

export async function startJthHost(
  t: TestContext,
  { user: [name, uid], services, main = [], settings = {} }: JthOptions,
): Promise<JthHost> {
  let host: JthHost | undefined;
  // Registered before the tree's own, which removes what they need to stop.
  t.after(async () => {
    await host?.postfix.stop();
    await host?.server.stop();
  });
  const tree = makeOwnersTree(t);
  const kvt = makeUser(t, tree, { name, uid, group: 'mail' });
  const line = (user: string) => `${user}:{PLAIN}${password}:UID:GID::.:`;
  makeDomain(tree, kvt, 'kvt.dk', [...['abc', 'a--b', "o'neil", '$', 'blåbær'].map(line), `kvt:{PLAIN}${password}:UID:GID::${kvt.home}/:`]);
  mkdirSync(join(tree.folder, 'run'));
  const socket = join(tree.folder, 'run', 'lmtp');
  const server = await startServer({ tree, protocols: ['pop3', 'lmtp'], lmtpSocket: socket, settings });
  const command = `${program} deliver --socket ${socket} --config ${server.settingsFile}`;
  const postfix = await startPostfix({
    folder: join(tree.folder, 'postfix'),
    main: [
      'mydestination = $myhostname',
      'recipient_delimiter = +',
      'home_mailbox = Mail/mailbox',
      'allow_mail_to_commands = forward',
      'allow_mail_to_files = forward',
      // biome-ignore lint/suspicious/noTemplateCurlyInString: Postfix' own
      'forward_path = $home/.forward${recipient_delimiter}${extension}, $home/.forward',
      `virtual_alias_domains = kvt.dk, ${subdomain}`,
      `virtual_alias_maps = inline:{ info@kvt.dk=ABC@kvt.dk } regexp:${tree.folder}/virtual_regexp`,
      ...main.map((each) => each.replace('SOCKET', socket)),
    ],
    services: services?.(command, kvt) ?? [],
  });
  writeFileSync(join(tree.folder, 'virtual_regexp'), `/^(.+)@(.+\\.)?(kvt\\.dk)$/ ${name}+$1--$2$3\n`);

  const send: JthHost['send'] = async (to, content, from = 'ada@example.org') => {
    const client = await MailClient.connect('smtp', { port: postfix.port, host: '127.0.0.1' });
    // biome-ignore lint/suspicious/noControlCharactersInRegex: what isn't ASCII is looked for
    const parameter = /[^\x00-\x7f]/.test(to) ? ' SMTPUTF8' : '';
    const replies = [await client.command(`MAIL FROM:<${from}>${parameter}`), await client.command(`RCPT TO:<${to}>`)];
    replies.push(await client.command('DATA'), await client.command(`${content.replaceAll('\n', '\r\n')}.`));
    await client.command('QUIT');
    await client.close();
    const bad = replies.find((reply) => !/^[23]/.test(reply));
    if (bad !== undefined) throw new Error(bad);
  };
  host = {
    tree,
    kvt,
    socket,
    postfix,
    server,
    forward(extension, text) {
      const path = join(kvt.home, `.forward${extension}`);
      writeFileSync(path, `${text.replace('COMMAND', command)}\n`);
      chownSync(path, kvt.uid, kvt.gid);
      chmodSync(path, 0o644);
    },
    send,
    async delivery(to, content, from) {
      const pattern = new RegExp(` orig_to=<${to.replace(/[^\w@.-]/g, '.+')}>|to=<${to.replace(/[^\w@.-]/g, '.+')}>`);
      const lines = () =>
        postfix
          .log()
          .split('\n')
          .filter((each) => pattern.test(each) && / status=/.test(each)).length;
      const before = lines();
      const logged = postfix.logged(new RegExp(`(?:${pattern.source}).* status=`), before + 1);
      await send(to, content, from);
      const last = (await logged).at(-1) ?? '';
      const [, dsn = '', status = '', words = ''] = / dsn=(\S+), status=(\w+) \((.*)\)$/.exec(last) ?? [];
      return { dsn, status, words };
    },
  };
  return host;
}

export interface Fetched {
  /** Name and value of each field that a transport put on top, in order. */
  readonly trace: readonly (readonly [string, string])[];
  /** What is left: the message as its sender wrote it, lines ended by LF. */
  readonly content: string;
}

const traceNames = new Set(['return-path', 'delivered-to', 'x-original-to', 'received']);

/** Everything in the maildrop, which is empty afterwards. */
export async function takeAll(server: Server, address: string): Promise<readonly Fetched[]> {
  const client = await loggedIn(server, address, password);
  const count = (await client.uniqueIds()).length;
  const all: Fetched[] = [];
  for (let n = 1; n <= count; n++) {
    all.push(parted(await client.retrieve(n)));
    await client.ok(`DELE ${n}`);
  }
  await client.ok('QUIT');
  return all;
}

/** A mailbox in mbox format as it lies on the disc; undefined: there is none. */
export function mailbox(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function parted(whole: Buffer): Fetched {
  const trace: [string, string][] = [];
  let end = 0;
  for (const field of headerFields(whole)) {
    if (!traceNames.has(field.name.toLowerCase())) break;
    trace.push([field.name, whole.toString('utf8', field.start + field.name.length + 1, field.end).trim()]);
    end = field.end;
  }
  return { trace, content: whole.toString('utf8', end).replaceAll('\r\n', '\n') };
}
