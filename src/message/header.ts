/** The header of a message: where it ends and which fields it has. RFC 5322 section 2.2. Lines end in CRLF or LF. */
import { CR, LF } from './plainLoops.ts';

const HTAB = 0x09;
const SPACE = 0x20;
const COLON = 0x3a;

/** Looks for the blank line that ends a header, in pieces. */
export class HeaderEnd {
  #line: 'empty' | 'cr' | 'text' = 'empty';

  /** Offset in `chunk` just after the blank line; `undefined` when it hasn't come yet. Not to be asked again once found. */
  find(chunk: Uint8Array): number | undefined {
    let start = 0;
    for (let lf = chunk.indexOf(LF); lf !== -1; lf = chunk.indexOf(LF, start)) {
      this.#extend(chunk, start, lf);
      if (this.#line !== 'text') return lf + 1;
      this.#line = 'empty';
      start = lf + 1;
    }
    this.#extend(chunk, start, chunk.length);
    return undefined;
  }

  /** The line goes on with chunk[start, end). */
  #extend(chunk: Uint8Array, start: number, end: number): void {
    if (start < end) this.#line = this.#line === 'empty' && end - start === 1 && chunk[start] === CR ? 'cr' : 'text';
  }
}

/** Offset just after the blank line that ends the header, or the length when there is none. */
export function headerLength(octets: Uint8Array): number {
  return new HeaderEnd().find(octets) ?? octets.length;
}

export interface HeaderField {
  /** As written; empty for a line that is no field. */
  readonly name: string;
  /** Offset of the name. */
  readonly start: number;
  /** Offset after the last line end of the field, folded lines included. */
  readonly end: number;
}

/** The fields in order, each with its folded lines, up to the blank line or `length`. Lines that are no field have an empty name. */
export function* headerFields(octets: Uint8Array, length = octets.length): Generator<HeaderField, void> {
  let start = 0;
  while (start < length) {
    let end = lineEnd(octets, start, length);
    if (isBlank(octets, start, end)) return;
    while (end < length && isWhiteSpace(octets[end])) end = lineEnd(octets, end, length);
    yield { name: nameOf(octets, start, end), start, end };
    start = end;
  }
}

/** The text after the colon: unfolded, without white space around it, read as UTF-8 (RFC 6532). */
export function fieldValue(octets: Uint8Array, field: HeaderField): string {
  const colon = octets.indexOf(COLON, field.start);
  const from = field.name === '' || colon === -1 || colon >= field.end ? field.start : colon + 1;
  const text = Buffer.from(octets.buffer, octets.byteOffset + from, field.end - from).toString('utf8');
  return withoutWhiteSpaceAround(text.replace(/\r?\n(?=[ \t]|$)/g, ''));
}

/** Not by an expression: one for the end tries anew at each blank of a long run in the middle. */
function withoutWhiteSpaceAround(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isWhiteSpace(text.charCodeAt(start))) start++;
  while (end > start && isWhiteSpace(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}

/** Values of the fields with this name, in the order they stand in; case doesn't matter. */
export function fieldValues(octets: Uint8Array, name: string): string[] {
  const wanted = name.toLowerCase();
  const values: string[] = [];
  for (const field of headerFields(octets)) if (field.name.toLowerCase() === wanted) values.push(fieldValue(octets, field));
  return values;
}

function lineEnd(octets: Uint8Array, start: number, length: number): number {
  const lf = octets.indexOf(LF, start);
  return lf === -1 || lf >= length ? length : lf + 1;
}

function isBlank(octets: Uint8Array, start: number, end: number): boolean {
  return octets[start] === LF || (end - start === 2 && octets[start] === CR && octets[start + 1] === LF);
}

/** What a folded line begins with. */
export function isWhiteSpace(octet: number | undefined): boolean {
  return octet === SPACE || octet === HTAB;
}

/** Printable ASCII up to the colon; white space before the colon is the obsolete syntax of RFC 5322 section 4.5. */
function nameOf(octets: Uint8Array, start: number, end: number): string {
  let at = start;
  while (at < end && isNameOctet(octets[at])) at++;
  const nameEnd = at;
  while (at < end && isWhiteSpace(octets[at])) at++;
  if (at === end || octets[at] !== COLON) return '';
  return Buffer.from(octets.buffer, octets.byteOffset + start, nameEnd - start).toString('latin1');
}

function isNameOctet(octet: number | undefined): boolean {
  return octet !== undefined && octet > SPACE && octet < 0x7f && octet !== COLON;
}
