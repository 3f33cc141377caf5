/** A unified diff, as diff(1) writes it. */

const CONTEXT = 3;
/** Beyond so many differing lines a file is shown as replaced as a whole: the time grows with their square. */
const MOST_EDITS = 2000;

interface Edit {
  readonly kind: ' ' | '-' | '+';
  readonly line: string;
}

/** `undefined`: there is no such file. Empty where the two are equal. */
export function unifiedDiff(path: string, before: string | undefined, after: string | undefined): string[] {
  if (before === after) return [];
  const edits = editsOf(linesOf(before ?? ''), linesOf(after ?? ''));
  return [`--- ${before === undefined ? '/dev/null' : path}`, `+++ ${after === undefined ? '/dev/null' : path}`, ...hunks(edits)];
}

/** A last line without line end is told from one with it, by diff(1)'s own remark. */
function linesOf(text: string): string[] {
  if (text === '') return [];
  const lines = text.split('\n');
  const last = lines.pop();
  if (last !== '') lines.push(`${last}\n\\ No newline at end of file`);
  return lines;
}

function hunks(edits: readonly Edit[]): string[] {
  const shown = new Array<boolean>(edits.length).fill(false);
  for (const [at, { kind }] of edits.entries()) {
    if (kind !== ' ') shown.fill(true, Math.max(0, at - CONTEXT), Math.min(edits.length, at + CONTEXT + 1));
  }
  const out: string[] = [];
  let [oldLine, newLine] = [1, 1];
  for (let at = 0; at < edits.length; ) {
    if (!shown[at]) {
      oldLine += 1;
      newLine += 1;
      at += 1;
      continue;
    }
    let end = at;
    while (shown[end]) end += 1;
    const part = edits.slice(at, end);
    const oldCount = part.filter(({ kind }) => kind !== '+').length;
    const newCount = part.filter(({ kind }) => kind !== '-').length;
    out.push(`@@ -${range(oldLine, oldCount)} +${range(newLine, newCount)} @@`);
    for (const { kind, line } of part) out.push(`${kind}${line}`);
    oldLine += oldCount;
    newLine += newCount;
    at = end;
  }
  return out.flatMap((line) => line.split('\n'));
}

/** Of an empty range the line before it is named. */
function range(line: number, count: number): string {
  if (count === 0) return `${line - 1},0`;
  return count === 1 ? String(line) : `${line},${count}`;
}

/** The shortest way from one to the other. E. Myers, "An O(ND) Difference Algorithm and Its Variations". */
function editsOf(before: readonly string[], after: readonly string[]): Edit[] {
  let head = 0;
  while (head < before.length && head < after.length && before[head] === after[head]) head += 1;
  let tail = 0;
  while (tail < before.length - head && tail < after.length - head && before.at(-1 - tail) === after.at(-1 - tail)) tail += 1;
  const same = (lines: readonly string[]) => lines.map((line): Edit => ({ kind: ' ', line }));
  const middle = middleEdits(before.slice(head, before.length - tail), after.slice(head, after.length - tail));
  return [...same(before.slice(0, head)), ...middle, ...same(before.slice(before.length - tail))];
}

function middleEdits(before: readonly string[], after: readonly string[]): Edit[] {
  const most = Math.min(before.length + after.length, MOST_EDITS);
  /** Farthest line of `before` reached on each diagonal. */
  const reached = new Map<number, number>([[1, 0]]);
  /** As it was before each round. */
  const trail: ReadonlyMap<number, number>[] = [];
  for (let edits = 0; edits <= most; edits += 1) {
    trail.push(new Map(reached));
    for (let diagonal = -edits; diagonal <= edits; diagonal += 2) {
      let x = at(reached, diagonal + 1);
      if (!stepsDown(reached, diagonal, edits)) x = at(reached, diagonal - 1) + 1;
      while (x < before.length && x - diagonal < after.length && before[x] === after[x - diagonal]) x += 1;
      reached.set(diagonal, x);
      if (x >= before.length && x - diagonal >= after.length) return backtracked(trail, before, after);
    }
  }
  return [...before.map((line): Edit => ({ kind: '-', line })), ...after.map((line): Edit => ({ kind: '+', line }))];
}

function at(reached: ReadonlyMap<number, number>, diagonal: number): number {
  return reached.get(diagonal) ?? -1;
}

function stepsDown(reached: ReadonlyMap<number, number>, diagonal: number, edits: number): boolean {
  return diagonal === -edits || (diagonal !== edits && at(reached, diagonal - 1) < at(reached, diagonal + 1));
}

function backtracked(trail: readonly ReadonlyMap<number, number>[], before: readonly string[], after: readonly string[]): Edit[] {
  const found: Edit[] = [];
  let [x, y] = [before.length, after.length];
  for (const [edits, reached] of [...trail.entries()].reverse()) {
    const diagonal = x - y;
    const from = stepsDown(reached, diagonal, edits) ? diagonal + 1 : diagonal - 1;
    const fromX = at(reached, from);
    const fromY = fromX - from;
    while (x > fromX && y > fromY) {
      x -= 1;
      y -= 1;
      found.push({ kind: ' ', line: before[x] ?? '' });
    }
    if (edits === 0) break;
    if (from > diagonal) found.push({ kind: '+', line: after[fromY] ?? '' });
    else found.push({ kind: '-', line: before[fromX] ?? '' });
    [x, y] = [fromX, fromY];
  }
  return found.reverse();
}
