/** The answer of somebody who is away, as a message: RFC 3834 section 3. */
import MimeNode from 'nodemailer/lib/mime-node';
import { fieldValues } from '../message/header.ts';
import type { Vacation } from '../model/directory.ts';

export interface VacationMessage {
  readonly vacation: Vacation;
  /** The user's address that was written to. */
  readonly from: string;
  /** The envelope sender of the message that is answered. */
  readonly to: string;
  /** The beginning of that message. */
  readonly head: Uint8Array;
  /** Stands for a subject where there is none. */
  readonly noSubject: string;
  readonly date: Date;
  /** Without angle brackets; no other message has it. */
  readonly id: string;
}

/** Characters of what is taken over from the message that is answered. */
const MOST_SUBJECT = 500;
const MOST_REFERENCES = 2000;
/** RFC 5322 section 3.6.4, as far as it has to be known here; a line has 998 characters at most. */
const messageId = /<[^<>\s]{3,996}>/g;

export async function writeVacation({ vacation, from, to, head, noSubject, date, id }: VacationMessage): Promise<Buffer> {
  const [answered] = idsIn(head, 'Message-ID');
  const node = new MimeNode('text/plain; charset=utf-8', { newline: 'win', disableFileAccess: true, disableUrlAccess: true });
  node.setHeader('From', { name: '', address: from });
  node.setHeader('To', { name: '', address: to });
  node.setHeader('Subject', vacation.subject ?? `Auto: ${subjectOf(head) ?? noSubject}`);
  node.setHeader('Date', date);
  node.setHeader('Message-ID', `<${id}>`);
  if (answered !== undefined) {
    node.setHeader('In-Reply-To', answered);
    node.setHeader('References', [...referencesOf(head), answered].join(' '));
  }
  node.setHeader('Auto-Submitted', 'auto-replied');
  // What Exchange looks at instead.
  node.setHeader('X-Auto-Response-Suppress', 'All');
  node.setContent(vacation.text.endsWith('\n') ? vacation.text : `${vacation.text}\n`);
  return node.build();
}

/** As it stands there, with its encoded words: what is said in them stays as it was. */
function subjectOf(head: Uint8Array): string | undefined {
  const [subject = ''] = fieldValues(head, 'Subject');
  const text = subject.replace(/\s+/g, ' ').trim();
  // Cut, an encoded word would be none.
  return text === '' || text.length > MOST_SUBJECT ? undefined : text;
}

/** RFC 5322 section 3.6.4: those of the message, or what it answers. The first one and the last ones, where they are too many. */
function referencesOf(head: Uint8Array): readonly string[] {
  const own = idsIn(head, 'References');
  const [first, ...others] = own.length > 0 ? own : idsIn(head, 'In-Reply-To');
  if (first === undefined) return [];
  let left = MOST_REFERENCES - first.length;
  const last: string[] = [];
  for (const id of others.reverse()) {
    left -= id.length + 1;
    if (left < 0) break;
    last.push(id);
  }
  return [first, ...last.reverse()];
}

function idsIn(head: Uint8Array, name: string): readonly string[] {
  return fieldValues(head, name).join(' ').slice(0, 65_536).match(messageId) ?? [];
}
