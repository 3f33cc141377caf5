/** What the kit is told of the domains it sets up: plain data, as the directory has it. */

export const styles = ['lmtp', 'virtual', 'jth', 'jth-lmtp'] as const;
/**
 * How mail of a domain gets from Postfix into its mailboxes. `jth-lmtp`: as `jth`, with mail for mailboxes handed to our LMTP socket
 * rather than to a process for each message.
 */
export type Style = (typeof styles)[number];

export interface KitAccount {
  /** Local part, folded. */
  readonly user: string;
  readonly uid: number;
  readonly gid: number;
  /** Absolute. */
  readonly path: string;
  readonly format: 'mbox' | 'maildir';
  /** New mail may come. */
  readonly receives: boolean;
  /** Addresses that its mail goes on to. */
  readonly forward: readonly string[];
  /** Mail that goes on rests here as well. */
  readonly keepsCopy: boolean;
  /** Something else happens with its mail that only Postkasse can do: a vacation is answered, a quota held. */
  readonly hasRules: boolean;
}

export interface KitAlias {
  /** Local part, or with `*` and `?` a pattern. */
  readonly name: string;
  /** Each with a domain. */
  readonly targets: readonly string[];
}

/** A Unix user. */
export interface KitOwner {
  readonly uid: number;
  readonly gid: number;
  /** `undefined`: the host has no user with this number. */
  readonly name: string | undefined;
  readonly home: string | undefined;
}

export interface KitDomain {
  readonly name: string;
  readonly style: Style;
  readonly owner: KitOwner;
  readonly accounts: readonly KitAccount[];
  readonly aliases: readonly KitAlias[];
  readonly patterns: readonly KitAlias[];
  /** `bounce`, or the address that gets the mail of users there aren't. */
  readonly unknownUsers: string;
  readonly aliasOf: string | undefined;
  readonly foldsSubdomains: boolean;
}

/** Where one of our listeners waits. */
export type Endpoint =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number };

/** Those of the settings that Postfix may talk to. */
export interface Listeners {
  readonly lmtp: Endpoint | undefined;
  readonly socketmap: Endpoint | undefined;
  readonly policy: Endpoint | undefined;
  readonly sasl: Endpoint | undefined;
}
