/** Several that change one directory at the same time share an fsync of it: each waits for one that began after its own change. */
import type { Disk } from '../../os/disk.ts';

interface Under {
  running: Promise<void>;
  /** Begins when `running` is over; for whoever came since that began. */
  next: Promise<void> | undefined;
}

/** A function in the place of `disk.syncDirectory`. */
export function createSharedSync(disk: Disk): (directory: string) => Promise<void> {
  const underWay = new Map<string, Under>();

  function start(directory: string): Promise<void> {
    return disk.syncDirectory(directory).finally(() => {
      const under = underWay.get(directory);
      if (under?.next === undefined) underWay.delete(directory);
      else underWay.set(directory, { running: under.next, next: undefined });
    });
  }

  return (directory) => {
    const under = underWay.get(directory);
    if (under === undefined) {
      const running = start(directory);
      underWay.set(directory, { running, next: undefined });
      return running;
    }
    under.next ??= under.running.then(
      () => start(directory),
      () => start(directory),
    );
    return under.next;
  };
}
