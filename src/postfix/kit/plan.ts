/** All that would be changed, as it would be: to be shown, and to be done. Looks, and changes nothing. */
import { join } from 'node:path';
import type { Disk } from '../../os/disk.ts';
import { optionChanges, type SettingChange, serviceChanges, settingChanges } from './changes.ts';
import { unifiedDiff } from './diff.ts';
import { editedCopies } from './editedCopies.ts';
import { type FileChange, fileChange, type WantedFile } from './fileChanges.ts';
import { asOwner, type FileState, readState } from './files.ts';
import type { Installation } from './installation.ts';
import type { Keeping, KeptFile } from './keeping.ts';
import { compiledEndings } from './mapTypes.ts';
import { type Needs, ownMap, ownPath, type Said } from './needs.ts';

export interface Plan {
  readonly installation: Installation;
  readonly settings: readonly SettingChange[];
  /** In the order in which they are written: main.cf names what is there by then, and what it doesn't name any more goes last. */
  readonly files: readonly FileChange[];
  /** Tables, `type:path`, that postmap(1) has to be run on, once the files are there. */
  readonly tables: readonly string[];
  readonly conflicts: readonly Said[];
}

export function isEmpty({ files, tables }: Plan): boolean {
  return files.length === 0 && tables.length === 0;
}

/**
 * @param keeping what was written before; `undefined`: nobody may know
 * @param styles what the file of styles is to hold
 */
export async function makePlan(
  disk: Disk,
  installation: Installation,
  needs: Needs,
  styles: string,
  keeping: Pick<Keeping, 'recorded'> | undefined,
): Promise<Plan> {
  const { configDir } = installation;
  const recorded = keeping?.recorded ?? new Map<string, KeptFile>();
  const settings = settingChanges(installation, needs);
  const services = serviceChanges(installation, needs);
  const copies = await editedCopies(installation, settings, services, optionChanges(installation, needs));
  const written: WantedFile[] = [
    { path: ownPath(configDir, 'styles'), kind: 'styles', text: Buffer.from(styles) },
    ...needs.maps.map(
      (map): WantedFile => ({
        path: ownPath(configDir, map.name),
        kind: 'map',
        text: Buffer.from(map.text),
        table: compiledEndings(map.type).length > 0 ? ownMap(configDir, map) : undefined,
      }),
    ),
    ...needs.forwards.map(({ path, text, owner }): WantedFile => ({ path, kind: 'forward', text: Buffer.from(text), owner })),
    // A service before the settings that name it.
    { path: disk.realpath(join(configDir, 'master.cf')), kind: 'settings', text: copies.master },
    { path: disk.realpath(join(configDir, 'main.cf')), kind: 'settings', text: copies.main },
  ];
  const wanted = new Set(written.map(({ path }) => path));
  const gone = [...recorded.values()]
    .filter(({ path, kind, after }) => after !== null && !wanted.has(path) && (kind === 'map' || kind === 'forward'))
    .map(
      ({ path, kind, owner, table }): WantedFile => ({ path, kind, text: undefined, owner: owner && { name: undefined, ...owner }, table }),
    );

  const files: FileChange[] = [];
  for (const file of [...written, ...gone]) {
    const change = fileChange(
      file,
      await stateOf(disk, file),
      keeping === undefined ? 'unknown' : (recorded.get(file.path)?.after ?? undefined),
    );
    if (change !== undefined) files.push(change);
  }
  const changed = new Set(files.map(({ path }) => path));
  const tables = needs.maps
    .filter((map) => isStale(disk, ownPath(configDir, map.name), compiledEndings(map.type), changed))
    .map((map) => ownMap(configDir, map));
  return { installation, settings, files, tables, conflicts: needs.conflicts };
}

export async function stateOf(disk: Disk, { path, owner }: Pick<WantedFile, 'path' | 'owner'>): Promise<FileState | undefined> {
  return await asOwner(owner, () => readState(disk, path));
}

/** What postmap(1) made of it is missing, older than it, or about to be. */
function isStale(disk: Disk, path: string, endings: readonly string[], changed: ReadonlySet<string>): boolean {
  if (endings.length === 0) return false;
  if (changed.has(path)) return true;
  const source = disk.stat(path);
  return endings.some((ending) => {
    const made = disk.stat(`${path}${ending}`);
    return made === undefined || source === undefined || made.mtimeNs < source.mtimeNs;
  });
}

/** What there is to see of it, without remarks in anybody's language. */
export function diffOf({ files }: Plan): string[] {
  return files.flatMap(({ path, before, text }) => unifiedDiff(path, before?.octets.toString('utf8'), text?.toString('utf8')));
}
