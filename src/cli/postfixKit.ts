/** What `postkasse postfix` goes by, gathered: the settings, the domains and the Postfix. */
import { join, resolve } from 'node:path';
import type { ListenAddress, Settings } from '../config/index.ts';
import { Fault } from '../model/fault.ts';
import { disk } from '../os/disk.ts';
import { EX_CONFIG, EX_NOPERM, EX_NOUSER, EX_USAGE } from '../os/exitCodes.ts';
import { needsOf } from '../postfix/kit/allNeeds.ts';
import { type Endpoint, type KitDomain, type Listeners, styles } from '../postfix/kit/domains.ts';
import type { Extra } from '../postfix/kit/extras.ts';
import { fileFacts, socketFacts, tableFacts } from '../postfix/kit/facts.ts';
import { readState } from '../postfix/kit/files.ts';
import type { Facts } from '../postfix/kit/findings.ts';
import { readExisting, readInstallation } from '../postfix/kit/inspect.ts';
import { Keeping } from '../postfix/kit/keeping.ts';
import { chooseMapTypes } from '../postfix/kit/mapTypes.ts';
import { type Needs, ownPath } from '../postfix/kit/needs.ts';
import { makePlan, type Plan } from '../postfix/kit/plan.ts';
import type { Question } from '../postfix/kit/question.ts';
import { chosen, noChoices, parseStyles, renderStyles, type StyleChoice, type StyleChoices, styleOf } from '../postfix/kit/styleFile.ts';
import { type FoundDomains, findDomains } from './kitAccounts.ts';
import { standardFile } from './settings.ts';
import { ExitWith, type Terminal } from './terminal.ts';

export interface KitOptions {
  readonly configDir: string | undefined;
  readonly settingsFile: string | undefined;
  readonly style: StyleChoice | undefined;
  readonly domains: readonly string[];
  readonly extras: readonly Extra[];
}

export interface Gathered {
  readonly question: Question;
  readonly needs: Needs;
  readonly plan: Plan;
  /** `undefined`: only root may know. */
  readonly keeping: Keeping | undefined;
}

/** @throws Fault, ExitWith */
export async function gather(settings: Settings, options: KitOptions, terminal: Terminal): Promise<Gathered> {
  const installation = await readInstallation(options.configDir);
  const types = chooseMapTypes(installation);
  if (types === undefined) throw new Fault('permanent', 'this Postfix has no type of look-up table that can be written');
  const choices = chosen(readStyles(installation.configDir, terminal), options.style, options.domains);
  const found = await findDomains(settings, options.settingsFile);
  complain(found, options, terminal);
  const domains = found.domains.flatMap((domain): KitDomain[] => {
    const style = styleOf(choices, domain.name);
    return style === 'none' ? [] : [{ ...domain, style }];
  });
  const keeping = keepingOf(installation.configDir);
  if (domains.length === 0 && (keeping?.recorded.size ?? 0) === 0)
    end(terminal.say('no domain has a style: say one with --style {styles}', { styles: styles.join('|') }), EX_USAGE);
  const listeners = listenersOf(settings);
  const question: Question = {
    installation,
    types,
    domains,
    listeners,
    existing: await readExisting(installation, domains),
    recipientDelimiter: settings.delivery.recipientDelimiter,
    homeMailbox: settings.mailboxes.home,
    deliverCommand: deliverCommand(options.settingsFile, listeners),
  };
  const needs = needsOf(question, options.extras);
  return { question, needs, keeping, plan: await makePlan(disk, installation, needs, renderStyles(choices), keeping) };

  function end(line: string, status: number): never {
    terminal.error(`postkasse: ${line}`);
    throw new ExitWith(status);
  }
}

/** For `findings`. */
export async function factsOf({ question, plan, needs }: Gathered, settings: Settings): Promise<Facts> {
  const { files, tables, conflicts } = plan;
  return {
    question,
    changes: files.length,
    held: files.flatMap(({ path, held }) => (held === undefined ? [] : [{ path, why: held }])),
    conflicts,
    sockets: await socketFacts(question),
    files: await fileFacts(
      disk,
      question,
      needs.forwards.map(({ path }) => path),
    ),
    tables: tableFacts(disk, question.installation).filter(({ table }) => files.length === 0 || !tables.includes(table)),
    maxMessageOctets: settings.delivery.maxMessageOctets,
  };
}

/** Only root can put things back, or change them. */
export function requireRoot(terminal: Terminal): void {
  if (process.geteuid?.() === 0) return;
  terminal.error(`postkasse: ${terminal.say('only root can do this')}`);
  throw new ExitWith(EX_NOPERM);
}

/** `undefined`: what was kept is root's. */
export function keepingOf(configDir: string): Keeping | undefined {
  return process.geteuid?.() === 0 ? new Keeping(disk, configDir) : undefined;
}

function readStyles(configDir: string, terminal: Terminal): StyleChoices {
  const path = ownPath(configDir, 'styles');
  const state = readState(disk, path);
  if (state === undefined) return noChoices;
  const parsed = parseStyles(state.octets.toString('utf8'));
  if (typeof parsed !== 'number') return parsed;
  terminal.error(`postkasse: ${terminal.say('{path}: line {line} makes no sense', { path, line: parsed })}`);
  throw new ExitWith(EX_CONFIG);
}

function complain({ domains, failed }: FoundDomains, { domains: wanted }: KitOptions, terminal: Terminal): void {
  for (const { name, detail } of failed)
    terminal.error(terminal.say('the domain {domain} is left out: {detail}', { domain: name, detail }));
  for (const { problems } of domains)
    for (const { account, detail } of problems)
      terminal.error(terminal.say('the account {account} is left out: {detail}', { account, detail }));
  const missing = wanted.find((name) => !domains.some((domain) => domain.name === name));
  if (missing === undefined) return;
  terminal.error(`postkasse: ${terminal.say('there is no domain {domain}', { domain: missing })}`);
  throw new ExitWith(EX_NOUSER);
}

function listenersOf({ listen }: Settings): Listeners {
  const of = (wanted: string): Endpoint | undefined => {
    const found = listen.filter(({ protocol }) => (protocol as string) === wanted);
    // A Unix socket before a port, which any user of the host could connect to.
    const listener = found.find(({ address }) => address.kind === 'unix') ?? found[0];
    return listener && endpoint(listener.address);
  };
  return { lmtp: of('lmtp'), socketmap: of('socketmap'), policy: of('policy'), sasl: of('sasl') };
}

function endpoint(address: ListenAddress): Endpoint {
  return address.kind === 'unix' ? { kind: 'unix', path: address.path } : { kind: 'tcp', host: address.host, port: address.port };
}

/** Where the agent looks for the server unless it is told. */
const usualSocket = '/run/postkasse/lmtp';

/** Nothing in it is anything to a shell, or to the quotes that it stands in. */
function deliverCommand(file: string | undefined, { lmtp }: Listeners): string {
  const program = join(import.meta.dirname, '..', '..', 'bin', 'postkasse');
  const socket =
    lmtp === undefined || (lmtp.kind === 'unix' && lmtp.path === usualSocket)
      ? []
      : ['--socket', lmtp.kind === 'unix' ? lmtp.path : `${lmtp.host}:${lmtp.port}`];
  const config = file === undefined || resolve(file) === standardFile ? [] : ['--config', resolve(file)];
  return [program, 'deliver', ...socket, ...config].join(' ');
}
