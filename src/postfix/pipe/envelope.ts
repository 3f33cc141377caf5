/**
 * Sender and recipients, from the command line or from what local(8) says.
 *
 * In its environment local(8) writes `_` for each octet that a shell could take for more than a letter, so two users may look the same there.
 * The fields that it puts on top of the message have the same addresses in full: they count where they agree with the environment.
 */
import type { CommandLine } from './commandLine.ts';
import { type AddressParts, formatPath, isAscii, partAddress } from './mailAddress.ts';
import type { TopFields } from './topFields.ts';

export interface PipeEnvelope {
  /** Without angle brackets; empty for a bounce. */
  readonly sender: string;
  readonly recipients: readonly PipeRecipient[];
  readonly isUtf8: boolean;
}

export interface PipeRecipient {
  /** As it goes between the angle brackets. */
  readonly path: string;
  /** The same user in the domains above, nearest first: to be tried where the domain itself isn't one of ours. */
  readonly above: readonly string[];
  /** What Postfix was given, before aliases. */
  readonly original: string | undefined;
}

/** Why there is no envelope. */
export type NoEnvelope =
  /** The host has to put something right; mail waits. */
  | 'nobody'
  /** There can be no such mailbox. */
  | 'no address';

export type Environment = Readonly<Record<string, string | undefined>>;

export function readEnvelope(line: CommandLine, environment: Environment, top: TopFields): PipeEnvelope | NoEnvelope {
  const sender = senderOf(line, environment, top);
  const recipients = line.recipients.length > 0 ? given(line) : toldByLocal(environment, top);
  if (typeof recipients === 'string') return recipients;
  const texts = [sender, ...recipients.flatMap(({ path, original }) => [path, original ?? ''])];
  return { sender, recipients, isUtf8: !texts.every(isAscii) };
}

function senderOf({ from }: CommandLine, { SENDER }: Environment, { returnPath }: TopFields): string {
  const told = from ?? (returnPath !== undefined && (SENDER === undefined || agrees(returnPath, SENDER)) ? returnPath : SENDER) ?? '';
  const parts = partAddress(told);
  // pipe(8) writes MAILER-DAEMON for the null sender. What is no address can't be answered either.
  return parts === undefined ? '' : formatPath(parts);
}

function given({ recipients, original }: CommandLine): readonly PipeRecipient[] | NoEnvelope {
  const all: PipeRecipient[] = [];
  for (const recipient of recipients) {
    const parts = partAddress(recipient);
    if (parts === undefined) return 'no address';
    all.push({ path: formatPath(parts), above: [], original: original === undefined || original === '' ? undefined : pathOf(original) });
  }
  return all;
}

/** One recipient at a time. */
function toldByLocal(environment: Environment, top: TopFields): readonly PipeRecipient[] | NoEnvelope {
  const { EXTENSION: extension = '', ORIGINAL_RECIPIENT, RECIPIENT } = environment;
  const original = ORIGINAL_RECIPIENT === undefined || ORIGINAL_RECIPIENT === '' ? undefined : inFull(top.originalTo, ORIGINAL_RECIPIENT);
  const originalParts = original === undefined ? undefined : partAddress(original);
  const split = splitExtension(extension);
  if (split === undefined) {
    // A map or the owner's .forward sends mail here without saying for whom: whom it was for at first, then.
    const told = original ?? RECIPIENT;
    if (told === undefined || told === '') return 'nobody';
    const parts = partAddress(told);
    return parts === undefined ? 'no address' : [{ path: formatPath(parts), above: [], original: pathOf(told) }];
  }
  const domain = split.domain.toLowerCase();
  const local =
    originalParts !== undefined && agrees(originalParts.local, split.local) && isWithin(originalParts.domain, domain)
      ? originalParts.local
      : (extensionInFull(environment, top)?.local ?? split.local);
  const path = pathWhere({ local, domain });
  if (path === undefined) return 'no address';
  const above = domainsAbove(domain).flatMap((parent) => pathWhere({ local, domain: parent }) ?? []);
  return [{ path, above, original: original === undefined ? undefined : pathOf(original) }];
}

/** `a--b--kvt.dk` is a--b@kvt.dk. */
function splitExtension(extension: string): AddressParts | undefined {
  const at = extension.lastIndexOf('--');
  return at < 0 ? undefined : { local: extension.slice(0, at), domain: extension.slice(at + 2) };
}

/** The end of Delivered-To's local part, which is as long as what the environment has. */
function extensionInFull({ EXTENSION = '', RECIPIENT = '' }: Environment, { deliveredTo }: TopFields): AddressParts | undefined {
  const whole = deliveredTo === undefined ? undefined : partAddress(deliveredTo);
  const told = partAddress(RECIPIENT);
  if (whole === undefined || told === undefined || !agrees(whole.local, told.local)) return undefined;
  const extension = whole.local.slice(-EXTENSION.length);
  return agrees(extension, EXTENSION) ? splitExtension(extension) : undefined;
}

function inFull(field: string | undefined, told: string): string {
  return field !== undefined && agrees(field, told) ? field : told;
}

/** Whether local(8) would write `full` in its environment as `told`, apart from case. */
function agrees(full: string, told: string): boolean {
  const parts = partAddress(full);
  const plain = parts === undefined ? full : `${parts.local}@${parts.domain}`;
  return plain.length === told.length && censored(plain) === censored(told);
}

/** command_expansion_filter, as it is by default; postconf(5). */
function censored(text: string): string {
  return text.replace(/[^0-9!@%\-_=+:,./a-zA-Z]/g, '_').toLowerCase();
}

function isWithin(domain: string, whole: string): boolean {
  const folded = domain.toLowerCase();
  return folded === whole || folded.endsWith(`.${whole}`);
}

/** Of `a.b.kvt.dk`: `b.kvt.dk`, `kvt.dk`. Not the top-level domain, and not more than a name can sensibly have. */
function domainsAbove(domain: string): readonly string[] {
  const labels = domain.split('.');
  return labels
    .slice(1, -1)
    .slice(-8)
    .map((_, index, kept) => labels.slice(labels.length - 1 - kept.length + index).join('.'));
}

function pathWhere(parts: AddressParts): string | undefined {
  const path = formatPath(parts);
  return partAddress(path) === undefined ? undefined : path;
}

function pathOf(address: string): string | undefined {
  const parts = partAddress(address);
  return parts === undefined ? undefined : formatPath(parts);
}
