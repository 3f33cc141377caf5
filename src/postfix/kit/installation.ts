/** A Postfix as it is found: what `postconf` tells of it. Plain data, from which everything else here is worked out. */

/** `3.7.11` as numbers. */
export type Version = readonly [major: number, minor: number, patch: number];

/** A line of master.cf. */
export interface Service {
  readonly name: string;
  readonly type: string;
  /** Seen from inside the queue directory only. What `-` stands for is decided already. */
  readonly chroot: boolean;
  readonly command: string;
  /** Options behind the command, as one text. */
  readonly options: string;
}

export interface Installation {
  /** Where main.cf is. */
  readonly configDir: string;
  readonly queueDir: string;
  readonly version: Version;
  /** Types of look-up tables: `postconf -m`. */
  readonly mapTypes: ReadonlySet<string>;
  /** What main.cf sets, as it is written, continued lines joined. */
  readonly written: ReadonlyMap<string, string>;
  /** What Postfix would use if main.cf were empty, as it is written. */
  readonly defaults: ReadonlyMap<string, string>;
  /** What Postfix uses, with `$name` filled in. */
  readonly effective: ReadonlyMap<string, string>;
  readonly services: readonly Service[];
}

/** `undefined`: not a version. */
export function parseVersion(text: string): Version | undefined {
  const [, major, minor, patch] = /^(\d+)\.(\d+)(?:\.(\d+))?/.exec(text.trim()) ?? [];
  return major === undefined || minor === undefined ? undefined : [Number(major), Number(minor), Number(patch ?? 0)];
}

export function isOlder(one: Version, other: Version): boolean {
  for (const [at, number] of other.entries()) {
    const difference = (one[at] ?? 0) - number;
    if (difference !== 0) return difference < 0;
  }
  return false;
}

/** Editing main.cf and master.cf by `postconf -e`, `-X` and `-M` as we do it, and socketmap (2.10). */
export const oldestVersion: Version = [2, 11, 0];

/** `name = value` lines as postconf prints them. */
export function parseSettings(text: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [, name, value] = /^(\S+) =\s*(.*)$/.exec(line) ?? [];
    if (name !== undefined && value !== undefined) found.set(name, value.trimEnd());
  }
  return found;
}

/**
 * Lines as `postconf -M` prints them, options behind their service.
 * @param chrootByDefault what `-` stands for: yes before Postfix 3.0, or where compatibility_level is 0
 */
export function parseServices(text: string, chrootByDefault: boolean): Service[] {
  const services: Service[] = [];
  for (const line of text.split('\n')) {
    if (/^\s/.test(line)) {
      const last = services.pop();
      if (last !== undefined) services.push({ ...last, options: `${last.options} ${line.trim()}`.trim() });
      continue;
    }
    const [name, type, , , chroot, , , command, ...options] = line.trim().split(/\s+/);
    if (name === undefined || type === undefined || command === undefined || name.startsWith('#')) continue;
    services.push({ name, type, chroot: chroot === '-' ? chrootByDefault : chroot === 'y', command, options: options.join(' ') });
  }
  return services;
}

export function chrootByDefault(version: Version, compatibilityLevel: string | undefined): boolean {
  return isOlder(version, [3, 0, 0]) || compatibilityLevel === undefined || compatibilityLevel.trim() === '0';
}

/** Whether any service with this command sees the queue directory only. */
export function isChrooted({ services }: Installation, command: string): boolean {
  return services.some((service) => service.command === command && service.chroot);
}

/** The words of a list: blanks and commas part them, braces hold them together. */
export function words(value: string): string[] {
  const found: string[] = [];
  let word = '';
  let depth = 0;
  for (const c of value) {
    if (depth === 0 && /[\s,]/.test(c)) {
      if (word !== '') found.push(word);
      word = '';
      continue;
    }
    if (c === '{') depth += 1;
    if (c === '}' && depth > 0) depth -= 1;
    word += c;
  }
  if (word !== '') found.push(word);
  return found;
}

/** What a setting comes to, by name; empty where Postfix doesn't have it. */
export function settingOf({ effective }: Installation, name: string): string {
  return effective.get(name) ?? '';
}

/** What a service has instead of what main.cf says, `-o name=value`; `undefined`: nothing. */
export function optionOf({ options }: Service, name: string): string | undefined {
  const found = new RegExp(`(?:^|\\s)-o\\s*(?:\\{\\s*)?${name}\\s*=\\s*([^\\s}]*)`).exec(options);
  return found?.[1];
}
