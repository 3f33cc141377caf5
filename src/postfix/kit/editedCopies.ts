/** main.cf and master.cf as postconf(1) would leave them, worked out on copies: what is shown is what is done. */
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SettingChange } from './changes.ts';
import type { Installation } from './installation.ts';
import { output } from './programs.ts';

export interface EditedCopies {
  readonly main: Buffer;
  readonly master: Buffer;
}

export async function editedCopies(
  { configDir }: Pick<Installation, 'configDir'>,
  settings: readonly SettingChange[],
  services: readonly string[],
  options: readonly string[],
): Promise<EditedCopies> {
  const folder = mkdtempSync(join(tmpdir(), 'postkasse-'));
  try {
    for (const name of ['main.cf', 'master.cf']) copyFileSync(join(configDir, name), join(folder, name));
    const postconf = (...args: string[]) => output('postconf', ['-c', folder, ...args]);
    // One by one, as postconf adds several in an order of its own.
    for (const { name, after } of settings) await (after === undefined ? postconf('-X', name) : postconf('-e', `${name} = ${after}`));
    for (const line of services) {
      const [name, type] = line.split(' ');
      await postconf('-M', `${name}/${type}=${line}`);
    }
    for (const option of options) await postconf('-P', option);
    return { main: readFileSync(join(folder, 'main.cf')), master: readFileSync(join(folder, 'master.cf')) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
