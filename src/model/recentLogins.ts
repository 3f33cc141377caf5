/** Hosts that have just fetched mail, for POP before SMTP. */
export interface RecentLogins {
  /** @param address an IP address of a client, in any of its spellings; whatever is none has not logged in */
  has(address: string): boolean;
}

/** Where nobody may send for having fetched mail. */
export const noRecentLogins: RecentLogins = { has: () => false };
