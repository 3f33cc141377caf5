/** Other programs append while sessions read and delete and we deliver: each message is seen once, by its subject and by its unique-id. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { text } from '../support/mail.ts';
import { whole } from '../support/mailOctets.ts';
import { MboxBench } from '../support/mboxBench.ts';

const COUNT = 60;
const script = join(import.meta.dirname, 'support/mboxWriter.py');
const skip = spawnSync('python3', ['-c', 'import fcntl']).status !== 0 && 'needs python3';

for (const writers of [
  ['both', 'both'],
  ['both', 'fcntl'],
  ['fcntl', 'fcntl'],
]) {
  test(`${writers.join(' and ')} beside our own deliveries and sessions: nothing is lost, nothing comes twice`, { skip }, async (t) => {
    const bench = new MboxBench(t, '');
    const backend = bench.backend({ lockTimeoutMs: 20_000 });
    const seen: string[] = [];
    const ids: string[] = [];

    const children = writers.map(async (how, n) => {
      const [status] = await once(spawn('python3', [script, bench.path, how, String(COUNT), `writer ${n}`], { stdio: 'inherit' }), 'exit');
      assert.equal(status, 0);
    });
    const own = (async () => {
      for (let n = 0; n < COUNT; n++) await bench.deliver(backend, text(`own ${n}`));
    })();
    let writing = true;
    const allWritten = Promise.all([...children, own]).finally(() => {
      writing = false;
    });

    /** Some of the messages are fetched and deleted, as different clients would. */
    const session = async (share: number): Promise<number> => {
      await using maildrop = await bench.open(backend);
      const chosen = maildrop.messages.filter((_, n) => n % share === share - 1);
      for (const message of chosen) {
        const octets = (await whole(maildrop.retrieve(message))).toString();
        seen.push(/^Subject: (.*)\r?$/m.exec(octets)?.[1] ?? octets);
        ids.push(message.uniqueId);
      }
      await maildrop.update(new Set(chosen), new Set());
      return maildrop.messages.length;
    };

    for (let n = 0; writing; n++) {
      await session(1 + (n % 3));
      // A session on an unchanged mailbox waits for nothing: without this nobody else would get a turn.
      await nextTurn();
    }
    await allWritten;
    // What came late to a file that had been replaced is carried over by now, or when the next session begins.
    while ((await session(1)) > 0);
    const expected = ['own', ...writers.map((_, n) => `writer ${n}`)].flatMap((name) =>
      Array.from({ length: COUNT }, (_, n) => `${name} ${n}`),
    );
    assert.deepEqual(seen.sort(), expected.sort());
    assert.equal(new Set(ids).size, ids.length);
  });
}
