/** Names and passwords as they come out of a response. */
import { Fault } from '../model/fault.ts';
import { malformed } from './mechanism.ts';

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** RFC 4616 section 2: servers must take names up to 255 octets. A login is far shorter; what is longer is no name. */
const MAX_NAME_OCTETS = 255;
const MAX_PASSWORD_OCTETS = 1024;

/** @throws Fault syntax unless these are valid UTF-8 */
export function utf8Text(octets: Uint8Array): string {
  try {
    return utf8.decode(octets);
  } catch {
    throw malformed();
  }
}

/** A login name as typed: 1 to 255 octets of UTF-8 without NUL. @throws Fault syntax */
export function loginName(octets: Uint8Array): string {
  if (octets.length === 0 || octets.length > MAX_NAME_OCTETS || octets.includes(0)) throw malformed();
  return utf8Text(octets);
}

/**
 * 1 to 1024 octets without NUL, whatever they encode: who set a password in Latin-1 years ago can still type it.
 * The copy outlives the buffer that the line was read into. @throws Fault syntax
 */
export function passwordOctets(octets: Uint8Array): Buffer {
  if (octets.length === 0 || octets.length > MAX_PASSWORD_OCTETS || octets.includes(0)) throw malformed();
  return Buffer.from(octets);
}

/** A response as protocols in lines carry it: nothing outside the alphabet, padding at the end only. RFC 5034 section 4, RFC 4954 section 4. @throws Fault syntax */
export function base64(written: string): Buffer {
  if (written.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(written)) throw new Fault('syntax', 'not base64');
  return Buffer.from(written, 'base64');
}
