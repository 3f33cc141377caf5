/**
 * Reads the Prometheus text format, version 0.0.4, as strictly as its description has it: one HELP and one TYPE line before the samples of a
 * metric, which stand together; names, labels and values in their grammar; no sample twice.
 */
import assert from 'node:assert/strict';

export interface Family {
  readonly type: string;
  readonly help: string;
  /** `name{label="value"}` → value, as they are written. */
  readonly samples: Map<string, number>;
}

const nameLine = /^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.*)$/;
const label = '[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\\\\n]|\\\\[\\\\"n])*"';
const sampleLine = new RegExp(`^([a-zA-Z_:][a-zA-Z0-9_:]*)(\\{(?:${label}(?:,${label})*)?\\})? (\\S+)$`);

export function parseMetrics(text: string): Map<string, Family> {
  assert.match(text, /\n$/, 'the last line has its line end');
  const families = new Map<string, Family>();
  let open: { name: string; help: string | undefined } | undefined;
  for (const line of text.slice(0, -1).split('\n')) {
    if (line === '') continue;
    const [, what, named = '', rest = ''] = nameLine.exec(line) ?? [];
    if (what === 'HELP') {
      assert.ok(!families.has(named), `${named} is there twice`);
      assert.doesNotMatch(rest, /^\s*$|\\(?![\\n])/, line);
      open = { name: named, help: rest };
    } else if (what === 'TYPE') {
      assert.equal(open?.name, named, line);
      assert.match(rest, /^(counter|gauge)$/, line);
      families.set(named, { type: rest, help: open?.help ?? '', samples: new Map() });
    } else {
      const [, name = '', labels = '', value = ''] = sampleLine.exec(line) ?? assert.fail(`no sample: ${line}`);
      const family = families.get(name) ?? assert.fail(`${name} was not announced`);
      assert.equal(open?.name, name, `${name} does not stand together`);
      assert.match(value, /^(\d+(\.\d+)?(e[+-]?\d+)?)$/, line);
      assert.ok(!family.samples.has(name + labels), `${name}${labels} is there twice`);
      family.samples.set(name + labels, Number(value));
    }
  }
  return families;
}

/** Every sample, in the order of the text. */
export function samplesOf(text: string): [string, number][] {
  return [...parseMetrics(text).values()].flatMap(({ samples }) => [...samples]);
}
