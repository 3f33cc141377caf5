/**
 * The octet loops, 64 octets a step, in AssemblyScript. src/message/plainLoops.ts says the same in TypeScript; a property test holds
 * the two equal. Nothing here allocates: addresses come from src/message/kernelLoops.ts, which leaves SLACK octets behind each area,
 * because a step reads and writes whole vectors past the end of what counts.
 */
const LF: u8 = 0x0a;
const CR: u8 = 0x0d;
const DOT: u8 = 0x2e;

/**
 * The octet in each place of a vector, made of something the compiler can't know (no length has 2^31 octets): a constant would be put
 * together again each time it is used.
 */
// @ts-ignore: decorator
@inline
function everywhere(octet: u8, length: usize): v128 {
  return i8x16.splat(octet ^ ((length >> 31) as u8));
}

/** One bit per octet of the 64 at `at`, set where the octet is `wanted`. */
// @ts-ignore: decorator
@inline
function mask(at: usize, wanted: v128): u64 {
  return (
    (i8x16.bitmask(i8x16.eq(v128.load(at), wanted)) as u32 as u64) |
    ((i8x16.bitmask(i8x16.eq(v128.load(at, 16), wanted)) as u32 as u64) << 16) |
    ((i8x16.bitmask(i8x16.eq(v128.load(at, 32), wanted)) as u32 as u64) << 32) |
    ((i8x16.bitmask(i8x16.eq(v128.load(at, 48), wanted)) as u32 as u64) << 48)
  );
}

// @ts-ignore: decorator
@inline
function copy64(to: usize, from: usize): void {
  const a = v128.load(from);
  const b = v128.load(from, 16);
  const c = v128.load(from, 32);
  const d = v128.load(from, 48);
  v128.store(to, a);
  v128.store(to, b, 16);
  v128.store(to, c, 32);
  v128.store(to, d, 48);
}

/** Bits of the octets that count when `left` remain. */
// @ts-ignore: decorator
@inline
function counted(left: usize): u64 {
  return left >= 64 ? ~(0 as u64) : ((1 as u64) << (left as u64)) - 1;
}

/** LFs in `length` octets at `from`. */
export function countLf(from: usize, length: usize): usize {
  const lf = everywhere(LF, length);
  let count: usize = 0;
  for (let done: usize = 0; done < length; done += 64) {
    count += popcnt(mask(from + done, lf) & counted(length - done)) as usize;
  }
  return count;
}

/** LFs not preceded by CR; `previous` is the octet before the first. */
export function countBareLf(from: usize, length: usize, previous: u32): usize {
  const lf = everywhere(LF, length);
  const cr = everywhere(CR, length);
  let carry: u64 = previous == CR ? 1 : 0;
  let count: usize = 0;
  for (let done: usize = 0; done < length; done += 64) {
    const at = from + done;
    const crs = mask(at, cr);
    count += popcnt(mask(at, lf) & ~((crs << 1) | carry) & counted(length - done)) as usize;
    carry = crs >> 63;
  }
  return count;
}

/**
 * At rest → wire: CR before an LF that has none, `.` before a `.` that begins a line. Returns the octets written; up to twice `length`.
 * Octets go out 64 at a time; what follows an LF is written once more, as much further as octets were put in. Only LFs are looked for,
 * and one in each step, without asking whether there is any: lines of mail are about as long as a step, and a branch would be guessed
 * wrong every second time. What is written for an LF that isn't there lies where the next step writes.
 */
export function toWire(from: usize, length: usize, to: usize, previous: u32): usize {
  if (length == 0) return 0;
  const lf = everywhere(LF, length);
  let out = to;
  if (previous == LF && load<u8>(from) == DOT) {
    store<u8>(out, DOT);
    out += 1;
  }
  // The octet before stands where it is looked for, as long as this runs.
  const displaced = load<u8>(from - 1);
  store<u8>(from - 1, previous as u8);
  for (let done: usize = 0; done < length; done += 64) {
    const at = from + done;
    const left = length - done;
    let lfs = mask(at, lf);
    if (left < 64) lfs &= counted(left);
    copy64(out, at);
    do {
      const position = ctz(lfs) as usize;
      const source = at + position;
      let target = out + position;
      const bare = ((load<u8>(source - 1) != CR) as usize) & ((lfs != 0) as usize);
      const dot = ((load<u8>(source + 1) == DOT) as usize) & ((lfs != 0) as usize) & ((position + 1 < left) as usize);
      store<u8>(target, CR);
      target += bare;
      store<u8>(target, LF);
      store<u8>(target, DOT, 1);
      target += dot;
      copy64(target + 1, source + 1);
      out += bare + dot;
      lfs &= lfs - 1;
    } while (lfs != 0);
    out += left < 64 ? left : 64;
  }
  store<u8>(from - 1, displaced);
  return out - to;
}

/** Wire → at rest: the CR of a CRLF goes, unless another CR stands before it; other CRs stay. Returns the octets written. */
export function toRest(from: usize, length: usize, to: usize, previous: u32): usize {
  const lf = everywhere(LF, length);
  const cr = everywhere(CR, length);
  let afterCr: u64 = previous == CR ? 1 : 0;
  let out = to;
  for (let done: usize = 0; done < length; done += 64) {
    const at = from + done;
    const left = length - done;
    const crs = mask(at, cr);
    // What lies behind the last octet doesn't count, even if it looks like an LF.
    let removals = crs & ~((crs << 1) | afterCr) & mask(at + 1, lf) & counted(left - 1);
    afterCr = crs >> 63;
    copy64(out, at);
    while (removals != 0) {
      const position = ctz(removals) as usize;
      copy64(out + position, at + position + 1);
      out -= 1;
      removals &= removals - 1;
    }
    out += left < 64 ? left : 64;
  }
  return out - to;
}
