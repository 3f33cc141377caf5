import { setImmediate } from 'node:timers/promises';
import type { Command } from 'commander';
import { loadSettings, type Settings } from '../../config/index.ts';
import { type Address, parseAddress } from '../../model/address.ts';
import { becomeUser } from '../../os/becomeUser.ts';
import { EX_UNAVAILABLE } from '../../os/exitCodes.ts';
import { StartFailure } from '../../os/startFailure.ts';
import { type Bound, bind } from '../../processes/listeners.ts';
import { ExitWith, type Terminal } from '../terminal.ts';
import { findPlot, makeThrowawayHouse, type Plot, welcomeMessage } from '../throwawayHouse.ts';
import { traceOption } from '../trace.ts';

interface TryOptions {
  readonly data: string;
  readonly anyPort: boolean;
  readonly trace: readonly string[];
}

const passwords = new Map([
  ['abc@kvt.dk', 'abcpasswd'],
  ['kvt@kvt.dk', 'kvtpasswd'],
]);

/** The whole house in one process: what `npm start` runs. */
export function tryCommand(program: Command, terminal: Terminal): void {
  program
    .command('try')
    .description('serve a throwaway domain on loopback, to try things out')
    .option('--data <folder>', 'where its files are kept', 'data')
    .option('--any-port', 'take free ports instead of 1110, 1995, 1024 and 1025', false)
    .addOption(traceOption())
    .action(async ({ data, anyPort, trace }: TryOptions) => {
      // Loaded before root is given up: afterwards the program's own folder can be closed to us.
      const { createHouse } = await import('../../main.ts');
      const { loadModules } = await import('../../backends.ts');
      const plot = findPlot(data);
      if (plot.owner !== undefined) {
        await loadModules(plot.owner);
        becomeUser(plot.owner);
      }
      process.umask(0o077);
      const { settingsFile, isNew } = makeThrowawayHouse(plot.folder, { anyPort });
      const settings = settingsIn(settingsFile);
      const bound = await bindOrSayHow(settings, terminal);
      const sockets = new Map(bound.map(({ fds }, index) => [index, fds]));
      const house = await createHouse({ settings, phrasebook: new Map(), trace, sockets, become: undefined, watchesCertificates: true });
      const users = [...passwords.keys()].map((name) => parseAddress(name)).filter((address) => address !== undefined);
      if (isNew) for (const address of users) await house.deliver(address, welcomeMessage(address));
      const newest = 1 + (await house.count(users[0] as Address));
      // From before "ready" on: who reads it may end us at once.
      const ended = new Promise<void>((resolve) => {
        for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => resolve());
      });
      // After what has been logged so far.
      await setImmediate();
      introduce(plot, settings, bound, newest, terminal);
      await ended;
      terminal.error(`\n${terminal.say('ending ...')}`);
      await house.stop(settings.stopGraceS * 1000);
    });
}

function settingsIn(file: string): Settings {
  const { settings, errors } = loadSettings(file);
  if (settings === undefined) throw new Error(errors.map(({ line, text }) => `${file}:${line}: ${text}`).join('\n'));
  return settings;
}

async function bindOrSayHow(settings: Settings, terminal: Terminal): Promise<readonly Bound[]> {
  try {
    return await bind(settings, 1, []);
  } catch (thrown) {
    if (!(thrown instanceof StartFailure) || thrown.exitCode !== EX_UNAVAILABLE) throw thrown;
    terminal.error(`postkasse: ${terminal.say(thrown.text, thrown.values)}`);
    terminal.error(terminal.say('to take ports that are free: {command}', { command: 'npm start -- --any-port' }));
    throw new ExitWith(thrown.exitCode);
  }
}

function introduce({ folder, closedTo }: Plot, settings: Settings, bound: readonly Bound[], newest: number, terminal: Terminal): void {
  const say = terminal.say;
  const at = (protocol: string) => `127.0.0.1:${bound[settings.listen.findIndex((listen) => listen.protocol === protocol)]?.port}`;
  const lines = [
    '',
    say('Postkasse is running. Ctrl-C ends it.'),
    '',
    `  POP3   ${at('pop3')}   ${say('STLS too')}`,
    `  POP3S  ${at('pop3s')}   ${say('with a certificate of its own making')}`,
    `  SMTP   ${at('smtp')}   ${say('takes mail for kvt.dk')}`,
    `  LMTP   ${at('lmtp')}`,
    '',
    ...Array.from(passwords, ([name, password]) => `  ${say('login {name}, password {password}', { name, password })}`),
    '',
    say('Mail and settings are in {folder}', { folder }),
    ...(closedTo === undefined
      ? []
      : [say('(the folder you started it in is closed to the user {user}, who handles mail here)', { user: closedTo })]),
    '',
    say('To send a mail, and to fetch it:'),
    '',
    `  printf 'Subject: hello\\n\\nIt works.\\n' | curl -sS --crlf smtp://${at('smtp')} --mail-from you@example.org --mail-rcpt abc@kvt.dk -T -`,
    `  curl -sS -u abc@kvt.dk:abcpasswd pop3://${at('pop3')}/${newest}`,
    '',
    'ready',
  ];
  for (const line of lines) terminal.out(line);
}
