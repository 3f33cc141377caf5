/** By SMTP, to where the mail server takes mail from this host without a login. RFC 5321, with 8BITMIME and SMTPUTF8 where they are offered. */
import { isIP } from 'node:net';
import { Readable } from 'node:stream';
import SMTPConnection, { type SMTPConnectionSendInfo } from 'nodemailer/lib/smtp-connection';
import type { Octets } from '../model/octets.ts';
import type { SubmissionEnvelope } from '../model/submission.ts';
import { notNow, refused } from './faults.ts';
import type { SubmissionOptions } from './options.ts';

type Parts = Pick<SubmissionOptions, 'smtp' | 'hostname'> & { readonly timeoutMs: number };

/**
 * Where the server takes some recipients and refuses others, those taken get the message, and the fault is about the others.
 * The end of the message is what the server waits for: were we killed in the middle, it would forget what it has.
 * @throws Fault temporary, permanent; what reading `message` throws
 */
export async function submitBySmtp(message: Octets, envelope: SubmissionEnvelope, { smtp, hostname, timeoutMs }: Parts): Promise<void> {
  const connection = new SMTPConnection({
    host: smtp.host,
    port: smtp.port,
    name: hostname,
    secure: false,
    // On the host itself there is nobody to hide from, and elsewhere a certificate for an address can't be asked for.
    ...(isLoopback(smtp.host) ? { ignoreTLS: true } : { opportunisticTLS: true, tls: { rejectUnauthorized: false } }),
    connectionTimeout: timeoutMs,
    greetingTimeout: timeoutMs,
    socketTimeout: timeoutMs,
  });
  const limit = Promise.withResolvers<never>();
  // One that comes when nobody waits for it any more is of no interest.
  limit.promise.catch(() => {});
  const timer = setTimeout(() => limit.reject(notNow('the mail server took too long')), timeoutMs);
  connection.on('error', (error: Error) => limit.reject(notNow(error)));
  connection.on('end', () => limit.reject(notNow('the mail server closed the connection')));
  try {
    await Promise.race([connected(connection), limit.promise]);
    const info = await Promise.race([sent(connection, message, envelope), limit.promise]);
    if (info.rejected.length > 0) throw refusal(info.rejectedErrors ?? []);
    connection.quit();
  } catch (thrown) {
    connection.close();
    throw thrown;
  } finally {
    clearTimeout(timer);
  }
}

function connected(connection: SMTPConnection): Promise<void> {
  return new Promise((resolve, reject) => connection.connect((error) => (error ? reject(notNow(error)) : resolve())));
}

function sent(connection: SMTPConnection, message: Octets, { sender, recipients }: SubmissionEnvelope): Promise<SMTPConnectionSendInfo> {
  async function* pieces(): AsyncGenerator<Buffer, void> {
    // Copied: a piece is good until the next one is asked for, and streams read ahead.
    for await (const piece of message) yield Buffer.from(piece);
  }
  return new Promise((resolve, reject) => {
    const stream = Readable.from(pieces(), { objectMode: false });
    stream.on('error', (thrown) => {
      reject(thrown);
      // The end of the message must not follow a message that couldn't be read to its end.
      connection.close();
    });
    connection.send({ from: sender, to: [...recipients], use8BitMime: true }, stream, (error, info) => {
      if (error) reject(refusal([error]));
      else if (info) resolve(info);
      else reject(notNow('the mail server gave no answer'));
    });
  });
}

interface Refusal extends Error {
  readonly responseCode?: number | undefined;
  readonly response?: string | undefined;
  readonly command?: string | undefined;
}

/** For good only where each of them is. */
function refusal(errors: readonly Refusal[]) {
  const waits = errors.find((error) => !isFinal(error));
  if (waits !== undefined) return notNow(waits);
  const [first] = errors;
  return first === undefined ? notNow('the mail server refused a recipient') : refused(first.response ?? first.message);
}

/** API: an address that can't stand in an envelope. */
function isFinal({ responseCode, command }: Refusal): boolean {
  return command === 'API' || (responseCode !== undefined && responseCode >= 500 && responseCode !== 530);
}

function isLoopback(host: string): boolean {
  return isIP(host) === 6 ? host === '::1' : host.startsWith('127.');
}
