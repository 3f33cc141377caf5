/** Files that the kit writes. Each says so in its first line, so that a file of somebody else's is never taken for one. */

export const mark = '# Written by postkasse postfix; changes are found and not overwritten.';

export interface Entry {
  readonly key: string;
  readonly value: string;
}

/** A table as postmap(1) reads it, in order of its keys; the first of two equal keys counts. */
export function renderMap(about: string, entries: readonly Entry[]): string {
  const byKey = new Map<string, string>();
  for (const { key, value } of entries) if (!byKey.has(key)) byKey.set(key, value);
  const lines = [...byKey].map(([key, value]) => `${key} ${value}`).sort();
  return renderLines(about, lines);
}

/** Lines in the order that they are given in. */
export function renderLines(about: string, lines: readonly string[]): string {
  return `${[mark, `# ${about}`, ...lines].join('\n')}\n`;
}

export function isMarked(text: string): boolean {
  return text.startsWith(mark);
}

/** A key that postmap(1) reads as it stands: no blank, no `#` in front, and nothing that would need quoting. */
export function isPlainKey(key: string): boolean {
  return /^[^\s"#\\][^\s"\\]*$/.test(key);
}
