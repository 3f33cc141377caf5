import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Fault } from '../model/fault.ts';
import { lazily, loadLibrary, systemError } from './native.ts';

test('a library that is not there is one fault that names it', () => {
  assert.throws(
    () => loadLibrary(['libpostkasse-none.so.1', 'libpostkasse-none.so.2']),
    (thrown) => {
      assert.ok(thrown instanceof Fault && thrown.cause instanceof Error);
      assert.equal(thrown.kind, 'temporary');
      assert.equal(thrown.cause.message, 'no shared library libpostkasse-none.so.1 or libpostkasse-none.so.2');
      return true;
    },
  );
});

test('lazily binds once, and tries anew after a failure', () => {
  let calls = 0;
  const value = lazily(() => {
    calls += 1;
    if (calls === 1) throw new Error('not yet');
    return calls;
  });
  assert.throws(value, { message: 'not yet' });
  assert.deepEqual([value(), value()], [2, 2]);
});

test('an error of the kernel is named as Node names it', () => {
  const error = systemError('fcntl', 9);
  assert.deepEqual({ ...error, message: error.message }, { message: 'EBADF: fcntl', code: 'EBADF', errno: -9, syscall: 'fcntl' });
});
