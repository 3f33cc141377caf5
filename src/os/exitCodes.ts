/**
 * Exit statuses that a mail system understands: sysexits.h. Postfix's pipe(8) tries again after EX_TEMPFAIL, bounces on the
 * permanent ones and on anything it doesn't know, Node's own 1 included.
 */
export const EX_OK = 0;
/** The command line is wrong. */
export const EX_USAGE = 64;
/** The input is wrong. */
export const EX_DATAERR = 65;
export const EX_NOINPUT = 66;
/** No such recipient. */
export const EX_NOUSER = 67;
export const EX_NOHOST = 68;
export const EX_UNAVAILABLE = 69;
/** A mistake in the program itself. */
export const EX_SOFTWARE = 70;
export const EX_OSERR = 71;
export const EX_OSFILE = 72;
/** No room, by rule or by disc. */
export const EX_CANTCREAT = 73;
export const EX_IOERR = 74;
/** Try again later. */
export const EX_TEMPFAIL = 75;
export const EX_PROTOCOL = 76;
export const EX_NOPERM = 77;
/** The settings are wrong. */
export const EX_CONFIG = 78;
