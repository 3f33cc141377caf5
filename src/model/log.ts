/** Facts of one event. Never a password, a digest, a verifier or the text of a message. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Where events go. Each name is listed in docs/events.md: `pop3.login`, `mbox.update`. */
export interface Log {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
}

/** For tests and for tools that have nothing to tell. */
export const silent: Log = { debug() {}, info() {}, warn() {}, error() {} };
