/** Which style each domain has: a file that the administrator may edit, and that `--style` and `--domain` write. */
import { type Style, styles } from './domains.ts';

/** `none`: such a domain is the administrator's own affair. */
export type StyleChoice = Style | 'none';

export interface StyleChoices {
  /** Of domains that are not named. */
  readonly otherwise: StyleChoice;
  readonly named: ReadonlyMap<string, StyleChoice>;
}

export const noChoices: StyleChoices = { otherwise: 'none', named: new Map() };
const choices: readonly string[] = [...styles, 'none'];

const head = `# Which style each domain has for \`postkasse postfix\`: ${choices.join(', ')}.
# "*" stands for all that are not named. May be edited; then run \`postkasse postfix plan\`.
`;

export function isStyleChoice(text: string): text is StyleChoice {
  return choices.includes(text);
}

/** @returns the number of the first line that makes no sense */
export function parseStyles(text: string): StyleChoices | number {
  let otherwise: StyleChoice = 'none';
  const named = new Map<string, StyleChoice>();
  for (const [at, line] of text.split('\n').entries()) {
    const [name, style, ...more] = line.replace(/#.*/, '').trim().split(/\s+/);
    if (name === undefined || name === '') continue;
    if (style === undefined || !isStyleChoice(style) || more.length > 0) return at + 1;
    if (name === '*') otherwise = style;
    else named.set(name.toLowerCase(), style);
  }
  return { otherwise, named };
}

export function renderStyles({ otherwise, named }: StyleChoices): string {
  const lines = [...named].map(([name, style]) => `${name} ${style}`).sort();
  return `${head}${[`* ${otherwise}`, ...lines].join('\n')}\n`;
}

/** What is chosen now: the style for these domains, or where there are none for all that are not named. */
export function chosen(before: StyleChoices, style: StyleChoice | undefined, domains: readonly string[]): StyleChoices {
  if (style === undefined) return before;
  if (domains.length === 0) return { ...before, otherwise: style };
  return { ...before, named: new Map([...before.named, ...domains.map((name) => [name, style] as const)]) };
}

export function styleOf({ otherwise, named }: StyleChoices, domain: string): StyleChoice {
  return named.get(domain) ?? otherwise;
}
