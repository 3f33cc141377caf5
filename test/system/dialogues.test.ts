/** The dialogues of test/dialogues once more, with the real program on real mailboxes: over TLS, and over loopback where they say so. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { play } from '../dialogues/player.ts';
import { type Dialogue, parse } from '../dialogues/script.ts';
import { formats } from './support/clientHouse.ts';
import { needsRoot } from './support/owners.ts';
import { openRealHouse, type RealHouse } from './support/realHouse.ts';

const folder = join(import.meta.dirname, '..', 'dialogues', 'pop3');

/** What takes another house: other settings, a clock that can be set, unique-ids of the store in memory. */
const elsewhere =
  /^(expire|login delay|limits differ|hashed passwords|timestamp|\d+ (s|days) pass|the disc is full|over plaintext without certificate)|^C: (UIDL|UTF8 USER)|^S: IMPLEMENTATION/;
/** What is said differently over TLS. */
const aboutTheConnection = /^over |^C: (CAPA|STLS|AUTH)\b/i;

function says(dialogue: Dialogue, pattern: RegExp): boolean {
  return dialogue.steps.some(({ text }) => pattern.test(text));
}

for (const [format, owners] of [...formats.map((format) => [format, 'one'] as const), ['mbox', 'many'] as const]) {
  const skip = owners === 'many' && needsRoot;
  describe(`dialogues on ${format}${owners === 'many' ? ', by way of the process of its owner' : ''}`, { skip }, () => {
    let house: RealHouse;
    before(async () => {
      if (!skip) house = await openRealHouse(format, owners);
    });
    after(() => house?.close());

    for (const file of readdirSync(folder).filter((name) => name.endsWith('.txt'))) {
      for (const dialogue of parse(readFileSync(join(folder, file), 'utf8'))) {
        if (says(dialogue, elsewhere)) continue;
        const network = says(dialogue, aboutTheConnection) ? 'a trusted network' : 'TLS';
        test(`${file}:${dialogue.line}: ${dialogue.title}`, { timeout: 30_000 }, () => play(dialogue, () => house.forDialogue(network)));
      }
    }
  });
}
