/** What is remembered, as octets that outlive a restart. Wrong passwords are left out: nothing made of one rests on the disc. */
import { crc32 } from 'node:zlib';
import { networkOf } from '../model/networks.ts';
import type { Memory } from './memory.ts';
import { RecordReader, RecordWriter } from './octetRecords.ts';
import type { TallyEntry } from './tally.ts';

/** "PkTh", then the version. */
const SIGNATURE = 0x506b5468;
const VERSION = 2;
/** Of 0.2. */
const BEFORE_RECENT_LOGINS = 1;
/** Of the checksum at the end. */
const CHECKSUM = 4;

/** Levels are written in hundredths. */
const PER_LEVEL = 100;

interface Table {
  entries(nowMs: number): Iterable<TallyEntry>;
  put(entry: TallyEntry): void;
}

export function snapshotOf(memory: Memory, nowMs: number): Buffer {
  const writer = new RecordWriter(64 * 1024);
  writer.number(SIGNATURE, 4);
  writer.number(VERSION, 1);
  writer.number(Math.max(0, Math.floor(nowMs)), 6);
  for (const table of tablesOf(memory)) {
    for (const { key, level } of table.entries(nowMs)) {
      writer.text(key);
      writer.number(Math.round(level * PER_LEVEL), 4);
    }
    writer.text('');
  }
  for (const { account, source, device, usedMs } of memory.ways.entries(nowMs)) {
    writer.text(account);
    writer.text(source);
    writer.number(device, 4);
    writer.number(Math.max(0, Math.floor(usedMs)), 6);
  }
  writer.text('');
  for (const rows of [memory.recent.entries(nowMs), memory.relays.entries(nowMs)]) {
    for (const { account, source, atMs } of rows) {
      writer.text(account);
      writer.text(source);
      writer.number(Math.max(0, Math.floor(atMs)), 6);
    }
    writer.text('');
  }
  writer.number(crc32(writer.take()), CHECKSUM);
  return writer.take();
}

/** Adds what a snapshot holds. Times in the future become now. @returns false for octets that are no snapshot of ours, of which nothing is taken */
export function restoreInto(memory: Memory, octets: Buffer, nowMs: number): boolean {
  const body = octets.subarray(0, Math.max(0, octets.length - CHECKSUM));
  if (octets.length < CHECKSUM || octets.readUInt32BE(body.length) !== crc32(body)) return false;
  const reader = new RecordReader(body);
  if (reader.number(4) !== SIGNATURE) return false;
  const version = reader.number(1);
  if (version !== VERSION && version !== BEFORE_RECENT_LOGINS) return false;
  const writtenMs = reader.number(6);
  if (writtenMs === undefined) return false;
  const atMs = Math.min(writtenMs, nowMs);
  for (const table of tablesOf(memory)) {
    for (let key = reader.text(); key !== ''; key = reader.text()) {
      const level = reader.number(4);
      if (key === undefined || level === undefined) return false;
      table.put({ key, level: level / PER_LEVEL, atMs });
    }
  }
  for (let account = reader.text(); account !== ''; account = reader.text()) {
    const source = reader.text();
    const device = reader.number(4);
    const usedMs = reader.number(6);
    if (account === undefined || source === undefined || device === undefined || usedMs === undefined) return false;
    memory.ways.put(account, { source, network: networkOf(source), device }, Math.min(usedMs, nowMs));
  }
  if (version === BEFORE_RECENT_LOGINS) return reader.isAtEnd;
  for (const table of [memory.recent, memory.relays]) {
    for (let account = reader.text(); account !== ''; account = reader.text()) {
      const source = reader.text();
      const writtenAtMs = reader.number(6);
      if (account === undefined || source === undefined || writtenAtMs === undefined) return false;
      table.put({ account, source, atMs: Math.min(writtenAtMs, nowMs) });
    }
  }
  return reader.isAtEnd;
}

function tablesOf({ sources, guessers, accounts, networks }: Memory): readonly Table[] {
  return [sources, guessers, accounts, networks];
}
