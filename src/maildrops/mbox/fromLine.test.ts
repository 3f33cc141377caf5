import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { dateOfFromLine, fromLine } from './fromLine.ts';

const local = (...parts: [number, number, number, number, number, number]): number => new Date(...parts).getTime();

/** Forms seen in mailboxes: asctime(3) of Postfix, without seconds, with zones before and after the year, RFC 5322 dates of older programs. */
const lines: readonly [string, number | undefined][] = [
  ['From ada@example.org  Thu Nov 24 18:22:48 1986\n', local(1986, 10, 24, 18, 22, 48)],
  ['From ada@example.org Sat Jan  3 01:05:34 1996\r\n', local(1996, 0, 3, 1, 5, 34)],
  ['From MAILER-DAEMON Sat Jan 03 01:05:34 1996   \n', local(1996, 0, 3, 1, 5, 34)],
  ['From "ada  l"@example.org Sat Jan  3 01:05 1996\n', local(1996, 0, 3, 1, 5, 0)],
  ['From ada Sat Jan  3 01:05:34 +0200 1996\n', Date.UTC(1996, 0, 2, 23, 5, 34)],
  ['From ada Sat Jan  3 01:05:34 1996 -0130\n', Date.UTC(1996, 0, 3, 2, 35, 34)],
  ['From ada Sat Jan  3 01:05:34 UTC 1996\n', Date.UTC(1996, 0, 3, 1, 5, 34)],
  ['From ada Feb  1 00:00:00 2000 remote from x\n', local(2000, 1, 1, 0, 0, 0)],
  ['From ada\n', undefined],
  ['From \n', undefined],
  ['From ada Sat Jen  3 01:05:34 1996\n', undefined],
  ['From ada Sat Jan  3 25:05:34 96\n', undefined],
];

test('dates of From lines', () => {
  for (const [line, expected] of lines) assert.equal(dateOfFromLine(Buffer.from(line), 0, line.length), expected, line);
});

test('a line that we write is read back to the second', () => {
  fc.assert(
    fc.property(fc.date({ min: new Date('1971-01-01'), max: new Date('2037-12-31'), noInvalidDate: true }), fc.string(), (at, sender) => {
      const line = fromLine(sender, at);
      assert.equal(line.indexOf('\n'), line.length - 1);
      assert.equal(line.indexOf('From '), 0);
      assert.equal(dateOfFromLine(line, 0, line.length), Math.floor(at.getTime() / 1000) * 1000);
    }),
  );
});

test('random octets have a date or none', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (octets) => {
      const date = dateOfFromLine(Buffer.from(octets), 0, octets.length);
      assert.ok(date === undefined || Number.isFinite(date));
    }),
  );
});
