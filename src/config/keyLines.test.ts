import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from 'smol-toml';
import { type KeyPath, keyLines } from './keyLines.ts';

const document = `# a comment with = and [brackets]
plain = 1
dotted.key = { inner = "x" } # = [
"quo.ted" = """
[not.a.table]
key = 1
"""
'lit=eral' = [
  "a", # ]
  """b
]""",
]
long = '''
x'''

[table]
key = "]"
[ table . "sub.table" ]
'key' = 2
"caf\\u00e9" = 3
[[list]]
key = 1
[[list]]
key = 2
[list.deeper]
key = 3
[[list.inner]]
key = 4
`;

test('each key has the line it stands on', () => {
  parse(document); // what is read here must be TOML
  const { lineOf } = keyLines(document);
  const cases: [KeyPath, number][] = [
    [['plain'], 2],
    [['dotted'], 3],
    [['dotted', 'key'], 3],
    [['dotted', 'key', 'inner'], 3],
    [['quo.ted'], 4],
    [['lit=eral'], 8],
    [['lit=eral', 2], 8],
    [['long'], 13],
    [['table'], 16],
    [['table', 'key'], 17],
    [['table', 'sub.table'], 18],
    [['table', 'sub.table', 'key'], 19],
    [['table', 'sub.table', 'café'], 20],
    [['list'], 21],
    [['list', 0], 21],
    [['list', 0, 'key'], 22],
    [['list', 1], 23],
    [['list', 1, 'key'], 24],
    [['list', 1, 'deeper'], 25],
    [['list', 1, 'deeper', 'key'], 26],
    [['list', 1, 'inner', 0, 'key'], 28],
    [['nowhere'], 1],
    [['table', 'nowhere'], 16],
  ];
  for (const [path, line] of cases) assert.equal(lineOf(path), line, path.join(' '));
});

test('line ends may be CRLF', () => {
  const { lineOf } = keyLines(document.replaceAll('\n', '\r\n'));
  assert.equal(lineOf(['list', 1, 'key']), 24);
});
