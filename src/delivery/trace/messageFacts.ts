/** By what a message is found again: what the server that handed it over called it, and what its author did. */
import { fieldValue, headerFields } from '../../message/header.ts';

export interface MessageFacts {
  readonly queueId: string | undefined;
  /** With its angle brackets. */
  readonly messageId: string | undefined;
}

const LONGEST = 998;

/** @param head of the message as it came in. The first Received field is of the server that handed it over. */
export function messageFacts(head: Uint8Array): MessageFacts {
  let queueId: string | undefined;
  let messageId: string | undefined;
  let received = false;
  for (const field of headerFields(head)) {
    const name = field.name.toLowerCase();
    if (name === 'received' && !received) {
      received = true;
      queueId = queueIdOf(fieldValue(head, field));
    } else if (name === 'message-id' && messageId === undefined) {
      messageId = fieldValue(head, field).slice(0, LONGEST) || undefined;
    }
    if (received && messageId !== undefined) break;
  }
  return { queueId, messageId };
}

/**
 * The id clause of a Received field, RFC 5321 section 4.4: Postfix, Exim and sendmail put there what their logs and queue listings call the
 * message. It comes after `by`; comments, and what the client called itself, come from elsewhere.
 */
export function queueIdOf(received: string): string | undefined {
  const clauses = withoutComments(received).replace(/;[^;]*$/, '');
  const by = /(?:^|\s)by\s/i.exec(clauses);
  if (by === null) return undefined;
  const [, id] = /\sid\s+<?([^\s<>;]{1,100})/i.exec(clauses.slice(by.index)) ?? [];
  return id;
}

/** RFC 5322 section 3.2.2: they nest, and a backslash takes the next character along. */
function withoutComments(text: string): string {
  let depth = 0;
  let kept = '';
  for (let at = 0; at < text.length; at++) {
    const c = text[at];
    if (c === '\\' && depth > 0) at++;
    else if (c === '(') depth++;
    else if (c === ')' && depth > 0) depth--;
    else if (depth === 0) kept += c;
  }
  return kept;
}
