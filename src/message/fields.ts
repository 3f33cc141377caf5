/** Taking fields out of a header and putting others before it, in a message that goes by. */
import type { Octets } from '../model/octets.ts';
import { HeaderEnd, headerFields, isWhiteSpace } from './header.ts';
import { CR, LF } from './plainLoops.ts';
import { type Transformer, transform } from './transform.ts';

/** So much of a message is held in memory at most; where a header is longer, fields beyond are left as they are. */
export const HEADER_LIMIT = 1_048_576;

export interface NewField {
  readonly name: string;
  /** One line of text, written as UTF-8. Control octets become spaces, so that no value can begin a field of its own. */
  readonly value: string;
}

export interface FieldEdits {
  /** Names of fields to take out, wherever they stand in the header; case doesn't matter. */
  readonly strip?: readonly string[];
  /** Names of fields to take out where they stand above the first field called `above`. */
  readonly stripOnTop?: { readonly names: readonly string[]; readonly above: string };
  /** To stand before everything else, in this order; their lines end as the first line of the message does. */
  readonly prepend?: readonly NewField[];
}

/** The message with those edits. Every octet outside the named fields stays as it is. */
export function editFields(octets: Octets, edits: FieldEdits): Octets {
  const { strip, stripOnTop } = edits;
  const everywhere = lowerCased(strip);
  const onTop = { names: lowerCased(stripOnTop?.names), above: stripOnTop?.above.toLowerCase() };
  return transform(octets, () => new FieldEditor(everywhere, onTop, edits.prepend ?? []));
}

function lowerCased(names: readonly string[] = []): ReadonlySet<string> {
  return new Set(names.map((name) => name.toLowerCase()));
}

interface OnTop {
  readonly names: ReadonlySet<string>;
  readonly above: string | undefined;
}

class FieldEditor implements Transformer {
  readonly #strip: ReadonlySet<string>;
  readonly #stripOnTop: OnTop;
  readonly #prepend: readonly NewField[];
  readonly #headerEnd = new HeaderEnd();
  #held: Uint8Array[] = [];
  #heldLength = 0;
  #passing = false;

  constructor(strip: ReadonlySet<string>, stripOnTop: OnTop, prepend: readonly NewField[]) {
    this.#strip = strip;
    this.#stripOnTop = stripOnTop;
    this.#prepend = prepend;
  }

  push(chunk: Uint8Array): readonly Uint8Array[] {
    if (this.#passing) return [chunk];
    const room = HEADER_LIMIT - this.#heldLength;
    const window = chunk.length > room ? chunk.subarray(0, room) : chunk;
    const found = this.#headerEnd.find(window);
    const taken = window.subarray(0, found);
    if (found === undefined && this.#heldLength + taken.length < HEADER_LIMIT) {
      // Copied: whoever lent the chunk may reuse it once the next one is asked for.
      this.#held.push(Buffer.from(taken));
      this.#heldLength += taken.length;
      return [];
    }
    this.#passing = true;
    return [...this.#edited([...this.#held, taken], found !== undefined), chunk.subarray(taken.length)].filter((piece) => piece.length > 0);
  }

  end(): readonly Uint8Array[] {
    return this.#passing ? [] : this.#edited(this.#held, true);
  }

  /** `whole`: the header ends here; otherwise a field that reaches the end may go on behind it and stays. */
  #edited(pieces: readonly Uint8Array[], whole: boolean): Uint8Array[] {
    this.#held = [];
    const [only] = pieces;
    const header = pieces.length === 1 && only !== undefined ? only : Buffer.concat(pieces);
    const kept: Uint8Array[] = newFields(this.#prepend, header);
    let from = 0;
    let onTop = true;
    for (const field of headerFields(header)) {
      const name = field.name.toLowerCase();
      if (name === this.#stripOnTop.above) onTop = false;
      const goes = this.#strip.has(name) || (onTop && this.#stripOnTop.names.has(name));
      if (!goes || (!whole && field.end === header.length)) continue;
      if (field.start > from) kept.push(header.subarray(from, field.start));
      from = field.end;
    }
    if (from < header.length) kept.push(header.subarray(from));
    return kept;
  }
}

function newFields(fields: readonly NewField[], header: Uint8Array): Uint8Array[] {
  if (fields.length === 0) return [];
  const lineEnd = lineEndOf(header);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  const lines = fields.map(({ name, value }) => `${name}: ${value.replace(/[\u0000-\u001f\u007f]+/g, ' ')}${lineEnd}`);
  // A message that begins with white space would go on where the last new field ends: a blank line keeps them apart.
  if (isWhiteSpace(header[0])) lines.push(lineEnd);
  return [Buffer.from(lines.join(''))];
}

function lineEndOf(header: Uint8Array): string {
  const lf = header.indexOf(LF);
  return lf > 0 && header[lf - 1] === CR ? '\r\n' : '\n';
}
