/**
 * What was there before: for each apply a generation of files, byte for byte with owner and mode, in a folder that only root can open.
 * The list of them is written before the first file is changed, so that after a crash everything can still be put back.
 */
import fs from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { Fault } from '../../model/fault.ts';
import { replaceFile } from '../../os/atomicFile.ts';
import type { Disk } from '../../os/disk.ts';
import type { FileChange, FileKind } from './fileChanges.ts';
import { digest, makeFolder, readState } from './files.ts';
import { ownPath } from './needs.ts';

const ownership = { uid: z.number().int(), gid: z.number().int() };
const keptFile = z.object({
  path: z.string(),
  kind: z.enum(['settings', 'styles', 'map', 'forward'] satisfies FileKind[]),
  owner: z.object({ ...ownership, name: z.string().optional() }).optional(),
  table: z.string().optional(),
  /** `null`: it wasn't there. */
  before: z.object({ ...ownership, mode: z.number().int(), digest: z.string(), copy: z.string().regex(/^[0-9]+-[0-9]+$/) }).nullable(),
  /** Digest of what we wrote; `null`: we removed it. */
  after: z.string().nullable(),
});
const manifest = z.object({
  version: z.literal(1),
  generations: z.array(z.object({ number: z.number().int(), at: z.string(), isComplete: z.boolean(), files: z.array(keptFile) })),
});

export type KeptFile = z.infer<typeof keptFile>;
export type Manifest = z.infer<typeof manifest>;
export type Generation = Manifest['generations'][number];

const { O_WRONLY, O_CREAT, O_TRUNC } = fs.constants;

export class Keeping {
  readonly #disk: Disk;
  readonly folder: string;
  #manifest: Manifest;

  /** @throws Fault where the list can't be understood; EACCES for who isn't root */
  constructor(disk: Disk, configDir: string) {
    this.#disk = disk;
    this.folder = ownPath(configDir, 'kept');
    this.#manifest = this.#read();
  }

  get latest(): Generation | undefined {
    return this.#manifest.generations.at(-1);
  }

  /** Every file that we wrote and that is still ours, by its path. */
  get recorded(): ReadonlyMap<string, KeptFile> {
    return new Map(this.#manifest.generations.flatMap(({ files }) => files.map((file) => [file.path, file] as const)));
  }

  /**
   * Keeps what is about to be replaced. Where nothing but files of our own is, the generation before goes on: what it replaced is what a
   * person would want back.
   */
  async keep(changes: readonly FileChange[], at: Date): Promise<void> {
    const { latest } = this;
    const goesOn = latest !== undefined && (!latest.isComplete || changes.every((change) => isOwn(change, this.recorded)));
    const number = goesOn ? latest.number : (latest?.number ?? 0) + 1;
    const known = new Map((goesOn ? latest.files : []).map((file) => [file.path, file]));
    this.#makeFolder();
    let copies = Math.max(0, ...[...known.values()].map(({ before }) => Number(before?.copy.split('-')[1] ?? 0)));
    for (const change of changes) {
      const { path, kind, owner, table, before, text } = change;
      const earlier = known.get(path);
      const isSame = earlier !== undefined && (latest?.isComplete === true || isWritten(earlier, before?.octets));
      const copy = `${number}-${++copies}`;
      if (!isSame && before !== undefined) await this.#write(copy, before.octets);
      const kept = before && { uid: before.uid, gid: before.gid, mode: before.mode, digest: digest(before.octets), copy };
      known.set(path, {
        path,
        kind,
        ...(owner && { owner: { uid: owner.uid, gid: owner.gid, ...(owner.name !== undefined && { name: owner.name }) } }),
        ...(table !== undefined && { table }),
        before: isSame ? earlier.before : (kept ?? null),
        after: text === undefined ? null : digest(text),
      });
    }
    const generation = { number, at: goesOn ? latest.at : at.toISOString(), isComplete: false, files: [...known.values()] };
    await this.#save({ version: 1, generations: [...this.#manifest.generations.filter((one) => one.number !== number), generation] });
  }

  /** Everything of the last generation is written. */
  async complete(): Promise<void> {
    const generations = this.#manifest.generations.map((one) => (one === this.latest ? { ...one, isComplete: true } : one));
    await this.#save({ version: 1, generations });
  }

  /** @throws Fault where the copy isn't what was kept */
  copyOf({ path, before }: KeptFile): Buffer {
    const state = before === null ? undefined : readState(this.#disk, join(this.folder, before.copy));
    if (state === undefined || digest(state.octets) !== before?.digest)
      throw new Fault('permanent', 'what was kept of {path} is damaged', { values: { path } });
    return state.octets;
  }

  /** What it kept is back in its place. */
  async forget(generation: Generation): Promise<void> {
    const generations = this.#manifest.generations.filter((one) => one !== generation);
    if (generations.length > 0) await this.#save({ version: 1, generations });
    else this.#disk.unlink(this.#path);
    this.#manifest = { version: 1, generations };
    this.#tidy(generation.number);
  }

  /** Nothing is kept: takes away what a crash has left. */
  clear(): void {
    if (this.latest === undefined && this.#disk.stat(this.folder) !== undefined) this.#tidy(0);
  }

  /** Removes copies that the list doesn't speak of any more, and with the last of them the folder. */
  #tidy(number: number): void {
    const isLast = this.latest === undefined;
    for (const name of this.#disk.readdir(this.folder)) {
      if (isLast || name.startsWith(`${number}-`)) this.#disk.unlink(join(this.folder, name));
    }
    if (isLast) this.#disk.rmdir(this.folder);
  }

  get #path(): string {
    return join(this.folder, 'manifest.json');
  }

  #read(): Manifest {
    const state = readState(this.#disk, this.#path);
    if (state === undefined) return { version: 1, generations: [] };
    try {
      return manifest.parse(JSON.parse(state.octets.toString('utf8')));
    } catch (cause) {
      throw new Fault('permanent', '{path} can not be understood', { values: { path: this.#path }, cause });
    }
  }

  #makeFolder(): void {
    makeFolder(this.#disk, dirname(this.folder), 0o755);
    makeFolder(this.#disk, this.folder, 0o700);
  }

  /** Under its name at once: nothing speaks of it before the list does, and an older one of that name is not spoken of any more. */
  async #write(name: string, octets: Buffer): Promise<void> {
    const fd = this.#disk.open(join(this.folder, name), O_WRONLY | O_CREAT | O_TRUNC, 0o600);
    try {
      this.#disk.write(fd, octets);
      await this.#disk.sync(fd);
    } finally {
      this.#disk.close(fd);
    }
    await this.#disk.syncDirectory(this.folder);
  }

  async #save(next: Manifest): Promise<void> {
    await replaceFile(this.#disk, this.#path, Buffer.from(`${JSON.stringify(next, undefined, 1)}\n`), 0o600);
    this.#manifest = next;
  }
}

function isOwn({ path, kind }: FileChange, recorded: ReadonlyMap<string, KeptFile>): boolean {
  return kind === 'map' && recorded.has(path);
}

/** What is there is what was kept, or what was to be written. */
function isWritten({ before, after }: KeptFile, octets: Buffer | undefined): boolean {
  const now = octets === undefined ? undefined : digest(octets);
  return now === before?.digest || now === (after ?? undefined);
}
