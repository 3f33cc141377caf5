/** The real supervisor, with fronts and workers in which somebody else has a say: `attackFront.ts`, `attackWorker.ts`. Takes the arguments of `serve`. */
import { join } from 'node:path';
import { readSettings } from '../../../src/cli/settings.ts';
import { terminal } from '../../../src/cli/terminal.ts';
import { harden } from '../../../src/os/hardening.ts';
import { createNotifier } from '../../../src/os/notify.ts';
import { supervise } from '../../../src/processes/supervise.ts';

const program = (name: string) => [process.execPath, join(import.meta.dirname, name)] as const;

harden();
process.exit(
  await supervise({
    read: () => readSettings(process.argv.at(-1)),
    programs: { front: program('attackFront.ts'), worker: program('attackWorker.ts') },
    trace: [],
    passed: [],
    notifier: createNotifier(),
    terminal,
    now: Date.now,
  }),
);
