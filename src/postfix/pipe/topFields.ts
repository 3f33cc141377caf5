/**
 * What Postfix's local(8) and pipe(8) put before a message: the mbox separator, and up to one each of Return-Path, X-Original-To and
 * Delivered-To. Only the first of a name, and only above everything else: whatever stands further down is the message.
 */

export interface TopFields {
  /** Octets to leave away. */
  readonly length: number;
  /** Address, without angle brackets and as quoted by Postfix; empty for the null reverse-path. `undefined`: not there. */
  readonly returnPath: string | undefined;
  readonly originalTo: string | undefined;
  readonly deliveredTo: string | undefined;
}

type Name = 'returnPath' | 'originalTo' | 'deliveredTo';
const names: ReadonlyMap<string, Name> = new Map([
  ['return-path', 'returnPath'],
  ['x-original-to', 'originalTo'],
  ['delivered-to', 'deliveredTo'],
]);
/** Of what Postfix writes; a longer line is somebody else's. */
const longestLine = 2000;
const LF = 0x0a;

/** `undefined`: not enough octets to tell. @param isWhole nothing comes after them */
export function readTopFields(head: Buffer, isWhole: boolean): TopFields | undefined {
  const found: Partial<Record<Name, string>> = {};
  let at = 0;
  for (let isFirst = true; ; isFirst = false) {
    const end = head.indexOf(LF, at);
    if (end < 0 && !isWhole && head.length - at < longestLine) return undefined;
    if (end < 0 || end - at > longestLine) break;
    const next = end + 1;
    const line = head.toString('latin1', at, end).replace(/\r$/, '');
    if (isFirst && line.startsWith('From ')) {
      at = next;
      continue;
    }
    const colon = line.indexOf(':');
    const name = names.get(line.slice(0, Math.max(colon, 0)).toLowerCase());
    if (name === undefined || found[name] !== undefined) break;
    // Whether the field goes on in the next line, which Postfix's never do.
    if (next === head.length && !isWhole) return undefined;
    if (head[next] === 0x20 || head[next] === 0x09) break;
    const value = line.slice(colon + 1).trim();
    found[name] = name === 'returnPath' ? value.replace(/^<(.*)>$/, '$1') : value;
    at = next;
  }
  return { length: at, returnPath: found.returnPath, originalTo: found.originalTo, deliveredTo: found.deliveredTo };
}
