/** What became of one message for one envelope recipient, as a line that is found again. */

export type TraceResult = (typeof results)[number];
/** `delivered`: it is where it was to go. `deferred`, `refused`: a 4xx or 5xx reply to RCPT or after the message. */
const results = ['delivered', 'deferred', 'refused'] as const;

export interface TraceRecord {
  /** ISO 8601, UTC. */
  readonly time: string;
  readonly result: TraceResult;
  /** Ours: of the session where RCPT was refused, else of the transaction, as in the log and in the Received line. */
  readonly id: string;
  /** Of the server that handed it over, from its Received line. */
  readonly queueId?: string | undefined;
  /** With its angle brackets. */
  readonly messageId?: string | undefined;
  /** Envelope sender; empty for a bounce. */
  readonly sender: string;
  /** Envelope recipient as it came in RCPT. */
  readonly recipient: string;
  /** What it was before the aliases of the server that handed it over. */
  readonly original?: string | undefined;
  /** Address of that server, or `local` over a Unix socket. */
  readonly client: string;
  /** The rules that led there, each with what it said. */
  readonly steps: readonly (readonly [rule: string, outcome: string])[];
  /** Mailboxes, and addresses that it went on to. */
  readonly to: readonly string[];
  /** Status code and reason, where it isn't delivered. */
  readonly why?: string | undefined;
  readonly octets?: number | undefined;
  readonly ms?: number | undefined;
}

/** What is told of each message. Never throws, and keeps nobody waiting. */
export interface DeliveryTrace {
  note(record: TraceRecord): void;
}

export const noTrace: DeliveryTrace = { note() {} };

/** One write(2) of at most so much is in one piece, whoever else appends to the file. */
export const LONGEST_LINE = 4096;

/** Characters of a text and of a step, and how many steps and destinations: the first that fits is taken. Each character takes six at most. */
const measures = [
  { text: 500, step: 120, steps: 12, to: 20 },
  { text: 250, step: 80, steps: 6, to: 6 },
  { text: 100, step: 30, steps: 2, to: 2 },
  { text: 50, step: 20, steps: 2, to: 2 },
] as const;

type Measure = (typeof measures)[number];

/** One line of ASCII JSON with its line end: nothing that a sender chooses can begin another, or a terminal's escape sequence. */
export function recordLine(record: TraceRecord): string {
  let line = '';
  for (const measure of measures) {
    line = lineOf(shortened(record, measure));
    if (line.length <= LONGEST_LINE) break;
  }
  return line;
}

function lineOf(record: TraceRecord): string {
  return `${asciiJson(record)}\n`;
}

/** As JSON in printable ASCII. */
export function asciiJson(record: TraceRecord): string {
  return JSON.stringify(record).replace(/[\u007f-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function shortened(record: TraceRecord, measure: Measure): TraceRecord {
  const cut = (text: string, longest: number = measure.text) => (text.length <= longest ? text : `${text.slice(0, longest - 1)}…`);
  const { queueId, messageId, original, steps, to, why } = record;
  return {
    ...record,
    id: cut(record.id),
    queueId: queueId && cut(queueId),
    messageId: messageId && cut(messageId),
    sender: cut(record.sender),
    recipient: cut(record.recipient),
    original: original && cut(original),
    client: cut(record.client),
    steps: steps.slice(-measure.steps).map(([rule, outcome]) => [cut(rule, measure.step), cut(outcome, measure.step)] as const),
    to: to.slice(0, measure.to).map((name) => cut(name)),
    why: why && cut(why),
  };
}

/** `undefined`: torn by a crash, or no record at all. */
export function readRecord(line: string): TraceRecord | undefined {
  let found: unknown;
  try {
    found = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof found !== 'object' || found === null) return undefined;
  const values = new Map<string, unknown>(Object.entries(found));
  const text = (key: string): string | undefined => {
    const value = values.get(key);
    return typeof value === 'string' ? value : undefined;
  };
  const number = (key: string): number | undefined => {
    const value = values.get(key);
    return typeof value === 'number' ? value : undefined;
  };
  const list = (key: string): readonly unknown[] => {
    const value = values.get(key);
    return Array.isArray(value) ? value : [];
  };
  const [time, result] = [text('time'), results.find((one) => one === values.get('result'))];
  const [id, sender, recipient, client] = [text('id'), text('sender'), text('recipient'), text('client')];
  if (time === undefined || Number.isNaN(Date.parse(time)) || result === undefined) return undefined;
  if (id === undefined || sender === undefined || recipient === undefined || client === undefined) return undefined;
  return {
    time,
    result,
    id,
    queueId: text('queueId'),
    messageId: text('messageId'),
    sender,
    recipient,
    original: text('original'),
    client,
    steps: list('steps').flatMap((step) => (isPair(step) ? [step] : [])),
    to: list('to').filter((name) => typeof name === 'string'),
    why: text('why'),
    octets: number('octets'),
    ms: number('ms'),
  };
}

function isPair(value: unknown): value is readonly [string, string] {
  return Array.isArray(value) && value.length === 2 && typeof value[0] === 'string' && typeof value[1] === 'string';
}
