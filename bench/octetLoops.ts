/** How fast the octet loops run: the kernel beside the plain ones, on octets that lie in the kernel's memory and elsewhere. */
import { createKernelLoops } from '../src/message/kernelLoops.ts';
import { LF, type OctetLoops, plainLoops } from '../src/message/plainLoops.ts';
import { formatTable, type Table } from './table.ts';

const SIZE = 65_536;
const MEASURE_MS = 150;

const samples: readonly [name: string, octets: Buffer][] = [
  ['76 columns, LF', Buffer.alloc(SIZE, `${'x'.repeat(76)}\n`)],
  ['76 columns, CRLF', Buffer.alloc(SIZE, `${'x'.repeat(76)}\r\n`)],
  ['prose, 8 to 72 columns, LF', Buffer.alloc(SIZE, [40, 72, 8, 65, 0, 71, 33].map((width) => `${'x'.repeat(width)}\n`).join(''))],
  ['blank lines, LF', Buffer.alloc(SIZE, '\n')],
];

export function measureOctetLoops(): Table {
  const { loops: kernel, slots } = createKernelLoops(3, 2 * SIZE);
  const [inside = Buffer.of(), intoInside = Buffer.of()] = slots;
  const into = Buffer.alloc(2 * SIZE);
  const rows = samples.flatMap(([name, octets]) => {
    octets.copy(inside);
    const from = inside.subarray(0, octets.length);
    const row = (loop: string, run: (loops: OctetLoops, from: Buffer, into: Buffer) => number) => [
      name,
      loop,
      speed(() => run(plainLoops, octets, into)),
      speed(() => run(kernel, octets, into)),
      speed(() => run(kernel, from, intoInside)),
    ];
    return [
      row('to the wire', (loops, source, target) => loops.toWire(source, target, LF)),
      row('to rest', (loops, source, target) => loops.toRest(source, target, LF)),
      row('bare LFs', (loops, source) => loops.countBareLf(source, 0, SIZE, 0)),
      row('LFs', (loops, source) => loops.countLf(source, 0, SIZE)),
    ];
  });
  return {
    title: 'Octet loops, MB/s of input in pieces of 64 KB',
    columns: ['text', 'loop', 'plain', 'kernel, copied', 'kernel, in place'],
    rows,
  };
}

/** MB/s of the best of three: what else runs on the machine only slows it down. */
function speed(run: () => number): number {
  let best = 0;
  for (let n = 0; n < 4; n++) {
    const start = performance.now();
    let rounds = 0;
    for (; performance.now() - start < MEASURE_MS / 3; rounds++) run();
    best = Math.max(best, (rounds * SIZE) / 1000 / (performance.now() - start));
  }
  return best;
}

if (import.meta.main) console.log(formatTable(measureOctetLoops()));
