import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { version } from '../version.ts';

/** The version and the newest section of CHANGELOG.md. */
export function versionText(): string {
  const changes = readFileSync(join(import.meta.dirname, '..', '..', 'CHANGELOG.md'), 'utf8');
  const newest = changes.split(/\n(?=## )/)[1]?.trim() ?? '';
  return `postkasse ${version}\n\n${newest}`;
}
