/** Who exists, who may log in, and which domains are ours. */
import type { Address, DomainName } from './address.ts';
import type { Mailbox } from './mailbox.ts';

/** The way a client came in, as far as it decides which domain a bare name belongs to, and who may come. */
export interface Arrival {
  /** Local IP address connected to (of the client's connection, also behind PROXY protocol). */
  readonly localAddress: string | undefined;
  /** TLS server name (SNI) the client asked for. */
  readonly serverName: string | undefined;
  /** IP address of the client, also behind PROXY protocol; left out where nobody came from anywhere (`explain`). Accounts may be open to some networks only. */
  readonly remoteAddress?: string | undefined;
}

/** A login name as typed, one character per Unicode code point, not yet trusted in any way. */
export interface Claim {
  readonly login: string;
  readonly arrival: Arrival;
}

export type ScramHash = 'sha1' | 'sha256';

/** How a claim is backed. The answer to it is worked out where the passwords are, so no verifier leaves the directory. */
export type Proof =
  | { readonly kind: 'password'; readonly password: Buffer }
  /** RFC 1939 section 7: digest = MD5(timestamp ‖ password), 32 hex digits in lower case. */
  | { readonly kind: 'apop'; readonly timestamp: string; readonly digest: string }
  /** RFC 2195: digest = HMAC-MD5(password, challenge), 32 hex digits in lower case. */
  | { readonly kind: 'cram-md5'; readonly challenge: string; readonly digest: string }
  /** RFC 5802 section 3. */
  | { readonly kind: 'scram'; readonly hash: ScramHash; readonly authMessage: Buffer; readonly clientProof: Buffer };

/** Ways to log in that a directory can promise for each of its accounts. */
export type ProofKind = 'password' | 'apop' | 'cram-md5' | 'scram-sha-1' | 'scram-sha-256';

export type Service = 'pop3' | 'smtp-auth' | 'receive' | 'web';

export interface Account {
  readonly mailbox: Mailbox;
  readonly services: ReadonlySet<Service>;
  /** BCP 47 tag the owner chose; `undefined`: the host's. */
  readonly language: string | undefined;
  /** What becomes of its mail beyond resting there. Left out: `noAccountRules`. */
  readonly rules?: AccountRules | undefined;
}

/** When a message that asks for a receipt gets one. */
export type ReceiptPolicy = 'never' | 'ask' | 'known-senders' | 'always';

/** Of one account; what it doesn't say itself is as its domain says. */
export interface AccountRules {
  /** Addresses that its mail goes on to, each with a domain; empty: none. */
  readonly forward: readonly string[];
  /** Mail that goes on rests here as well. */
  readonly keepsCopy: boolean;
  readonly vacation: Vacation | undefined;
  /** Octets that the mailbox may hold; `undefined`: as many as there are. */
  readonly quotaOctets: number | undefined;
  /** `undefined`: as the host says. */
  readonly receipts: ReceiptPolicy | undefined;
  /** Days after which messages are removed; `undefined`: as the host says. */
  readonly expireDays: number | 'never' | undefined;
}

export const noAccountRules: AccountRules = {
  forward: [],
  keepsCopy: true,
  vacation: undefined,
  quotaOctets: undefined,
  receipts: undefined,
  expireDays: undefined,
};

/** What somebody who is away answers. RFC 3834. */
export interface Vacation {
  /** First and last day, `YYYY-MM-DD` in `timeZone`, both included; `undefined`: no such end. */
  readonly from: string | undefined;
  readonly until: string | undefined;
  /** IANA name; `undefined`: the host's. */
  readonly timeZone: string | undefined;
  /** `undefined`: made of the subject that is answered. */
  readonly subject: string | undefined;
  readonly text: string;
  /** So long the same sender gets no second one. */
  readonly intervalDays: number;
  /** Further addresses of the user, in lower case, that a message may be for. */
  readonly addresses: readonly string[];
}

export interface Admission {
  readonly account: Account;
  /** SCRAM's last word to the client, RFC 5802 section 3. */
  readonly serverSignature?: Buffer;
  /** The login name began with `s-`: leave `Status:` alone this session. */
  readonly noStatus: boolean;
  /** Called when no maildrop will be opened for it: lets go of what a directory elsewhere holds ready. Left out where there is nothing. */
  abandon?(): void;
}

/** What the domain does with mail to a user it doesn't have. */
export type UnknownUsers =
  | { readonly kind: 'bounce' }
  | { readonly kind: 'postmaster' }
  | { readonly kind: 'address'; readonly address: Address };

export interface HostedDomain {
  readonly name: DomainName;
  readonly unknownUsers: UnknownUsers;
  /** Another domain of ours, whose users its addresses mean where it has none of its own by that name. Left out: it is none. */
  readonly aliasOf?: DomainName | undefined;
  /** Mail for `user@x.name` is for `user@name`, where `x.name` is no domain of ours. Left out: as the host says. */
  readonly foldsSubdomains?: boolean | undefined;
  /** Octets of all its mailboxes together. Left out: as many as there are. */
  readonly quotaOctets?: number | undefined;
  /** Envelope senders are rewritten (SRS) in mail that goes on from here. Left out: as the host says. */
  readonly rewritesSenders?: boolean | undefined;
  /** Who has just fetched mail may send for a while (POP before SMTP). Left out: no. */
  readonly popBeforeSmtp?: boolean | undefined;
}

/** What an alias, or a pattern, of a domain's owner stands for. */
export interface Alias {
  /** As its file has it: `info`, `sales-*`. */
  readonly name: string;
  /** Addresses, each with a domain, of ours or not; at least one, none twice. As written, not yet safe for a path. */
  readonly targets: readonly string[];
}

/** One rule tried on the way from a login or address to a mailbox, for `postkasse explain`. */
export interface Step {
  readonly rule: string;
  readonly outcome: string;
}

export interface Directory {
  /**
   * The account behind a claim whose proof holds and which may use `service`.
   * Takes the same work for an unknown user as for a wrong proof.
   * @throws Fault auth (always the same words), temporary
   */
  authenticate(claim: Claim, proof: Proof, service: Service): Promise<Admission>;
  /** Salt and iteration count for SCRAM; for who doesn't exist or has no verifier, invented ones that stay the same. @throws Fault temporary */
  scramParameters(claim: Claim, hash: ScramHash): Promise<{ salt: Buffer; iterations: number }>;
  /** Where `proofKinds` has to find out first: resolves, within some seconds, when it has. `undefined`: it knows. Never rejects. */
  ready?(arrival: Arrival): Promise<void> | undefined;
  /** What CAPA and the greeting may announce to who came this way: what *every* account there can honour. */
  proofKinds(arrival: Arrival): ReadonlySet<ProofKind>;
  /** The account with exactly this address. @throws Fault temporary */
  account(address: Address): Promise<Account | undefined>;
  /** `undefined`: not one of ours. @throws Fault temporary */
  domain(name: DomainName): Promise<HostedDomain | undefined>;
  /** The alias with exactly this name; one that has expired is none. @throws Fault temporary */
  alias(address: Address): Promise<Alias | undefined>;
  /** The first pattern of the domain's owner that the user name matches. @throws Fault temporary */
  pattern(address: Address): Promise<Alias | undefined>;
  /** How a login name or address is understood, rule by rule; the last step names the account, or why there is none. */
  explain(claim: Claim): Promise<{ steps: readonly Step[]; account: Account | undefined }>;
}
