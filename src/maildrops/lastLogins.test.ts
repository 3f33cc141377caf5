import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { parseDomainName, parseUserName } from '../model/address.ts';
import { type Log, silent } from '../model/log.ts';
import type { Mailbox } from '../model/mailbox.ts';
import { createLastLogins } from './lastLogins.ts';

function mailboxOf(user: string, domain: string | undefined): Mailbox {
  const name = parseUserName(user);
  assert.ok(name);
  const home = domain === undefined ? undefined : parseDomainName(domain);
  return { name: domain === undefined ? user : `${user}@${domain}`, user: name, domain: home, home: undefined, owner: undefined };
}

const ada = mailboxOf('ada', 'example.org');

test('a login is too soon until the delay has passed', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'last-logins-'));
  t.after(() => rmSync(folder, { recursive: true }));
  let nowMs = 1_790_000_000_123;
  const logins = createLastLogins({ folder: join(folder, 'logins'), now: () => nowMs, log: silent });
  assert.equal(logins.tooSoon(ada, 60), false);
  logins.note(ada);
  assert.equal(logins.tooSoon(ada, 60), true);
  nowMs += 59_999;
  assert.equal(logins.tooSoon(ada, 60), true);
  nowMs += 1;
  assert.equal(logins.tooSoon(ada, 60), false);
  logins.note(ada);
  assert.equal(logins.tooSoon(ada, 60), true);
});

test('mailboxes with the same user name are kept apart, also from a system user', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'last-logins-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const logins = createLastLogins({ folder, now: () => 1_790_000_000_000, log: silent });
  logins.note(ada);
  assert.equal(logins.tooSoon(mailboxOf('ada', 'example.com'), 60), false);
  assert.equal(logins.tooSoon(mailboxOf('ada', undefined), 60), false);
  logins.note(mailboxOf('ada', undefined));
  assert.equal(logins.tooSoon(mailboxOf('ada', undefined), 60), true);
});

test('another process knows, and so does the next one after a restart', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'last-logins-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const program = `
    import { createLastLogins } from ${JSON.stringify(import.meta.resolve('./lastLogins.ts'))};
    const mailbox = { name: 'ada@example.org', user: 'ada', domain: 'example.org' };
    createLastLogins({ folder: ${JSON.stringify(folder)}, now: () => 1790000000000, log: console }).note(mailbox);`;
  await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program]);
  const logins = createLastLogins({ folder, now: () => 1_790_000_059_999, log: silent });
  assert.equal(logins.tooSoon(ada, 60), true);
});

test('a clock that was put back keeps nobody out', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'last-logins-'));
  t.after(() => rmSync(folder, { recursive: true }));
  let nowMs = 1_790_000_000_000;
  const logins = createLastLogins({ folder, now: () => nowMs, log: silent });
  logins.note(ada);
  nowMs -= 3_600_000;
  assert.equal(logins.tooSoon(ada, 60), false);
});

test('where nothing can be read or written, everybody is let in and the log says so', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'last-logins-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'a file');
  writeFileSync(file, '');
  const events: string[] = [];
  const log: Log = { ...silent, warn: (event) => void events.push(event) };
  const logins = createLastLogins({ folder: file, now: () => 1_790_000_000_000, log });
  logins.note(ada);
  assert.equal(logins.tooSoon(ada, 60), false);
  assert.deepEqual(events, ['last-logins.unwritable']);
});
