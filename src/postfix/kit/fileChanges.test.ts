import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type FileChange, type FileKind, fileChange } from './fileChanges.ts';
import { digest } from './files.ts';
import { mark } from './mapFile.ts';

const marked = (text: string) => `${mark}\n${text}\n`;

test('what is written, what is left alone, and what is held back', () => {
  const ours = digest(Buffer.from(marked('a')));
  /** Kind, wanted, there, recorded; then what comes of it: nothing, a change, or one that is held. */
  const table: [FileKind, string | undefined, string | undefined, string | undefined, 'nothing' | FileChange['held'] | 'change'][] = [
    ['map', marked('a'), undefined, undefined, 'change'],
    ['map', marked('a'), marked('a'), undefined, 'nothing'],
    ['map', undefined, undefined, undefined, 'nothing'],
    ['map', marked('b'), marked('a'), ours, 'change'],
    ['map', undefined, marked('a'), ours, 'change'],
    ['map', marked('b'), marked('c'), ours, 'edited'],
    ['map', marked('b'), marked('a'), undefined, 'edited'],
    ['map', marked('b'), 'theirs\n', undefined, 'foreign'],
    // Who may not know what we wrote takes our mark for it.
    ['map', marked('b'), marked('c'), 'unknown', 'change'],
    ['map', marked('b'), 'theirs\n', 'unknown', 'foreign'],
    // The administrator's own files are changed, not replaced.
    ['settings', 'new = x\n', 'old = x\n', undefined, 'change'],
    ['styles', '* lmtp\n', '* jth\n', undefined, 'change'],
    // A .forward file that says the same is as good, and the predecessor's is what ours comes instead of.
    ['forward', marked('|"exit 67"'), '"|exit 67"\n', undefined, 'nothing'],
    ['forward', marked('"|/usr/bin/postkasse deliver"'), '|/usr/local/bin/virtual\n', undefined, 'change'],
    ['forward', marked('"|/usr/bin/postkasse deliver"'), '|/usr/local/bin/virtual -x\n', undefined, 'foreign'],
    ['map', marked('x'), '|/usr/local/bin/virtual\n', undefined, 'foreign'],
  ];
  for (const [kind, wanted, there, recorded, expected] of table) {
    const text = wanted === undefined ? undefined : Buffer.from(wanted);
    const before = there === undefined ? undefined : { octets: Buffer.from(there), uid: 0, gid: 0, mode: 0o644 };
    const change = fileChange({ path: '/x', kind, text }, before, recorded);
    assert.equal(change === undefined ? 'nothing' : (change.held ?? 'change'), expected, JSON.stringify([kind, wanted, there, recorded]));
  }
});
