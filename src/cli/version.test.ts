import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { version } from '../version.ts';
import { versionText } from './version.ts';

test('--version shows the version of package.json and the newest changes', () => {
  const changes = readFileSync(join(import.meta.dirname, '..', '..', 'CHANGELOG.md'), 'utf8');
  const sections = changes.split(/\n(?=## )/);
  assert.equal(versionText(), `postkasse ${version}\n\n${sections[1]?.trim()}`);
  assert.match(sections[1] ?? '', new RegExp(`^## ${version.replaceAll('.', '\\.')} \\(`));
});
