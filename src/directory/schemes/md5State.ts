/**
 * MD5 from and to the state between two blocks, RFC 1321. Dovecot's {CRAM-MD5} stores such states, and no library lets them in
 * or out. Speed doesn't matter here: a login needs four blocks.
 */

const shifts = [7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21];
const sines = Uint32Array.from({ length: 64 }, (_, i) => Math.floor(Math.abs(Math.sin(i + 1)) * 2 ** 32));
const START = Buffer.from('0123456789abcdeffedcba9876543210', 'hex');

export const BLOCK_OCTETS = 64;
export const STATE_OCTETS = 16;

/** The state, 16 octets, after one block from the beginning. */
export function stateAfter(block: Buffer): Buffer {
  return compress(START, block, 0);
}

/** The MD5 digest of a text whose first block left `state` and whose rest is `rest`. */
export function digestFrom(state: Buffer, rest: Buffer): Buffer {
  // Section 3.1 and 3.2: a 1 bit, zeros, and the length of all of it in bits.
  const padded = Buffer.alloc(Math.ceil((rest.length + 9) / BLOCK_OCTETS) * BLOCK_OCTETS);
  rest.copy(padded);
  padded.writeUInt8(0x80, rest.length);
  padded.writeBigUInt64LE(BigInt(BLOCK_OCTETS + rest.length) * 8n, padded.length - 8);
  let now = state;
  for (let at = 0; at < padded.length; at += BLOCK_OCTETS) now = compress(now, padded, at);
  return now;
}

/** Section 3.4: the four rounds over one block. */
function compress(state: Buffer, block: Buffer, at: number): Buffer {
  const start = [0, 4, 8, 12].map((offset) => state.readUInt32LE(offset));
  let [a = 0, b = 0, c = 0, d = 0] = start;
  for (let i = 0; i < 64; i++) {
    const round = i >> 4;
    const mixed = round === 0 ? (b & c) | (~b & d) : round === 1 ? (d & b) | (~d & c) : round === 2 ? b ^ c ^ d : c ^ (b | ~d);
    const word = round === 0 ? i : round === 1 ? (5 * i + 1) % 16 : round === 2 ? (3 * i + 5) % 16 : (7 * i) % 16;
    const sum = (a + mixed + (sines[i] ?? 0) + block.readUInt32LE(at + 4 * word)) | 0;
    const shift = shifts[4 * round + (i % 4)] ?? 0;
    a = d;
    d = c;
    c = b;
    b = (b + ((sum << shift) | (sum >>> (32 - shift)))) | 0;
  }
  const after = Buffer.alloc(STATE_OCTETS);
  for (const [i, word] of [a, b, c, d].entries()) after.writeUInt32LE((word + (start[i] ?? 0)) >>> 0, 4 * i);
  return after;
}
