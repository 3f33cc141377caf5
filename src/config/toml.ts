/** A TOML file, read as far as it can be, with the lines of its keys. */
import { parse, TomlError } from 'smol-toml';
import { type KeyPath, keyLines } from './keyLines.ts';
import type { ConfigProblem } from './problem.ts';

export interface TomlDocument {
  readonly table: Readonly<Record<string, unknown>>;
  lineOf(path: KeyPath): number;
  readonly problems: readonly ConfigProblem[];
}

/** After this many lines that are no TOML the rest is not worth reading. */
const maxSyntaxProblems = 10;
/** Of nested arrays and inline tables; no setting needs more than two. */
const maxDepth = 20;

/** Never throws: what is no TOML becomes problems, and the rest is read without those lines. */
export function readToml(file: string, octets: Uint8Array): TomlDocument {
  const problems: ConfigProblem[] = [];
  const text = decode(octets);
  const lastLine = Math.max(1, text.replace(/\r?\n$/, '').split('\n').length);
  const lineOf = (line: number) => Math.min(Math.max(line, 1), lastLine);
  const notText = text.indexOf('\ufffd');
  if (notText >= 0) {
    const line = lineOf(text.slice(0, notText).split('\n').length);
    return { table: {}, lineOf: () => line, problems: [{ file, line, text: 'this is not UTF-8 text' }] };
  }

  const lines = text.split('\n');
  for (;;) {
    const readable = lines.join('\n');
    try {
      const table = parse(readable, { maxDepth });
      const { lineOf: keyLine } = keyLines(readable);
      return { table, lineOf: (path) => lineOf(keyLine(path)), problems };
    } catch (thrown) {
      const at = thrown instanceof TomlError ? thrown.line : 1;
      problems.push({ file, line: lineOf(at), text: 'this is not TOML: {detail}', values: { detail: detailOf(thrown) } });
      // Without the line in question the others can be checked too; a line that is wrong twice is not what is wrong.
      if (problems.length >= maxSyntaxProblems || (lines[at - 1] ?? '').trim() === '') return { table: {}, lineOf: () => 1, problems };
      lines[at - 1] = '';
    }
  }
}

function decode(octets: Uint8Array): string {
  // A file may hold U+FFFD itself; that is taken for damage as well, since no setting has a use for it.
  return new TextDecoder('utf-8').decode(octets);
}

function detailOf(thrown: unknown): string {
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return (message.split('\n')[0] ?? '').replace(/^Invalid TOML document: /, '');
}
