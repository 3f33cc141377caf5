/** The line that parts the messages of an mbox: `From `, who sent it, and when. RFC 4155 appendix A; mbox(5). */

const months = 'JanFebMarAprMayJunJulAugSepOctNovDec';
const weekdays = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const ASCTIME_LENGTH = 24;
/** Other programs leave out the seconds, or put a time zone before or after the year. */
const otherDate =
  /(?:^| )(?:[A-Z][a-z]{2},? +)?([A-Z][a-z]{2}) +(\d{1,2}) +(\d{1,2}):(\d{2})(?::(\d{2}))?(?: +([A-Z]{1,5}|[+-]\d{4}))?(?: +[A-Z]{1,5})? +(\d{4})(?: +([+-]\d{4}))?/;

/** As local(8) of Postfix writes it: two blanks before the date, and local time. Ends in LF. */
export function fromLine(sender: string, at: Date): Buffer {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a control octet in the sender must not end the line
  const safe = sender.replace(/[\u0000-\u001f\u007f\u0085\u2028\u2029]/g, '?').slice(0, 1000);
  return Buffer.from(`From ${safe === '' ? 'MAILER-DAEMON' : safe}  ${asctime(at)}\n`);
}

function asctime(at: Date): string {
  const two = (n: number, fill = '0') => String(n).padStart(2, fill);
  const day = `${weekdays[at.getDay()] ?? 'Thu'} ${months.slice(at.getMonth() * 3, at.getMonth() * 3 + 3)} ${two(at.getDate(), ' ')}`;
  const time = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  return `${day} ${time} ${String(at.getFullYear()).padStart(4, '0')}`;
}

/** ms since 1970 of the date in octets[start, end), a `From ` line with or without its line end; `undefined` where it has none. Local time unless it says. */
export function dateOfFromLine(octets: Buffer, start: number, end: number): number | undefined {
  let stop = end;
  while (stop > start && (octets[stop - 1] ?? 0) <= 0x20) stop--;
  return asctimeAt(octets, stop - ASCTIME_LENGTH, start) ?? otherDateIn(octets.toString('latin1', Math.max(start, stop - 100), stop));
}

/** The form of nearly every line, `Thu Nov 24 18:22:48 1986`, read without making a string. */
function asctimeAt(octets: Buffer, at: number, least: number): number | undefined {
  if (at < least) return undefined;
  const month = monthOf(octets[at + 4], octets[at + 5], octets[at + 6]);
  const day = number(octets, at + 8, 2);
  const hour = number(octets, at + 11, 2);
  const minute = number(octets, at + 14, 2);
  const second = number(octets, at + 17, 2);
  const year = number(octets, at + 20, 4);
  if (month < 0 || octets[at + 13] !== 0x3a || octets[at + 16] !== 0x3a || octets[at + 19] !== 0x20) return undefined;
  if (!(day >= 1 && day <= 31 && hour <= 23 && minute <= 59 && second <= 60 && year >= 1970)) return undefined;
  return new Date(year, month, day, hour, minute, second).getTime();
}

/** Not a number where something else than digits, after leading blanks, is there. */
function number(octets: Buffer, at: number, length: number): number {
  let value = 0;
  for (let i = at; i < at + length; i++) {
    const octet = octets[i] ?? 0;
    if (octet === 0x20 && value === 0) continue;
    if (octet < 0x30 || octet > 0x39) return Number.NaN;
    value = value * 10 + octet - 0x30;
  }
  return value;
}

function monthOf(a = 0, b = 0, c = 0): number {
  for (let i = 0; i < 36; i += 3) {
    if (months.charCodeAt(i) === a && months.charCodeAt(i + 1) === b && months.charCodeAt(i + 2) === c) return i / 3;
  }
  return -1;
}

function otherDateIn(line: string): number | undefined {
  const found = otherDate.exec(line);
  if (found === null) return undefined;
  const [, monthName = '', day, hour, minute, second = '0', zoneBefore, year, zoneAfter] = found;
  const month = months.indexOf(monthName);
  if (month < 0 || month % 3 !== 0) return undefined;
  const parts = [Number(year), month / 3, Number(day), Number(hour), Number(minute), Number(second)] as const;
  const zone = zoneAfter ?? zoneBefore;
  if (zone === undefined) return new Date(...parts).getTime();
  // A name of a zone other than UTC's is ambiguous, and what it would tell is a matter of hours.
  if (!/^[+-]/.test(zone)) return Date.UTC(...parts);
  const offsetMinutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(3));
  return Date.UTC(...parts) - (zone.startsWith('-') ? -1 : 1) * offsetMinutes * 60_000;
}
