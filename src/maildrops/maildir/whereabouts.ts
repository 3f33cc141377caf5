/** Finding a message's file again after another program renamed it: from new/ to cur/, with other flags, with sizes in its name. */
import type { Disk } from '../../os/disk.ts';
import { type Entry, entriesOf } from './entries.ts';
import { readFolders } from './folders.ts';
import type { MaildirMessage } from './message.ts';

const unread: ReadonlyMap<string, Entry> = new Map();

/** For one command of one session: what it read is not kept. */
export class Whereabouts {
  readonly #disk: Disk;
  readonly #path: string;
  readonly #now: () => number;
  #entries = unread;
  #readings = 0;

  constructor(disk: Disk, path: string, now: () => number) {
    this.#disk = disk;
    this.#path = path;
    this.#now = now;
  }

  /**
   * Calls `use` with the path of the message's file until that doesn't fail for want of the file.
   * @returns `undefined` when the file is gone. @throws whatever else `use` throws
   */
  follow<T>(message: MaildirMessage, use: (file: string) => T | 'no such file'): T | undefined {
    // Each round somebody must have renamed it once more; who does that without end is no mail program.
    for (let round = 0; round < 5; round++) {
      const result = use(`${this.#path}/${message.file}`);
      if (result !== 'no such file') return result;
      if (!this.#find(message)) return undefined;
    }
    return undefined;
  }

  /** True when it has another name than it had. */
  #find(message: MaildirMessage): boolean {
    const had = message.file;
    for (;;) {
      const entry = this.#entries.get(message.uniqueId);
      if (entry !== undefined && (entry.name !== message.name || entry.isNew !== message.isNew)) {
        message.name = entry.name;
        message.isNew = entry.isNew;
        return message.file !== had;
      }
      // A name that changes during a reading can be missed once; one that two readings don't have is gone.
      if (entry === undefined && this.#readings >= 2) return false;
      if (entry !== undefined && this.#readings >= 20) return false;
      this.#read();
    }
  }

  #read(): void {
    this.#readings += 1;
    const entries = entriesOf(this.#disk, this.#path, readFolders(this.#disk, this.#path, this.#now));
    this.#entries = new Map(entries.map((entry) => [entry.uniqueId, entry]));
  }
}
