/** Addresses that stand for others, across domains of different Unix users: each mailbox is written by its own owner's process, and the front knows no file of theirs. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { postkasse } from './support/cli.ts';
import { MailClient } from './support/mailClient.ts';
import { makeDomain, makeFile, makeOwnersTree, makeUser, needsRoot as skip, whose } from './support/owners.ts';
import { endedAfter } from './support/processes.ts';
import { freePort, startServer } from './support/server.ts';

const content = (subject: string) => Buffer.from(`Subject: ${subject}\r\n\r\nHello.\r\n`);

test('aliases, alias domains, forwards and patterns across owners', { skip, timeout: 120_000 }, async (t) => {
  const tree = makeOwnersTree(t);
  const one = makeUser(t, tree, { name: 'pk_address1', uid: 64261, group: 'mail' });
  const two = makeUser(t, tree, { name: 'pk_address2', uid: 64262, group: 'mail' });
  const at = (...names: string[]) => join(tree.folder, ...names);
  makeDomain(tree, one, 'one.dk', ['ada:{PLAIN}a:UID:GID::.:', 'eva:{PLAIN}a:UID:GID::.:', 'away:{PLAIN}a:UID:GID::.:']);
  makeDomain(tree, two, 'two.dk', ['bo:{PLAIN}b:UID:GID::.:', 'shut:{PLAIN}b:UID:GID::.:']);
  makeDomain(tree, two, 'three.dk', []);
  makeFile(
    one,
    at('virtual', 'one.dk', 'aliases'),
    'both: ada, bo@two.dk\nout: eva, x@elsewhere.example\nfar: shut@two.dk\nsales-*: bo@two.dk\nround: round@two.dk\n',
  );
  makeFile(one, at('virtual', 'one.dk', 'accounts', 'away.toml'), 'forward = ["bo@two.dk"]\nkeep_copy = false\n');
  makeFile(two, at('virtual', 'two.dk', 'aliases'), 'round: round@one.dk\n');
  makeFile(two, at('virtual', 'two.dk', 'accounts', 'shut.toml'), 'services = ["pop3"]\n');
  makeFile(two, at('virtual', 'three.dk', 'domain.toml'), 'alias_of = "one.dk"\nfold_subdomains = true\n');
  const nobodyThere = await freePort();
  const server = endedAfter(
    t,
    await startServer({
      tree,
      protocols: ['lmtp'],
      settings: { submission: ['via = "smtp"', `smtp = "127.0.0.1:${nobodyThere}"`], limits: ['connections = 1000'] },
    }),
  );
  async function send(to: string, subject: string): Promise<string> {
    const client = await MailClient.connect('lmtp', { port: server.ports.lmtp, host: '127.0.0.1' });
    const { recipients, replies } = await client.send({ from: 'jens@jth.example', to: [to], content: content(subject) });
    await client.close();
    return (replies[0] ?? recipients[0] ?? '').replace(/ as \S+$/, '');
  }
  /** Subjects in a mailbox, sorted. */
  function mail(domain: string, user: string): string[] {
    const path = at('spool', domain, user);
    if (!existsSync(path)) return [];
    return [...readFileSync(path, 'latin1').matchAll(/^Subject: (.*)$/gm)].map((match) => match[1] ?? '').sort();
  }

  const refused = ['550 5.2.1 this mailbox takes no mail', '550 5.1.1 no such user here', '451 4.4.6 mail forwarding loop'];
  const table: [to: string, subject: string, reply: string | undefined][] = [
    ['both@one.dk', 'both', undefined],
    ['both+tag@three.dk', 'by alias domain', undefined],
    ['ada@x.three.dk', 'by subdomain', undefined],
    ['sales-dk@one.dk', 'by pattern', undefined],
    ['away@one.dk', 'goes on', undefined],
    ['far@one.dk', 'nowhere', refused[0]],
    ['shut+x@two.dk', 'nowhere', refused[0]],
    ['nobody@three.dk', 'nowhere', refused[1]],
    ['round@two.dk', 'nowhere', refused[2]],
  ];
  for (const [to, subject, reply = '250 2.0.0 delivered'] of table) assert.equal(await send(to, subject), reply, to);
  assert.deepEqual(mail('one.dk', 'ada'), ['both', 'by alias domain', 'by subdomain']);
  assert.deepEqual(mail('two.dk', 'bo'), ['both', 'by alias domain', 'by pattern', 'goes on']);
  assert.deepEqual(mail('one.dk', 'away'), []);
  assert.equal(whose(at('spool', 'one.dk', 'ada')).split(' ')[0], `${one.uid}:${one.gid}`);
  assert.equal(whose(at('spool', 'two.dk', 'bo')).split(' ')[0], `${two.uid}:${two.gid}`);

  // The server knows what every owner says, and tells root.
  const config = ['--config', join(tree.folder, 'postkasse.toml')];
  const { status, out, err } = await postkasse(['explain', 'both@one.dk', ...config]);
  assert.deepEqual({ status, err }, { status: 0, err: '' });
  assert.deepEqual(out.slice(out.indexOf('mail for')).trimEnd().split('\n'), [
    'mail for both@one.dk:',
    '  address: user both, domain one.dk',
    '  domain: one.dk',
    '  account: does not apply',
    '  alias: both: ada@one.dk, bo@two.dk',
    '  address: user ada, domain one.dk',
    '  domain: one.dk',
    '  account: ada@one.dk',
    '  address: user bo, domain two.dk',
    '  domain: two.dk',
    '  account: bo@two.dk',
    `  rests with ada@one.dk: ${at('spool', 'one.dk', 'ada')}`,
    `  rests with bo@two.dk: ${at('spool', 'two.dk', 'bo')}`,
  ]);
  assert.equal((await postkasse(['explain', 'round@two.dk', ...config])).status, 75);
  assert.equal((await postkasse(['explain', 'nobody@three.dk', ...config])).status, 67);

  // No mail server takes what is for elsewhere: the sender's comes back with it, and who has it already gets it once.
  for (let attempt = 1; attempt <= 3; attempt += 1) assert.match(await send('out@one.dk', 'elsewhere'), /^451 4\./);
  assert.deepEqual(mail('one.dk', 'eva'), ['elsewhere']);

  // Files that change count at once.
  makeFile(one, at('virtual', 'one.dk', 'aliases'), 'both: eva\n');
  assert.equal(await send('both@one.dk', 'changed'), '250 2.0.0 delivered');
  assert.equal(await send('sales-dk@one.dk', 'gone'), refused[1]);
  assert.deepEqual(mail('one.dk', 'eva'), ['changed', 'elsewhere']);
});
