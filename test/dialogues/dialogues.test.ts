import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { answeringWire } from './answeringWire.ts';
import { openMemoryHouse } from './memoryHouse.ts';
import { play } from './player.ts';
import { parse } from './script.ts';
import { socketWires } from './socketWire.ts';

const dialogues = join(import.meta.dirname, 'pop3');
const certificate = mkdtempSync(join(tmpdir(), 'dialogues-'));
after(() => rmSync(certificate, { recursive: true }));

for (const file of readdirSync(dialogues).filter((name) => name.endsWith('.txt'))) {
  const all = parse(readFileSync(join(dialogues, file), 'utf8'));
  describe(`${file}, answered`, () => {
    for (const dialogue of all) {
      test(`${dialogue.line}: ${dialogue.title}`, () => play(dialogue, (stage) => openMemoryHouse(stage, answeringWire)));
    }
  });
  describe(`${file}, over sockets`, () => {
    for (const dialogue of all) {
      test(`${dialogue.line}: ${dialogue.title}`, async (t) => {
        const connect = socketWires(certificate, (close) => t.after(close));
        await play(dialogue, (stage) => openMemoryHouse(stage, connect));
      });
    }
  });
}
