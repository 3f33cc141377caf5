import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Of package.json, read once at the start. */
export const version: string = (JSON.parse(readFileSync(join(import.meta.dirname, '..', 'package.json'), 'utf8')) as { version: string })
  .version;

/** For CAPA's IMPLEMENTATION, RFC 2449 section 6.9: no blanks needed, and no more than who cares should know. */
export const implementation = `Postkasse-${version}`;
