/** Results as a table that reads well on a terminal and pastes as Markdown. */

export type Cell = string | number | undefined;

export interface Table {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly Cell[])[];
}

/** Numbers have three significant digits and stand to the right; what wasn't measured is `-`. */
export function formatTable(table: Table): string {
  const cells = table.rows.map((row) => table.columns.map((_, index) => formatCell(row[index])));
  const widths = table.columns.map((name, index) => Math.max(name.length, 3, ...cells.map((row) => row[index]?.length ?? 0)));
  const isNumber = table.columns.map((_, index) => table.rows.some((row) => typeof row[index] === 'number'));
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, index) => (isNumber[index] ? cell.padStart(widths[index] ?? 0) : cell.padEnd(widths[index] ?? 0))).join(' | ')} |`;
  const rule = `|${widths.map((width, index) => (isNumber[index] ? `${'-'.repeat(width + 1)}:` : '-'.repeat(width + 2))).join('|')}|`;
  return [`${table.title}`, '', line(table.columns), rule, ...cells.map(line), ''].join('\n');
}

function formatCell(cell: Cell): string {
  if (cell === undefined) return '-';
  if (typeof cell === 'string') return cell;
  if (!Number.isFinite(cell)) return '-';
  if (Math.abs(cell) >= 100) return Math.round(cell).toLocaleString('en-US');
  return Number(cell.toPrecision(3)).toString();
}
