/** Children that do as a test wants, in place of fronts and workers. */
import { join } from 'node:path';
import type { Command } from './children.ts';

/** @param hear what it does with each `message`: JavaScript, with `tell`, `lastWords` and `createServer` at hand. It ends when its supervisor does */
export function stub(hear: string): Command {
  const module = `
    import { createServer } from 'node:net';
    import { toSupervisor } from '${join(import.meta.dirname, 'toSupervisor.ts')}';
    const { tell, lastWords } = toSupervisor({ onMessage: hear, onClosed: () => process.exit() });
    function hear(message) { ${hear} }`;
  return [process.execPath, '--input-type=module-typescript', '--eval', module];
}
