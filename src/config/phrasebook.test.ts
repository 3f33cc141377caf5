import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createSpeaker } from '../texts/speaker.ts';
import { loadPhrasebook, parsePhrases } from './phrasebook.ts';
import { formatProblem } from './problem.ts';

test('a file in texts/ beside the settings is a language more', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'phrasebook-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const settings = join(folder, 'postkasse.toml');
  assert.equal(loadPhrasebook(settings).phrasebook?.size, 0);
  mkdirSync(join(folder, 'texts'));
  writeFileSync(join(folder, 'texts', 'sv.toml'), 'name = "Svenska"\n[texts]\n"internal error" = "internt fel"\n');
  const { phrasebook } = loadPhrasebook(settings);
  const speaker = createSpeaker(phrasebook);
  assert.equal(speaker.say('internal error', {}, 'sv'), 'internt fel');
  assert.deepEqual(speaker.languages.at(-1), { tag: 'sv', name: 'Svenska' });
  writeFileSync(join(folder, 'texts', 'no such.toml'), '');
  writeFileSync(join(folder, 'texts', 'fi.toml'), 'name = 1\n');
  assert.deepEqual(
    loadPhrasebook(settings).errors?.map((problem) => formatProblem(problem)),
    [
      `${folder}/texts/fi.toml:1: name cannot be 1; allowed: one line of text`,
      `${folder}/texts/no such.toml:1: the name of a file of texts must be a language tag`,
    ],
  );
});

test('texts that are not in the catalogue, and translations that do not fit', () => {
  const file =
    'name = "Svenska"\n[texts]\n"internl error" = "x"\n"something else altogether" = "y"\n"internal error" = "{oops}"\n"true or false" = 5\n';
  assert.deepEqual(
    parsePhrases('/x/texts/sv.toml', Buffer.from(file)).errors?.map((problem) => formatProblem(problem)),
    [
      '/x/texts/sv.toml:3: there is no text "internl error"; did you mean "internal error"?',
      '/x/texts/sv.toml:4: there is no text "something else altogether"',
      '/x/texts/sv.toml:5: the translation has {oops}, which the text does not have',
      '/x/texts/sv.toml:6: texts."true or false" cannot be 5; allowed: one line of text',
    ],
  );
});
