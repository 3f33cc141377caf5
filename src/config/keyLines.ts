/**
 * Which line of a TOML document a key stands on. The parser gives values without places, so this reads the document
 * once more, only as far as needed to tell keys from values. It is given documents that the parser accepted; on others
 * the answer may be off, but it ends and stays within the document.
 */

export type KeyPath = readonly (string | number)[];

export interface KeyLines {
  /** Line of the key, or of the nearest table or array around it that has a line of its own; 1 when there is none. */
  lineOf(path: KeyPath): number;
}

const separator = '\u0000';

export function keyLines(toml: string): KeyLines {
  const lines = new Map<string, number>();
  const arrayLengths = new Map<string, number>();
  let table: string[] = [];
  let at = 0;
  let line = 1;

  const note = (path: readonly string[]) => {
    const name = path.join(separator);
    if (!lines.has(name)) lines.set(name, line);
  };

  while (at < toml.length) {
    skipBlank();
    const c = toml[at];
    if (c === undefined) break;
    if (c === '#') skipComment();
    else if (c === '\n') newline();
    else if (c === '[') readHeader();
    else readPair();
  }

  return {
    lineOf(path) {
      for (let length = path.length; length > 0; length--) {
        const found = lines.get(path.slice(0, length).join(separator));
        if (found !== undefined) return found;
      }
      return 1;
    },
  };

  function newline(): void {
    at++;
    line++;
  }

  function skipBlank(): void {
    while (toml[at] === ' ' || toml[at] === '\t' || toml[at] === '\r') at++;
  }

  function skipComment(): void {
    const end = toml.indexOf('\n', at);
    at = end < 0 ? toml.length : end;
  }

  /** `[a.b]` or `[[a.b]]`; an element of an array of tables gets its number as a further key. */
  function readHeader(): void {
    const isArray = toml[at + 1] === '[';
    at += isArray ? 2 : 1;
    const keys = readKeys(']');
    at += isArray ? 2 : 1;
    const path: string[] = [];
    for (const [i, key] of keys.entries()) {
      path.push(key);
      const name = path.join(separator);
      const length = arrayLengths.get(name);
      if (i === keys.length - 1 && isArray) {
        note(path);
        arrayLengths.set(name, (length ?? 0) + 1);
        path.push(String(length ?? 0));
      } else if (length !== undefined) path.push(String(length - 1));
    }
    note(path);
    table = path;
  }

  function readPair(): void {
    const path = [...table, ...readKeys('=')];
    for (let length = table.length + 1; length <= path.length; length++) note(path.slice(0, length));
    if (toml[at] !== '=') return;
    at++;
    skipValue();
  }

  /** Dotted keys up to `end`, which is not consumed. */
  function readKeys(end: string): string[] {
    const keys: string[] = [];
    let key = '';
    while (at < toml.length && toml[at] !== end && toml[at] !== '\n') {
      const c = toml[at] ?? '';
      if (c === '"' || c === "'") key += readString(c);
      else {
        if (c === '.') {
          keys.push(key);
          key = '';
        } else if (c !== ' ' && c !== '\t' && c !== '\r') key += c;
        at++;
      }
    }
    keys.push(key);
    return keys;
  }

  /** A string on one line; its escapes are undone, since a key may be written with them. */
  function readString(quote: string): string {
    const start = at;
    at++;
    while (at < toml.length && toml[at] !== quote && toml[at] !== '\n') at += quote === '"' && toml[at] === '\\' ? 2 : 1;
    if (toml[at] === quote) at++;
    const inside = toml.slice(start + 1, at - 1);
    return quote === "'" || !inside.includes('\\') ? inside : withoutEscapes(inside);
  }

  /** To the end of the line that the value ends on. */
  function skipValue(): void {
    let depth = 0;
    while (at < toml.length) {
      const c = toml[at];
      if (c === '\n' && depth <= 0) return;
      if (c === '\n') newline();
      else if (c === '#') skipComment();
      else if (c === '"' || c === "'") {
        if (toml.startsWith(c.repeat(3), at)) skipLongString(c);
        else readString(c);
      } else {
        if (c === '[' || c === '{') depth++;
        if (c === ']' || c === '}') depth--;
        at++;
      }
    }
  }

  /** `"""…"""`, which may end in up to two quotes of its own before the three that close it. */
  function skipLongString(quote: string): void {
    at += 3;
    while (at < toml.length && !toml.startsWith(quote.repeat(3), at)) {
      if (toml[at] === '\n') line++;
      else if (quote === '"' && toml[at] === '\\') {
        if (toml[at + 1] === '\n') line++;
        at++;
      }
      at++;
    }
    at += 3;
    while (toml[at] === quote) at++;
  }
}

const escapes: ReadonlyMap<string, string> = new Map([
  ['b', '\b'],
  ['t', '\t'],
  ['n', '\n'],
  ['f', '\f'],
  ['r', '\r'],
  ['e', '\u001b'],
]);

function withoutEscapes(inside: string): string {
  return inside.replace(/\\(?:u([0-9a-f]{4})|U([0-9a-f]{8})|x([0-9a-f]{2})|(.))/gi, (_, short, long, octet, letter) => {
    const code = short ?? long ?? octet;
    if (code === undefined) return escapes.get(letter) ?? letter;
    const point = Number.parseInt(code, 16);
    return point <= 0x10ffff ? String.fromCodePoint(point) : '\ufffd';
  });
}
