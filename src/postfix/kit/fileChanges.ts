/** Which files have to be written or removed, and which of them somebody else has had a hand in. */
import type { KitOwner } from './domains.ts';
import { digest, type FileState } from './files.ts';
import { isMarked } from './mapFile.ts';

/** `settings`: main.cf and master.cf, which are the administrator's, changed by postconf. `styles`: his, too, written by our options. */
export type FileKind = 'settings' | 'styles' | 'map' | 'forward';

export interface WantedFile {
  readonly path: string;
  readonly kind: FileKind;
  /** `undefined`: nobody needs it any more. */
  readonly text: Buffer | undefined;
  /** Whose it is; left out: root's. */
  readonly owner?: Pick<KitOwner, 'uid' | 'gid' | 'name'> | undefined;
  /** `type:path`, where it is a look-up table. */
  readonly table?: string | undefined;
}

export interface FileChange extends WantedFile {
  readonly before: FileState | undefined;
  /** Why it is not touched unless that is asked for. */
  readonly held: 'edited' | 'foreign' | undefined;
}

/**
 * `undefined`: it is as it should be.
 * @param recorded digest of what we wrote there; `undefined`: nothing that we know of; `unknown` to who may not know, and takes files with our mark for ours
 */
export function fileChange(
  wanted: WantedFile,
  before: FileState | undefined,
  recorded: string | 'unknown' | undefined,
): FileChange | undefined {
  const { text, kind } = wanted;
  if (before === undefined && text === undefined) return undefined;
  if (
    before !== undefined &&
    text !== undefined &&
    (before.octets.equals(text) || (kind === 'forward' && meansTheSame(before.octets, text)))
  )
    return undefined;
  return { ...wanted, before, held: before === undefined ? undefined : heldBecause(kind, before.octets, recorded) };
}

function heldBecause(kind: FileKind, octets: Buffer, recorded: string | 'unknown' | undefined): FileChange['held'] {
  if (kind === 'settings' || kind === 'styles') return undefined;
  if (recorded === digest(octets)) return undefined;
  if (isMarked(octets.toString('utf8'))) return recorded === 'unknown' ? undefined : 'edited';
  return kind === 'forward' && isPredecessors(octets) ? undefined : 'foreign';
}

/** What a `.forward` file says, without remarks and quotes. */
function said(octets: Buffer): string {
  return octets
    .toString('utf8')
    .split('\n')
    .filter((line) => !line.startsWith('#'))
    .join('\n')
    .replaceAll('"', '')
    .trim();
}

function meansTheSame(one: Buffer, other: Buffer): boolean {
  return said(one) === said(other);
}

/** The pipe agent that ours succeeds. */
function isPredecessors(octets: Buffer): boolean {
  return said(octets) === '|/usr/local/bin/virtual';
}
