import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Directory } from '../model/directory.ts';
import { Fault } from '../model/fault.ts';
import type { OpenOptions } from '../model/maildrop.ts';
import { answer } from './dialogue.ts';
import { facts, fakes } from './fakes.test.ts';
import type { LastLogins } from './host.ts';
import { startSession } from './session.ts';

test('a login with s- asks the store to leave Status: alone, others do not', async () => {
  const asked: (OpenOptions | undefined)[] = [];
  const good = fakes();
  const { host } = fakes({
    store: {
      async open(_, options) {
        asked.push(options);
        return good.maildrop;
      },
    },
  });
  for (const login of ['ada', 's-ada']) {
    const { session } = startSession(host, facts);
    await answer(session, `USER ${login}`);
    await answer(session, 'PASS lovelace');
  }
  assert.deepEqual(asked, [{ noStatus: false }, { noStatus: true }]);
});

test('a login is noted once the maildrop is open, and only where there is a delay', async () => {
  const acts: string[] = [];
  const lastLogins: LastLogins = {
    tooSoon: ({ name }, delayS) => {
      acts.push(`${name} within ${delayS} s?`);
      return false;
    },
    note: ({ name }) => void acts.push(`${name} noted`),
  };
  const good = fakes();
  const open = async () => {
    acts.push('open');
    return good.maildrop;
  };
  for (const loginDelayS of [60, 0]) {
    const { host } = fakes({ store: { open }, host: { lastLogins, limits: { expireDays: 'never', loginDelayS } } });
    const { session } = startSession(host, facts);
    await answer(session, 'USER ada');
    await answer(session, 'PASS lovelace');
  }
  assert.deepEqual(acts, ['ada within 60 s?', 'open', 'ada noted', 'open']);
});

test('a maildrop that was not opened is no login', async () => {
  const acts: string[] = [];
  const { host } = fakes({
    store: { open: () => Promise.reject(new Error('EIO')) },
    host: {
      lastLogins: { tooSoon: () => false, note: () => void acts.push('noted') },
      limits: { expireDays: 'never', loginDelayS: 60 },
    },
  });
  const { session } = startSession(host, facts);
  await answer(session, 'USER ada');
  assert.equal((await answer(session, 'PASS lovelace')).status, '-ERR');
  assert.deepEqual(acts, []);
});

test('a mechanism that is not announced lets an account in that has what it takes', async () => {
  const { host: base } = fakes();
  const { account } = await base.directory.authenticate(
    { login: 'ada', arrival: facts.arrival },
    { kind: 'password', password: Buffer.from('lovelace') },
    'pop3',
  );
  const directory: Directory = {
    ...base.directory,
    proofKinds: () => new Set(['password']),
    authenticate: async (_, proof) => {
      if (proof.kind !== 'cram-md5') throw new Fault('auth', 'authentication failed');
      return { account, noStatus: false };
    },
  };
  const { session } = startSession(fakes({ host: { directory } }).host, facts);
  const listed = await answer(session, 'AUTH');
  assert.deepEqual([...(listed.rows ?? [])], ['PLAIN', 'LOGIN']);
  const { enters = session } = await answer(session, 'AUTH CRAM-MD5');
  const response = Buffer.from('ada 0123456789abcdef0123456789abcdef').toString('base64');
  assert.equal((await answer(enters, response)).enters?.state, 'TRANSACTION');
});
