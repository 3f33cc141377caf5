import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chosen, noChoices, parseStyles, renderStyles, type StyleChoices, styleOf } from './styleFile.ts';

const some: StyleChoices = {
  otherwise: 'lmtp',
  named: new Map([
    ['kvt.dk', 'jth'],
    ['old.example', 'none'],
  ]),
};

test('what is written is read again', () => {
  for (const choices of [noChoices, some]) assert.deepEqual(parseStyles(renderStyles(choices)), choices);
});

test('edited by hand: remarks, blanks and capitals, and the first line that makes no sense', () => {
  const table: [string, StyleChoices | number][] = [
    ['', noChoices],
    ['\n# x\n  KVT.dk\tjth # the oldest one\n* lmtp\nold.example none\n', some],
    ['* lmtp\nkvt.dk dovecot\n', 2],
    ['kvt.dk\n', 1],
    ['kvt.dk jth lmtp\n', 1],
  ];
  for (const [text, expected] of table) assert.deepEqual(parseStyles(text), expected, text);
});

test('--style is for the domains named with it, else for all that have none', () => {
  assert.equal(chosen(some, undefined, []), some);
  const one = chosen(some, 'virtual', ['new.example']);
  assert.deepEqual(
    ['kvt.dk', 'old.example', 'new.example', 'other.example'].map((name) => styleOf(one, name)),
    ['jth', 'none', 'virtual', 'lmtp'],
  );
  assert.equal(styleOf(chosen(some, 'virtual', []), 'other.example'), 'virtual');
});
