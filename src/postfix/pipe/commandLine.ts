/** `postkasse deliver [--from SENDER] [--original-recipient ADDRESS] [--socket WHERE] [--config FILE] [--] [recipient…]` */

export interface CommandLine {
  readonly from: string | undefined;
  readonly original: string | undefined;
  /** Path of a Unix socket, or `host:port`. */
  readonly socket: string | undefined;
  readonly config: string | undefined;
  readonly recipients: readonly string[];
}

const options: ReadonlyMap<string, keyof CommandLine> = new Map([
  ['--from', 'from'],
  ['-f', 'from'],
  ['--original-recipient', 'original'],
  ['--socket', 'socket'],
  ['--config', 'config'],
  ['-c', 'config'],
]);

/** `undefined`: it can't be understood. */
export function readCommandLine(words: readonly string[]): CommandLine | undefined {
  const found: { from?: string; original?: string; socket?: string; config?: string; recipients?: never } = {};
  let at = 0;
  for (; at < words.length; at++) {
    const word = words[at] ?? '';
    if (word === '--') {
      at++;
      break;
    }
    if (!word.startsWith('-')) break;
    const equals = word.startsWith('--') ? word.indexOf('=') : -1;
    const name = options.get(equals < 0 ? word : word.slice(0, equals));
    const value = equals < 0 ? words[++at] : word.slice(equals + 1);
    if (name === undefined || name === 'recipients' || value === undefined || found[name] !== undefined) return undefined;
    found[name] = value;
  }
  const { from, original, socket, config } = found;
  const recipients = words.slice(at);
  if (original !== undefined && recipients.length !== 1) return undefined;
  return { from, original, socket, config, recipients };
}
