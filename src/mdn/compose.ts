/** The receipt itself: a multipart/report that says that a message was fetched. RFC 8098 section 3. */
import MimeNode from 'nodemailer/lib/mime-node';
import { headerFields } from '../message/header.ts';
import type { Speaker } from '../texts/speaker.ts';
import { formatMailAddress } from './mailAddress.ts';
import type { ReceiptRequest } from './request.ts';

export interface Occasion {
  readonly request: ReceiptRequest;
  /** Of the message, up to its blank line or further. */
  readonly header: Uint8Array;
  /** Whether the user said yes to this very receipt. */
  readonly consent: 'general' | 'particular';
  /** A tag the speaker knows. */
  readonly language: string;
  /** ms since 1970. */
  readonly nowMs: number;
}

export interface Means {
  readonly speaker: Speaker;
  /** What we call ourselves. */
  readonly hostname: string;
  /** That many octets nobody can guess. */
  readonly random: (octets: number) => Buffer;
}

/** Put there on the way, by servers, mailboxes and mail programs: it is none of the sender's business, and tells which account is behind an alias. */
const NOT_THE_SENDERS = new Set([
  ...['return-path', 'delivered-to', 'x-original-to', 'original-recipient', 'received'],
  ...['status', 'x-status', 'x-keywords', 'x-uid', 'x-imap', 'x-imapbase', 'content-length', 'lines'],
]);
/** Octets of the subject that is answered, in its own field and in the text. */
const LONGEST_SUBJECT = 200;

/** Lines end in CRLF. The envelope it goes in has no sender: RFC 8098 section 3. */
export async function compose(
  { request, header, consent, language, nowMs }: Occasion,
  { speaker, hostname, random }: Means,
): Promise<Buffer> {
  const { to, recipient, originalRecipient, messageId, date } = request;
  const subject = request.subject.slice(0, LONGEST_SUBJECT);
  const from = formatMailAddress(recipient);
  const report = new MimeNode('multipart/report; report-type=disposition-notification', {
    boundaryPrefix: 'receipt',
    baseBoundary: random(12).toString('hex'),
    // What strangers wrote is never taken for the name of a file.
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  report.setHeader([
    { key: 'From', value: { address: from } },
    { key: 'To', value: { address: formatMailAddress(to) } },
    { key: 'Subject', value: speaker.say('Receipt: {subject}', { subject }, language).trim() },
    { key: 'Date', value: new Date(nowMs) },
    { key: 'Message-ID', value: `<receipt.${random(12).toString('hex')}@${hostname}>` },
    ...(messageId === undefined ? [] : ['In-Reply-To', 'References'].map((key) => ({ key, value: messageId }))),
    { key: 'Auto-Submitted', value: 'auto-replied' },
  ]);

  const sentences = [
    speaker.say(
      'Your message to {recipient} was fetched from the mail server by the mail program of the recipient.',
      { recipient: from },
      language,
    ),
    ...(date === '' ? [] : [speaker.say('Sent: {date}', { date }, language)]),
    ...(subject === '' ? [] : [speaker.say('Subject: {subject}', { subject }, language)]),
    speaker.say('This does not mean that somebody has read it or understood it.', {}, language),
  ];
  report.createChild('text/plain; charset=utf-8').setContent(lines(sentences));

  report
    .createChild('message/disposition-notification')
    .setContent(
      lines([
        `Reporting-UA: ${hostname}; Postkasse`,
        ...(originalRecipient === undefined ? [] : [`Original-Recipient: ${originalRecipient}`]),
        `Final-Recipient: rfc822;${from}`,
        ...(messageId === undefined ? [] : [`Original-Message-ID: ${messageId}`]),
        `Disposition: automatic-action/${sendingMode[consent]}; processed`,
      ]),
    );
  report.createChild('text/rfc822-headers').setContent(sendersOwn(header));
  return report.build();
}

/** RFC 8098 section 3.2.6.1. */
const sendingMode = { general: 'MDN-sent-automatically', particular: 'MDN-sent-manually' } as const;

function lines(texts: readonly string[]): string {
  return texts.map((text) => `${text}\r\n`).join('');
}

/** The fields that the message set out with. A text where it is one, since octets are encoded whatever they are. */
function sendersOwn(header: Uint8Array): string | Buffer {
  const kept: Buffer[] = [];
  for (const { name, start, end } of headerFields(header)) {
    if (name === '' || NOT_THE_SENDERS.has(name.toLowerCase())) continue;
    kept.push(Buffer.from(header.buffer, header.byteOffset + start, end - start));
  }
  const written = Buffer.concat(kept).toString('latin1');
  const text = `${written.replace(/\r?\n|\r/g, '\r\n').trimEnd()}\r\n`;
  return /^[\t\r\n\u0020-\u007e]*$/.test(text) ? text : Buffer.from(text, 'latin1');
}
