/** What is wrong with a settings file, and where: every complaint has a file and a line in it. */
import type { Text, Values } from '../texts/index.ts';

/** A text with what goes into it, to be said in whatever language the operator reads. */
export interface Said {
  readonly text: Text;
  readonly values?: Values;
}

export interface ConfigProblem extends Said {
  readonly file: string;
  /** Counted from 1, never beyond the last line of the file. */
  readonly line: number;
  /** What may stand there instead. */
  readonly allowed?: Said | undefined;
}

type Say = (text: Text, values: Values) => string;

const english: Say = (text, values) =>
  text.replace(/\{(\w+)\}/g, (whole, name: string) => (Object.hasOwn(values, name) ? String(values[name]) : whole));

/** `postkasse.toml:12: login.max_failures is 0; allowed: a whole number from 1 to 100`. */
export function formatProblem(problem: ConfigProblem, say: Say = english): string {
  const sentence = say(problem.text, problem.values ?? {});
  const allowed =
    problem.allowed &&
    say('{problem}; allowed: {allowed}', { problem: sentence, allowed: say(problem.allowed.text, problem.allowed.values ?? {}) });
  // A key in quotes may hold any octet: one problem stays one line.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  return `${problem.file}:${problem.line}: ${(allowed ?? sentence).replace(/[\u0000-\u001f\u007f\u2028\u2029]+/g, ' ')}`;
}
