/**
 * Plays the transcripts in cli/: `$` is what is typed into a shell in the tree, what follows is all that it says, on either stream, and
 * `(status N)` where it isn't 0. In what is said `*` stands for anything, a line of it alone for any number of lines.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { version } from '../../src/version.ts';
import { program } from '../system/support/cli.ts';
import { makeTree, owner, type Tree } from '../system/support/server.ts';

const folder = join(import.meta.dirname, 'cli');
const isRoot = process.getuid?.() === 0;

interface Act {
  readonly line: number;
  readonly typed: string;
  readonly said: string[];
}

for (const name of readdirSync(folder)) {
  test(`cli/${name}`, async (t) => {
    const tree = house();
    t.after(() => tree.remove());
    for (const { line, typed, said } of read(readFileSync(join(folder, name), 'utf8'))) {
      const heard = await run(tree, typed);
      assert.ok(matches(heard, said), `${name}:${line}: ${typed}\nsaid:\n${heard.join('\n')}\nand not:\n${said.join('\n')}`);
    }
  });
}

function house(): Tree {
  const tree = makeTree({
    passwd: new Map([['kvt.dk', ['abc:{PLAIN}abcpasswd:UID:GID:abcname:.:', 'kvt:{PLAIN}kvtpasswd:UID:GID:kvtname:HOME:']]]),
  });
  const home = join(tree.folder, 'home', 'kvt_dk');
  mkdirSync(home, { recursive: true });
  const passwd = join(tree.folder, 'virtual', 'kvt.dk', 'passwd');
  writeFileSync(passwd, readFileSync(passwd, 'utf8').replace('HOME', home));
  const who = isRoot ? `user = "${owner.uid}"\ngroup = "${owner.gid}"\n` : '';
  const rest = '[directory]\nroot = "virtual"\n[mailboxes]\nroot = "spool"\n[addresses]\n"192.0.2.10" = "kvt.dk"\n';
  writeFileSync(join(tree.folder, 'postkasse.toml'), `state_dir = "state"\nrun_dir = "run"\n${who}${rest}`);
  tree.own();
  return tree;
}

/** Blank lines and comments between acts say something to the reader; what is said may hold blank lines, but doesn't end in one. */
function read(script: string): Act[] {
  const acts: Act[] = [];
  for (const [at, line] of script.split('\n').entries()) {
    if (line.startsWith('$ ')) acts.push({ line: at + 1, typed: line.slice(2), said: [] });
    else acts.at(-1)?.said.push(line);
  }
  for (const { said } of acts) {
    const comment = said.findIndex((line, at) => line.startsWith('# ') && said[at - 1] === '');
    if (comment >= 0) said.splice(comment);
    while (said.at(-1) === '') said.pop();
  }
  return acts;
}

/** Whoever plays the part of the mail's owner does so by `owner COMMAND`. */
async function run(tree: Tree, typed: string): Promise<string[]> {
  const asOwner = isRoot ? `setpriv --reuid=${owner.uid} --regid=${owner.gid} --clear-groups ` : '';
  const child = spawn('sh', ['-c', `owner() { ${asOwner}"$@"; }; exec 2>&1; ${typed}`], {
    cwd: tree.folder,
    env: { PATH: `${dirname(program)}:${process.env.PATH}`, TZ: process.env.TZ ?? '' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const out: Buffer[] = [];
  child.stdout.on('data', (octets: Buffer) => out.push(octets));
  const [status] = (await once(child, 'close')) as [number];
  const said = Buffer.concat(out)
    .toString()
    .replaceAll(tree.folder, '/tree')
    .replaceAll(`uid ${owner.uid}, gid ${owner.gid}`, 'uid UID, gid GID')
    .replaceAll(version, 'VERSION')
    .split('\n');
  while (said.at(-1) === '') said.pop();
  return status === 0 ? said : [...said, `(status ${status})`];
}

function matches(heard: readonly string[], wanted: readonly string[]): boolean {
  const pattern = wanted.map((line) => (line === '*' ? '(?:.*\n)*' : `${line.split('*').map(escaped).join('.*')}\n`)).join('');
  return new RegExp(`^${pattern}$`).test(heard.map((line) => `${line}\n`).join(''));
}

function escaped(text: string): string {
  return text.replace(/[$()[\]{}.+?^|\\/]/g, '\\$&');
}
