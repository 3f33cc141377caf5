import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SecretLine } from './terminal.ts';

/** What was typed, up to the octet that ended it. */
function typed(keys: boolean, text: string): [string | undefined, string] {
  const line = new SecretLine(keys);
  let state = 'typing';
  for (const octet of Buffer.from(text)) if (state === 'typing') state = line.type(octet);
  return [line.octets?.toString(), state];
}

test('a secret at a keyboard: keys that correct or end it', () => {
  const table: [string, [string | undefined, string]][] = [
    ['secret\r', ['secret', 'done']],
    ['secret\n', ['secret', 'done']],
    ['sex\u007fcret\r', ['secret', 'done']],
    ['sæ\u007f\u007f\u007f\u007fø\b\r', ['', 'done']],
    ['wrong\u0015right\r', ['right', 'done']],
    ['abc\u0003', ['abc', 'interrupted']],
    ['abc\u0004', ['abc', 'done']],
    ['\u0004', [undefined, 'done']],
    ['\r', ['', 'done']],
  ];
  for (const [keys, expected] of table) assert.deepEqual(typed(true, keys), expected, JSON.stringify(keys));
});

test('a secret from a file: its first line, whatever octets it has', () => {
  const table: [string, [string | undefined, string]][] = [
    ['secret\nmore', ['secret', 'done']],
    ['secret\r\n', ['secret', 'done']],
    ['se\rcret', ['se\rcret', 'typing']],
    ['\u0003\u0004\u007f\u0015\n', ['\u0003\u0004\u007f\u0015', 'done']],
    ['\n', ['', 'done']],
    ['', [undefined, 'typing']],
  ];
  for (const [octets, expected] of table) assert.deepEqual(typed(false, octets), expected, JSON.stringify(octets));
});
