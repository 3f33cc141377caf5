/** `passwd hash` at a terminal: asks twice, shows nothing of what is typed, and leaves the terminal as it was. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { program } from './support/cli.ts';
import { missing } from './support/programs.ts';

const skip = missing('script', 'bsdutils');

/** Each of `answers` is typed when the next prompt is there. */
async function atTerminal(...answers: readonly string[]): Promise<{ screen: string; status: number | null }> {
  const child = spawn(
    'script',
    ['-qec', `'${program}' passwd hash -s PLAIN; status=$?; stty -a | grep -o ' echo '; exit $status`, '/dev/null'],
    {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, LC_ALL: 'C' },
    },
  );
  const left = [...answers];
  let screen = '';
  child.stdout.on('data', (octets: Buffer) => {
    screen += octets.toString();
    if (screen.endsWith(': ')) child.stdin.write(left.shift() ?? '\u0003');
  });
  const [status] = (await once(child, 'close')) as [number | null];
  return { screen: screen.replaceAll('\r', ''), status };
}

test('the same twice', { skip }, async () => {
  assert.deepEqual(await atTerminal('sex\u007fcret\r', 'secret\r'), {
    screen: 'Password: \nOnce more: \n{PLAIN}secret\n echo \n',
    status: 0,
  });
});

test('not the same, and interrupted', { skip }, async () => {
  assert.deepEqual(await atTerminal('secret\r', 'other\r'), {
    screen: 'Password: \nOnce more: \nthe two passwords differ\n echo \n',
    status: 65,
  });
  assert.deepEqual(await atTerminal('sec\u0003'), { screen: 'Password: \n echo \n', status: 130 });
});
