import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { originalRecipient, pathArgument } from '../../lmtp/arguments.ts';
import { formatPath, orcpt, partAddress } from './mailAddress.ts';

test('addresses as Postfix writes them, RFC 5322 section 3.4.1', () => {
  const cases: [string, { local: string; domain: string } | undefined][] = [
    ['abc@kvt.dk', { local: 'abc', domain: 'kvt.dk' }],
    ['"a b"@kvt.dk', { local: 'a b', domain: 'kvt.dk' }],
    ['"a\\"b"@kvt.dk', { local: 'a"b', domain: 'kvt.dk' }],
    ['"a@b"@kvt.dk', { local: 'a@b', domain: 'kvt.dk' }],
    ['$(id)@kvt.dk', { local: '$(id)', domain: 'kvt.dk' }],
    ['abc@[192.0.2.1]', { local: 'abc', domain: '[192.0.2.1]' }],
    ['abc', undefined],
    ['@kvt.dk', undefined],
    ['abc@', undefined],
    ['a b@kvt.dk', { local: 'a b', domain: 'kvt.dk' }],
    ['a"b@kvt.dk', { local: 'a"b', domain: 'kvt.dk' }],
    ['"a"b"@kvt.dk', undefined],
    ['abc@kvt.dk>', undefined],
    ['a\r\nb@kvt.dk', undefined],
    ['"a\nb"@kvt.dk', undefined],
    ['a\0b@kvt.dk', undefined],
    [`${'x'.repeat(1000)}@kvt.dk`, undefined],
  ];
  for (const [text, parts] of cases) assert.deepEqual(partAddress(text), parts, text);
});

test('quotes only where RFC 5321 section 4.1.2 wants them', () => {
  const cases: [string, string][] = [
    ['abc+tag', 'abc+tag@kvt.dk'],
    ["o'neil", "o'neil@kvt.dk"],
    ['a b', '"a b"@kvt.dk'],
    ['a"b\\c', '"a\\"b\\\\c"@kvt.dk'],
    ['$(id)', '"$(id)"@kvt.dk'],
    ['a@b', '"a@b"@kvt.dk'],
  ];
  for (const [local, path] of cases) assert.equal(formatPath({ local, domain: 'kvt.dk' }), path);
});

test('whatever may be an address, the server reads as it was meant', () => {
  const octet = fc.integer({ min: 0x20, max: 0xff }).map((code) => String.fromCharCode(code));
  const local = fc.string({ unit: octet, minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(local, (raw) => {
      const text = Buffer.from(raw, 'latin1').toString('utf8');
      fc.pre(!/[\u007f-\u009f\u2028\u2029\ufffd]/.test(text));
      const path = formatPath({ local: raw, domain: 'kvt.dk' });
      fc.pre(partAddress(path) !== undefined);
      const line = Buffer.from(`RCPT TO:<${path}> ORCPT=${orcpt(path)}`, 'latin1').toString('utf8');
      const argument = pathArgument(line, 'TO');
      const meant = Buffer.from(path, 'latin1').toString('utf8');
      assert.equal(argument?.path, meant);
      assert.equal(originalRecipient(String(argument?.parameters.get('ORCPT'))), meant);
    }),
  );
});
