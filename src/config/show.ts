/** Settings for people to read: the effective ones, and the table of all there are. */
import { stringify } from 'smol-toml';
import type { Said } from './problem.ts';
import { dotted, type WrittenSetting } from './reader.ts';
import type { Settings } from './settings.ts';
import { listenTable, type Row, settingsTable, tlsNameTable } from './table.ts';

/** The effective settings as a file that `loadSettings` would accept; each line says where its value comes from, and the first of its kind what it means. */
export function showSettings(settings: Settings): string {
  const lines: string[] = [`# ${settings.file ?? 'no settings file: all defaults'}`];
  const helps = new Map(describeTable().map(({ name, help }) => [name, help]));
  let heading = '';
  for (const entry of settings.written) {
    const table = headingOf(entry);
    const name = table + (entry.path[0] === 'listen' ? String(entry.path[1]) : '');
    if (name !== heading) lines.push('', table);
    heading = name;
    const key = entry.path.at(-1) ?? '';
    const help = helps.get(describedName(entry));
    if (help !== undefined) lines.push(`# ${help}`);
    helps.delete(describedName(entry));
    const origin = entry.line === undefined ? 'default' : `line ${entry.line}`;
    lines.push(`${dotted([key])} = ${tomlValue(entry.value)}  # ${origin}`);
  }
  return `${lines.join('\n')}\n`;
}

function headingOf({ path }: WrittenSetting): string {
  const table = dotted(path.slice(0, -1));
  return path[0] === 'listen' ? `[[${table}]]` : table === '' ? '' : `[${table}]`;
}

/** As `describeTable` names it: whatever the host chose to name stands there as NAME and ADDRESS. */
function describedName({ path }: WrittenSetting): string {
  const [first, second] = path;
  if (first === 'addresses') return 'addresses.ADDRESS';
  if (first === 'tls' && second === 'names') return `tls.names.NAME.${path.at(-1)}`;
  return path.filter((key) => typeof key === 'string').join('.');
}

function tomlValue(value: unknown): string {
  return stringify({ v: value }).slice('v = '.length).trimEnd();
}

export interface DescribedSetting {
  /** As in `tls.names.NAME.key`. */
  readonly name: string;
  readonly allowed: Said;
  /** In TOML; `undefined`: none. */
  readonly default: string | undefined;
  readonly help: string;
}

/** All settings in the order of the manual. */
export function describeTable(): readonly DescribedSetting[] {
  const describe = (prefix: string, rows: Readonly<Record<string, Row>>): DescribedSetting[] =>
    Object.entries(rows).map(([key, { allowed, default: fallback, help }]) => ({
      name: prefix + key,
      allowed,
      default: fallback === undefined ? undefined : tomlValue(fallback),
      help,
    }));
  return [
    ...Object.entries(settingsTable('/')).flatMap(([section, rows]) => describe(section === '' ? '' : `${section}.`, rows)),
    ...describe('tls.names.NAME.', tlsNameTable('/')),
    {
      name: 'addresses.ADDRESS',
      allowed: { text: 'a domain name' },
      default: undefined,
      help: 'IP-based domains: the domain of bare logins that arrive at this local address.',
    },
    ...describe('listen.', listenTable('/')),
  ];
}
