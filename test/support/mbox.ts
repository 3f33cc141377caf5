/** What an mbox means, said again line by line and as plainly as can be: the measure for the scanner. */
import fc from 'fast-check';

export interface ReferenceMessage {
  /** All of the file that belongs to it. */
  readonly raw: string;
  /** What is served: between the `From ` line and the blank line that parts it from the next, unquoted. */
  readonly content: string;
  /** Octets of that with CRLF line ends. */
  readonly octets: number;
}

/** Octets as characters. `preamble`: what is at the start of the file and is no message. */
export function readMbox(file: string): { preamble: string; messages: ReferenceMessage[] } {
  const lines = file.match(/[^\n]*\n|[^\n]+$/g) ?? [];
  const isBlank = (line: string | undefined): boolean => line === '\n' || line === '\r\n';
  const starts = lines.flatMap((line, n) => (line.startsWith('From ') && (n === 0 || isBlank(lines[n - 1])) ? [n] : []));
  const leading = lines.slice(0, starts[0] ?? lines.length).join('');
  const groups = starts.map((start, n) => ({ lines: lines.slice(start, starts[n + 1] ?? lines.length), before: '' }));
  const messages: ReferenceMessage[] = [];
  let preamble = leading;
  const headless = /^((?:[\r\n]*\n)?)(?=[!-9;-~]{1,997}[ \t]*:)/.exec(leading);
  if (leading === '' || (/^[\r\n]*$/.test(leading) && groups.length > 0)) {
    preamble = '';
    if (groups[0] !== undefined) groups[0].before = leading;
  } else if (headless !== null) {
    preamble = '';
    messages.push(message(leading, leading.slice(headless[0].length)));
  }
  for (const { lines, before } of groups) messages.push(message(before + lines.join(''), lines.slice(1).join(''), lines[0]));
  return { preamble, messages };
}

function message(raw: string, rest: string, fromLine = '\n'): ReferenceMessage {
  const parted = /(^|\n)\r?\n$/.exec(rest);
  const hasPart = parted !== null && (parted[1] === '\n' || fromLine.endsWith('\n'));
  const content = (hasPart ? rest.slice(0, rest.length - parted[0].length + (parted[1] ?? '').length) : rest)
    .split(/(?<=\n)/)
    .map((line) => (/^>+From /.test(line) ? line.slice(1) : line))
    .join('');
  const wire = content.replaceAll(/(?<!\r)\n/g, '\r\n');
  return { raw, content, octets: wire.length + (wire === '' || wire.endsWith('\n') ? 0 : 2) };
}

const tokens = [
  'From ada@example.org Thu Nov 24 18:22:48 1986\n',
  'From ada@example.org Thu Nov 24 18:22:48 1986\r\n',
  'text\n\nFrom ada@example.org Thu Nov 24 18:22:48 1986\n',
  '\n\nFrom ada@example.org Thu Nov 24 18:22:48 1986\nSubject: hello\n\n',
  '\r\n\r\nFrom ada@example.org\r\nSubject: hello\r\n\r\n',
  'From ',
  'From',
  'Fro',
  '>',
  '>>',
  '>From ada\n',
  '>>From ada\n',
  'From x\n',
  '\n',
  '\n\n',
  '\r\n',
  '\r',
  '\0',
  'Subject: hello\n',
  'Subject: hello\r\n',
  'X-Spam: no\n',
  ' folded\n',
  'Status: RO\n',
  'Content-Length: 7\n',
  'text\n',
  'text',
  'no header at all\n',
  'æ€\u0085',
  'x'.repeat(90),
].map((token) => Buffer.from(token).toString('latin1'));

/** Files out of the pieces that mean something in one; most of them begin as a mailbox does. */
export const mailboxes: fc.Arbitrary<string> = fc
  .tuple(fc.boolean(), fc.array(fc.constantFrom(...tokens), { maxLength: 60, size: 'max' }))
  .map(([proper, parts]) => (proper ? tokens[0] : '') + parts.join(''));
