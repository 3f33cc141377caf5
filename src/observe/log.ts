/** Events to stderr or stdout, for people (line) or machines (json). */
import { createRequire } from 'node:module';
import type { Log, LogFields } from '../model/log.ts';
import { createLineWriter, type LineWriter } from './lineWriter.ts';

export type Level = 'debug' | 'info' | 'warn' | 'error';
export interface LogOptions {
  /** Less important events are dropped. */
  readonly level: Level;
  readonly format: 'line' | 'json';
  readonly writer?: LineWriter;
  readonly now?: () => number;
}

const require = createRequire(import.meta.url);
const levels: readonly Level[] = ['debug', 'info', 'warn', 'error'];
const padded: Readonly<Record<Level, string>> = { debug: 'debug', info: 'info ', warn: 'warn ', error: 'error' };

/** Fields that no event should have; whoever passes one by mistake tells nothing. */
const secret = new Set(['password', 'secret', 'digest', 'proof', 'verifier', 'token']);

export function createLog({ level, format, writer = createLineWriter(2), now = Date.now }: LogOptions): Log {
  const write = format === 'json' ? jsonEvents(level, writer, now) : lineEvents(writer, now);
  const lowest = levels.indexOf(level);
  const at = (of: Level) => (levels.indexOf(of) < lowest ? () => {} : (event: string, fields: LogFields = {}) => write(of, event, fields));
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

type Write = (level: Level, event: string, fields: LogFields) => void;

function jsonEvents(level: Level, writer: LineWriter, now: () => number): Write {
  // Only where it is wanted: it takes 35 ms to load, and 3 MB of every process.
  const { pino, stdSerializers } = require('pino') as typeof import('pino');
  const logger = pino(
    {
      level,
      messageKey: 'event',
      base: { pid: process.pid },
      timestamp: () => `,"time":"${new Date(now()).toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { cause: stdSerializers.errWithCause, error: stdSerializers.errWithCause },
    },
    writer,
  );
  return (of, event, fields) => logger[of](masked(fields), event);
}

function lineEvents(writer: LineWriter, now: () => number): Write {
  let lastMs = Number.NaN;
  let time = '';
  return (level, event, fields) => {
    const ms = now();
    if (ms !== lastMs) {
      lastMs = ms;
      time = new Date(ms).toISOString();
    }
    let line = `${time} ${padded[level]} ${event}`;
    for (const name in fields) {
      const value = fields[name];
      if (value !== undefined) line += ` ${name}=${secret.has(name) ? '***' : shown(value)}`;
    }
    writer.write(`${line}\n`);
  };
}

function masked(fields: LogFields): LogFields {
  for (const name in fields)
    if (secret.has(name)) return Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, secret.has(key) ? '***' : value]));
  return fields;
}

/** Quoted where it could be taken for two fields or two lines. */
function shown(value: unknown): string {
  if (typeof value === 'string') return quoted(value);
  if (value instanceof Error) return quoted(messages(value));
  if (typeof value === 'object' && value !== null)
    return quoted(JSON.stringify(value, (_, inner) => (typeof inner === 'bigint' ? String(inner) : inner)) ?? '');
  return String(value);
}

function quoted(value: string): string {
  return /^[\x21\x23-\x3c\x3e-\x7e]+$/.test(value)
    ? value
    : JSON.stringify(value).replace(/[\u007f-\u009f\u2028\u2029]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** With what caused it, and so on: the first one is often only "internal error". */
function messages(error: Error, depth = 0): string {
  const own = error.message || error.name;
  return error.cause instanceof Error && depth < 5 ? `${own}: ${messages(error.cause, depth + 1)}` : own;
}
