/** What fronts tell each other, in octets: one message holds many news. */
import { RecordReader, RecordWriter } from './octetRecords.ts';
import type { PasswordMark } from './repeats.ts';

export type News = FailureNews | WayNews | CountNews | FetchedNews | RelayedNews;

/** A guess. Repeats of the same wrong password are no news. */
export interface FailureNews {
  readonly kind: 'failure';
  /** `undefined`: of nobody who could exist. */
  readonly account: string | undefined;
  readonly source: string;
  readonly device: number;
  readonly password: PasswordMark | undefined;
}

/** A login by a way that is new, or was last told of long ago. */
export interface WayNews {
  readonly kind: 'way';
  readonly account: string;
  readonly source: string;
  readonly device: number;
}

/** How many connections a front has by that key; 0: none worth telling. */
export interface CountNews {
  readonly kind: 'count';
  /** 32 bits, different in each front. */
  readonly front: number;
  /** What is counted. */
  readonly table: string;
  readonly key: string;
  readonly connections: number;
}

/** Mail was fetched from there for that account. */
export interface FetchedNews {
  readonly kind: 'fetched';
  readonly account: string;
  readonly source: string;
  /** ms since 1970. */
  readonly atMs: number;
}

/** Having done so was enough for that account to send, for the first time that day. */
export interface RelayedNews {
  readonly kind: 'relayed';
  readonly account: string;
  readonly source: string;
}

const VERSION = 1;
const FAILURE = 1;
const WAY = 2;
const COUNT = 3;
const FETCHED = 4;
const RELAYED = 5;

/** Messages begin with it. */
export function beginNews(): RecordWriter {
  const writer = new RecordWriter();
  writer.number(VERSION, 1);
  return writer;
}

export function writeNews(writer: RecordWriter, news: News): void {
  switch (news.kind) {
    case 'failure':
      writer.number(FAILURE, 1);
      writer.text(news.account ?? '');
      writer.text(news.source);
      writer.number(news.device, 4);
      // 48 bits of a digest are 0 once in 10^14 times, and then a repeated password counts twice.
      writer.number(news.password ?? 0, 6);
      break;
    case 'way':
      writer.number(WAY, 1);
      writer.text(news.account);
      writer.text(news.source);
      writer.number(news.device, 4);
      break;
    case 'fetched':
      writer.number(FETCHED, 1);
      writer.text(news.account);
      writer.text(news.source);
      writer.number(Math.max(0, Math.floor(news.atMs)), 6);
      break;
    case 'relayed':
      writer.number(RELAYED, 1);
      writer.text(news.account);
      writer.text(news.source);
      break;
    case 'count':
      writer.number(COUNT, 1);
      writer.number(news.front, 4);
      writer.text(news.table);
      writer.text(news.key);
      writer.number(Math.min(news.connections, 0xffff_ffff), 4);
      break;
  }
}

/** As far as they can be understood. */
export function* readNews(octets: Buffer): Generator<News> {
  const reader = new RecordReader(octets);
  if (reader.number(1) !== VERSION) return;
  while (!reader.isAtEnd) {
    const news = readOne(reader, reader.number(1));
    if (news === undefined) return;
    yield news;
  }
}

function readOne(reader: RecordReader, kind: number | undefined): News | undefined {
  if (kind === COUNT) {
    const front = reader.number(4);
    const table = reader.text();
    const key = reader.text();
    const connections = reader.number(4);
    if (front === undefined || table === undefined || key === undefined || connections === undefined) return undefined;
    return { kind: 'count', front, table, key, connections };
  }
  const account = reader.text();
  const source = reader.text();
  if (account === undefined || source === undefined) return undefined;
  if (kind === RELAYED) return { kind: 'relayed', account, source };
  if (kind === FETCHED) {
    const atMs = reader.number(6);
    return atMs === undefined ? undefined : { kind: 'fetched', account, source, atMs };
  }
  const device = reader.number(4);
  if (device === undefined) return undefined;
  if (kind === WAY) return { kind: 'way', account, source, device };
  const password = reader.number(6);
  if (kind !== FAILURE || password === undefined) return undefined;
  return {
    kind: 'failure',
    account: account === '' ? undefined : account,
    source,
    device,
    password: password === 0 ? undefined : password,
  };
}
