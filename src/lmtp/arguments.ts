/** The argument of MAIL and RCPT: a path in angle brackets and parameters. RFC 5321 sections 4.1.1.2, 4.1.1.3 and 4.1.2. */

export interface PathArgument {
  /** What stands between the angle brackets, without a source route; empty for the null reverse-path. */
  readonly path: string;
  /** By keyword in upper case; `true` where there is no value. */
  readonly parameters: ReadonlyMap<string, string | true>;
  /** A keyword that is there twice. */
  readonly repeated: string | undefined;
}

/** Far more than the 256 octets of RFC 5321 section 4.5.3.1.3: what another server let in is not to bounce here for its length. */
const longestPath = 1000;

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const unsafe = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\ufffd]/;

/** `line` is the whole command, `keyword` FROM or TO. `undefined` when it can't be understood. */
export function pathArgument(line: string, keyword: 'FROM' | 'TO'): PathArgument | undefined {
  const [start] = /^\s*[a-z]+\s+(?:from|to)\s*:\s*</i.exec(line) ?? [];
  if (start === undefined || !start.toUpperCase().includes(keyword) || unsafe.test(line)) return undefined;
  const end = closingBracket(line, start.length);
  if (end === undefined || end - start.length > longestPath) return undefined;
  const path = withoutSourceRoute(line.slice(start.length, end));
  const parameters = new Map<string, string | true>();
  let repeated: string | undefined;
  const rest = line.slice(end + 1);
  if (rest !== '' && !/^\s/.test(rest)) return undefined;
  for (const word of rest.split(/\s+/)) {
    if (word === '') continue;
    const equals = word.indexOf('=');
    const name = (equals < 0 ? word : word.slice(0, equals)).toUpperCase();
    // RFC 5321 section 4.1.2: esmtp-keyword
    if (!/^[A-Z0-9][A-Z0-9-]*$/.test(name)) return undefined;
    if (parameters.has(name)) repeated = name;
    parameters.set(name, equals < 0 ? true : word.slice(equals + 1));
  }
  return { path, parameters, repeated };
}

/** The `>` that isn't inside a quoted string. */
function closingBracket(line: string, from: number): number | undefined {
  let quoted = false;
  for (let at = from; at < line.length; at++) {
    const c = line[at];
    if (c === '"') quoted = !quoted;
    else if (c === '\\' && quoted) at++;
    else if (c === '>' && !quoted) return at;
    else if ((c === '<' || c === ' ') && !quoted) return undefined;
  }
  return undefined;
}

/** `@relay.example,@other.example:user@example.org`: to be accepted and ignored. RFC 5321 section 4.1.2 and appendix C. */
function withoutSourceRoute(path: string): string {
  return path.replace(/^@[^\s,:@]+(?:,@[^\s,:@]+)*:/, '');
}

/** ORCPT: `rfc822;` or `utf-8;` and the address in xtext. RFC 3461 sections 4 and 4.2, RFC 6533 section 3. */
export function originalRecipient(value: string): string | undefined {
  const [, encoded] = /^(?:rfc822|utf-8);(.+)$/i.exec(value) ?? [];
  if (encoded === undefined) return undefined;
  const octets = encoded.replace(/\+([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  const decoded = /^utf-8;/i.test(value)
    ? octets.replace(/\\x\{([0-9A-F]{2,6})\}/g, (whole, hex: string) => codePoint(hex) ?? whole)
    : octets;
  return unsafe.test(decoded) || decoded.length > longestPath ? undefined : decoded;
}

function codePoint(hex: string): string | undefined {
  const point = Number.parseInt(hex, 16);
  return point <= 0x10ffff && (point < 0xd800 || point > 0xdfff) ? String.fromCodePoint(point) : undefined;
}
