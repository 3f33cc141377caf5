/** Frames between front and worker, put together and taken apart by hand: what somebody would send who has read src/owners/ and keeps to none of it. */

export const MESSAGE = 1;

export const request = {
  authenticate: 16,
  open: 17,
  retrieve: 18,
  stop: 19,
  mark: 20,
  update: 21,
  release: 22,
  deliver: 23,
  endOfMessage: 24,
  messageFailed: 25,
  account: 26,
  domain: 27,
  scramParameters: 28,
  explain: 29,
  locate: 30,
  alias: 31,
  pattern: 32,
  first: 40,
  receipt: 45,
  usage: 46,
} as const;

export const answer = {
  hello: 64,
  bye: 65,
  done: 66,
  fault: 67,
  admitted: 68,
  opened: 69,
  listing: 70,
  account: 71,
  domain: 72,
  scramParameters: 73,
  explained: 74,
  located: 75,
  alias: 76,
  first: 80,
  receipt: 85,
  usage: 86,
} as const;

/** @param length said instead of the true one */
export function frame(type: number, payload: Uint8Array = Buffer.alloc(0), length = payload.length): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32LE(length);
  head.writeUInt8(type, 4);
  return Buffer.concat([head, payload]);
}

export function u8(value: number): Buffer {
  return Buffer.from([value]);
}

export function u32(value: number): Buffer {
  const octets = Buffer.alloc(4);
  octets.writeUInt32LE(value >>> 0);
  return octets;
}

export function f64(value: number): Buffer {
  const octets = Buffer.alloc(8);
  octets.writeDoubleLE(value);
  return octets;
}

export function text(value: string | Uint8Array): Buffer {
  const octets = Buffer.from(value as string);
  return Buffer.concat([u32(octets.length), octets]);
}

export interface Login {
  readonly login: string;
  readonly password?: string;
  /** Numbers of `services`: pop3, smtp-auth, receive, web. */
  readonly service?: number;
  readonly opens?: boolean;
  /** Name of the domain that the client's way in led to. */
  readonly domain?: string;
}

export function claim({ login, domain }: Pick<Login, 'login' | 'domain'>): Buffer {
  return Buffer.concat([text(login), domain === undefined ? u8(0) : Buffer.concat([u8(1), text(domain)]), u8(0)]);
}

export function authenticate({ login, password = 'secret', service = 0, opens = true, domain }: Login): Buffer {
  const way = claim(domain === undefined ? { login } : { login, domain });
  return frame(request.authenticate, Buffer.concat([u8(opens ? 1 : 0), u8(0), u8(service), way, u8(0), text(password)]));
}

export function wanted(address: string, system = false): Buffer {
  const at = address.lastIndexOf('@');
  return Buffer.concat([text(address.slice(0, at)), text(address.slice(at + 1)), u8(system ? 1 : 0)]);
}

/** Of `request.alias` and `request.pattern`. */
export function named(address: string): Buffer {
  return wanted(address).subarray(0, -1);
}

export function retrieve(row: number, skip = 0): Buffer {
  return frame(request.retrieve, Buffer.concat([u32(row), f64(skip)]));
}

export function deliver(to: string): Buffer {
  return frame(request.deliver, Buffer.concat([wanted(to), text('ada@example.org'), text(to), text(to), f64(1_700_000_000_000)]));
}

export interface Frame {
  readonly type: number;
  readonly payload: Buffer;
}

/** Whole frames at the beginning, and what is left. */
export function framesIn(octets: Buffer): { readonly frames: readonly Frame[]; readonly rest: Buffer } {
  const frames: Frame[] = [];
  let rest = octets;
  while (rest.length >= 5 && rest.length >= 5 + rest.readUInt32LE()) {
    const end = 5 + rest.readUInt32LE();
    frames.push({ type: rest.readUInt8(4), payload: rest.subarray(5, end) });
    rest = rest.subarray(end);
  }
  return { frames, rest };
}

/** Octets of listing frames that follow an `admitted` or `opened`. */
export function listingAfter({ type, payload }: Frame): number {
  if (type === answer.opened) return payload.readUInt32LE(4);
  const isOpen = type === answer.admitted && payload.length > 9 && payload.at(-9) === 1;
  return isOpen ? payload.readUInt32LE(payload.length - 4) : 0;
}
