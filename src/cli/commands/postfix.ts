import { text } from 'node:stream/consumers';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { parseAddress, parseDomainName } from '../../model/address.ts';
import { disk } from '../../os/disk.ts';
import { EX_NOPERM } from '../../os/exitCodes.ts';
import { applyPlan, ChangedMeanwhile, changedSince, rollBack } from '../../postfix/kit/apply.ts';
import { styles } from '../../postfix/kit/domains.ts';
import { type Extra, extras } from '../../postfix/kit/extras.ts';
import { findings } from '../../postfix/kit/findings.ts';
import { readInstallation } from '../../postfix/kit/inspect.ts';
import { diffOf, isEmpty, type Plan } from '../../postfix/kit/plan.ts';
import { isStyleChoice, type StyleChoice } from '../../postfix/kit/styleFile.ts';
import { openHouse } from '../house.ts';
import { readDomainFiles } from '../kitAccounts.ts';
import { factsOf, gather, type KitOptions, keepingOf, requireRoot } from '../postfixKit.ts';
import { type ConfigOption, settingsFile, settingsOf, withConfig } from '../settings.ts';
import { ExitWith, type Terminal } from '../terminal.ts';

/** Something has to be decided, or put right, by a person. */
const FOUND = 1;

interface Written extends ConfigOption {
  readonly style?: StyleChoice;
  readonly domain?: readonly string[];
  readonly configDir?: string;
  readonly with?: readonly Extra[];
  readonly force?: true;
}

export function postfixCommands(program: Command, terminal: Terminal): void {
  const postfix = program.command('postfix').description('set up Postfix for our domains');

  shared(postfix.command('plan'))
    .description('print what apply would change, as a diff, and change nothing; status 1 when something is in the way')
    .action(async (written: Written) => {
      const { plan } = await gather(settingsOf(written, terminal), kitOptions(written), terminal);
      show(plan, terminal);
      if (obstacles(plan, written, terminal.say).length > 0) throw new ExitWith(FOUND);
    });

  shared(postfix.command('apply'))
    .description('set up Postfix for our domains, and keep what is replaced; as often as there is something new')
    .option('--force', 'replace also files that somebody else has written or changed')
    .action(async (written: Written) => {
      requireRoot(terminal);
      const { plan, keeping } = await gather(settingsOf(written, terminal), kitOptions(written), terminal);
      if (keeping === undefined) return;
      const inTheWay = obstacles(plan, written, terminal.say);
      for (const line of inTheWay) terminal.error(terminal.say('in the way: {detail}', { detail: line }));
      if (inTheWay.length > 0) throw new ExitWith(FOUND);
      if (isEmpty(plan)) {
        if (keeping.latest?.isComplete === false) await keeping.complete();
        return terminal.out(terminal.say('nothing to change'));
      }
      try {
        await applyPlan(disk, plan, keeping, new Date(), terminal.out);
      } catch (error) {
        if (!(error instanceof ChangedMeanwhile)) throw error;
        terminal.error(terminal.say('{path} was changed by somebody else just now; look at the plan again', { path: error.path }));
        throw new ExitWith(FOUND);
      }
    });

  shared(postfix.command('check'))
    .description('find what is wrong with Postfix and what it needs of us, as far as it can be seen; status 1 when there is something')
    .action(async (written: Written) => {
      const settings = settingsOf(written, terminal);
      const gathered = await gather(settings, kitOptions(written), terminal);
      const found = findings(await factsOf(gathered, settings));
      for (const { text: sentence, values } of found) terminal.out(terminal.say(sentence, values));
      if (found.length > 0) throw new ExitWith(FOUND);
      terminal.out(terminal.say('no findings'));
    });

  postfix
    .command('rollback')
    .description('put back what the last apply replaced, byte for byte; again for the one before')
    .option('--config-dir <folder>', 'of main.cf; default: what Postfix says')
    .option('--force', 'also over what somebody has changed since')
    .action(async ({ configDir: folder, force }: Written) => {
      requireRoot(terminal);
      const { configDir } = await readInstallation(folder);
      const keeping = keepingOf(configDir);
      const changed = force || keeping?.latest === undefined ? [] : await changedSince(disk, keeping.latest.files);
      for (const path of changed) terminal.error(terminal.say('{path} was changed since it was written; --force replaces it', { path }));
      if (changed.length > 0) throw new ExitWith(FOUND);
      if (keeping === undefined || !(await rollBack(disk, configDir, keeping, terminal.out)))
        terminal.out(terminal.say('nothing to put back'));
    });

  // What an owner's files hold, said by a process of that owner; root asks and has no business in there.
  withConfig(postfix.command('accounts', { hidden: true })).action(async (options: ConfigOption) => {
    const settings = settingsOf(options, terminal);
    const names = (await text(process.stdin)).split('\n').flatMap((line) => parseDomainName(line) ?? []);
    const about = parseAddress(`postmaster@${names[0]}`);
    if (about === undefined) return;
    const house = await openHouse(settings, about);
    if (process.getuid?.() === 0) throw new ExitWith(EX_NOPERM);
    for (const name of names) terminal.out(JSON.stringify(await readDomainFiles(settings, name, house)));
  });
}

function shared(command: Command): Command {
  return withConfig(command)
    .addOption(
      new Option('--style <style>', `${styles.join(', ')} or none, for the domains of --domain or all that have no other`).argParser(
        (value) => {
          if (!isStyleChoice(value)) throw new InvalidArgumentError(`one of ${[...styles, 'none'].join(', ')}`);
          return value;
        },
      ),
    )
    .addOption(
      new Option('--domain <domain...>', 'whom --style is for').argParser((value: string, before: readonly string[] = []) => {
        const name = parseDomainName(value);
        if (name === undefined) throw new InvalidArgumentError('not a domain name');
        return [...before, name];
      }),
    )
    .addOption(new Option('--with <what...>', 'what else Postfix is to ask us').choices(extras))
    .option('--config-dir <folder>', 'of main.cf; default: what Postfix says');
}

function kitOptions(written: Written): KitOptions {
  return {
    configDir: written.configDir,
    settingsFile: settingsFile(written),
    style: written.style,
    domains: written.domain ?? [],
    extras: written.with ?? [],
  };
}

function show(plan: Plan, { out, say, error }: Terminal): void {
  const { settings, tables } = plan;
  for (const { name, before, after } of settings) {
    out(name);
    out(say('  before: {value}', { value: before ?? say('(not set)') }));
    out(say('  after:  {value}', { value: after ?? say('(not set)') }));
  }
  for (const line of diffOf(plan)) out(line);
  for (const table of tables) out(say('then: {command}', { command: `postmap ${table}` }));
  if (isEmpty(plan)) out(say('nothing to change'));
  for (const line of obstacles(plan, {}, say)) error(say('in the way: {detail}', { detail: line }));
}

/** What keeps the plan from being carried out. */
function obstacles({ conflicts, files }: Plan, { force }: Pick<Written, 'force'>, say: Terminal['say']): string[] {
  const held = force ? [] : files.filter(({ held }) => held !== undefined);
  return [
    ...conflicts.map(({ text: sentence, values }) => say(sentence, values)),
    ...held.map(({ path, held: why }) =>
      say(
        why === 'edited'
          ? '{path} was changed since it was written; --force replaces it'
          : "{path} is somebody else's; --force replaces it",
        { path },
      ),
    ),
  ];
}
