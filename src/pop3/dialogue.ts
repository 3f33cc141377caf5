/** One command line in, one reply out: RFC 1939 section 3. Touches no socket and no clock. */
import { Fault } from '../model/fault.ts';
import type { Row } from './command.ts';
import { commands } from './commands/index.ts';
import { respond } from './exchange.ts';
import { refusal } from './faults.ts';
import type { Reply } from './replies.ts';
import type { Session } from './session.ts';

/**
 * `line` is latin1, one character per octet, without its line end. While a SASL exchange is under way it is a response.
 * Never throws. Not to be called again before the last reply is there: one command at a time.
 */
export function answer(session: Session, line: string): Reply | Promise<Reply> {
  try {
    const reply = session.state === 'EXCHANGE' ? respond(session, line) : run(session, line);
    return reply instanceof Promise ? reply.catch((thrown: unknown) => refusal(session, thrown)) : reply;
  } catch (thrown) {
    return refusal(session, thrown);
  }
}

/** The reply to a line beyond `lineLimit`, whose octets were all passed over. It ends a SASL exchange. */
export function overlong(session: Session): Reply {
  return refusal(session, new Fault('syntax', 'line too long'));
}

/** The line as a trace may show it. */
export function masked(session: Session, line: string): string {
  if (session.state === 'EXCHANGE') return line === '' || line === '*' ? line : '***';
  const blank = line.indexOf(' ');
  const keyword = blank < 0 ? line : line.slice(0, blank);
  const row = rowOf(keyword);
  if (row !== undefined && !row.secret) return withoutMore(line, row.args.length);
  // A client that is out of step may send a response, which is a password, where a command belongs.
  if (row === undefined && !/^[A-Za-z]{3,4}$/.test(keyword)) return '***';
  return blank < 0 ? keyword : `${keyword} ***`;
}

/** What comes after the arguments a command has may be a password: `USER name password`. */
function withoutMore(line: string, args: number): string {
  const words = line.split(' ');
  if (words.slice(1 + args).every((word) => word === '')) return line;
  return [...words.slice(0, 1 + args), '***'].join(' ');
}

function run(session: Session, line: string): Reply | Promise<Reply> {
  session.commands++;
  const blank = line.indexOf(' ');
  const row = rowOf(blank < 0 ? line : line.slice(0, blank));
  // PASS comes immediately after USER, RFC 1939 section 7: anything in between and the name is forgotten.
  if (session.state === 'AUTHORIZATION' && row?.name !== 'PASS') session.login = undefined;
  if (row === undefined) throw new Fault('syntax', 'unknown command');
  if (!row.isIn(session)) throw wrongState(session);
  const words = blank < 0 ? [] : wordsOf(line, blank + 1);
  const args = row.args.map((arg) => arg(words));
  // Blanks at the end of the line are no arguments: the predecessor took them, and clients send them.
  if (words.some((word) => word !== '')) throw new Fault('syntax', 'too many arguments');
  return row.run(session, args);
}

/** As `split` makes them, which for a line of a few words takes longer than the rest of a command. */
function wordsOf(line: string, start: number): string[] {
  const words: string[] = [];
  let from = start;
  for (let blank = line.indexOf(' ', from); blank >= 0; blank = line.indexOf(' ', from)) {
    words.push(line.slice(from, blank));
    from = blank + 1;
  }
  words.push(line.slice(from));
  return words;
}

function wrongState(session: Session): Fault {
  if (session.state === 'AUTHORIZATION') return new Fault('wrong-state', 'log in first');
  return new Fault('wrong-state', session.state === 'TRANSACTION' ? 'only before login' : 'the session is over');
}

function rowOf(keyword: string): Row | undefined {
  // Letters of ASCII only: beyond it, upper case can change what a word is ("pa\xdf" would be PASS).
  return commands.get(keyword) ?? (/^[a-zA-Z0-9]+$/.test(keyword) ? commands.get(keyword.toUpperCase()) : undefined);
}
