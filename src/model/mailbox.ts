import type { DomainName, UserName } from './address.ts';

/** An address, or a user of the host, with mail behind it. Where that mail rests is the store's to find. */
export interface Mailbox {
  /** `abc@kvt.dk`, or the bare name of a system user: unique in the house, and what logs call it. */
  readonly name: string;
  readonly user: UserName;
  /** `undefined` for a system user. */
  readonly domain: DomainName | undefined;
  /** Absolute home directory; `undefined` where the passwd line has none or says `.`. */
  readonly home: string | undefined;
  /** Whom its files belong to; `undefined` where the passwd line doesn't say (two fields): then whom the process runs as. */
  readonly owner: { readonly uid: number; readonly gid: number } | undefined;
}
