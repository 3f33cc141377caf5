/** Draws the arrows between the rooms from the imports and refuses one that points the wrong way. */
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

/** Left to right; a room may import from columns to its left, and from nowhere else. */
const columns: readonly (readonly string[])[] = [
  ['texts'],
  ['model'],
  ['message', 'sasl', 'os'],
  ['pop3', 'lmtp', 'directory', 'maildrops', 'submission'],
  ['delivery', 'mdn', 'admission', 'owners', 'admin'],
  ['net', 'postfix', 'api', 'web', 'config', 'observe'],
  ['version.ts'],
  ['backends.ts'],
  ['house'],
  ['main.ts', 'index.ts'],
  ['processes'],
  ['cli'],
];

const root = join(import.meta.dirname, '..');
const source = join(root, 'src');
const column = new Map(columns.flatMap((rooms, index) => rooms.map((room) => [room, index] as const)));
const arrows = new Map<string, Set<string>>();
const problems: string[] = [];

for (const file of globSync('**/*.ts', { cwd: source })) {
  if (file.includes('/assembly/') || file.endsWith('.test.ts')) continue;
  const room = file.split('/')[0] ?? '';
  const from = column.get(room);
  if (from === undefined) {
    problems.push(`src/${file}: no such room; rooms are listed in scripts/checkImports.ts`);
    continue;
  }
  for (const target of importsOf(join(source, file))) {
    const inside = relative(source, target);
    if (inside.startsWith('..')) {
      problems.push(`src/${file}: imports ${relative(root, target)}, which is outside src/`);
      continue;
    }
    const other = inside.split('/')[0] ?? '';
    if (other === room) continue;
    const to = column.get(other);
    if (to === undefined || to >= from) {
      problems.push(`src/${file}: ${room} may not import ${other} (src/${inside})`);
      continue;
    }
    arrows.set(room, (arrows.get(room) ?? new Set()).add(other));
  }
}

for (const rooms of columns) {
  for (const room of rooms) {
    const targets = arrows.get(room);
    if (targets) console.log(`${room.padEnd(10)} → ${[...targets].sort().join(' ')}`);
  }
}
for (const problem of problems) process.stderr.write(`${problem}\n`);
if (arrows.size === 0) problems.push('no arrows found');
process.exitCode = problems.length > 0 ? 1 : 0;

function importsOf(file: string): string[] {
  const text = readFileSync(file, 'utf8');
  const found = [
    ...text.matchAll(/(?:^|\n)\s*(?:import|export)\s[^;]*?from\s+'(\.[^']*)'|import\(\s*'(\.[^']*)'\s*\)|(?:^|\n)import\s+'(\.[^']*)'/g),
  ];
  return found.map((match) => join(dirname(file), match[1] ?? match[2] ?? match[3] ?? ''));
}
