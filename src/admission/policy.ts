/**
 * The numbers, and why they are what they are. Octets are of memory in each front, measured with names and addresses of usual length. What a
 * flood of guesses can fill comes to 22 MB; the ways by which owners came in, to 25 MB or, where each account has but one, 45 MB.
 */
const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

/** Nobody is held back for longer, neither before the proof is looked at nor after. */
export const LONGEST_MS = 15_000;

export const policy = {
  /** Failures of one source lengthen the delay of its next failed reply. 130 octets each. */
  sources: { forgetMs: minuteMs, capacity: 50_000 },

  /** A source that failed more than once in these hours is taken for one that guesses; a slip happens to everybody. 130 octets each. */
  guessers: { forgetMs: 6 * hourMs, most: 8, allowance: 1, capacity: 50_000 },

  /**
   * Beyond the allowance strangers wait. A family whose devices all have the old password stays below it. The ceiling lets an attack be
   * forgotten within half an hour of its end. 170 octets each.
   */
  accounts: { forgetMs: minuteMs, most: 26, allowance: 10, capacity: 20_000 },

  /** A /24 or /48 may be an office or a provider: more is allowed, and forgotten sooner. 130 octets each. */
  networks: { forgetMs: minuteMs / 4, most: 66, allowance: 50, capacity: 20_000 },

  /** Wrong passwords. 55 octets each. */
  repeats: { rememberedMs: dayMs, capacity: 50_000 },

  /**
   * Ways by which an account's owner came in. Written on success only, so guessing drives none out. An owner who moves about has a few
   * sources a month; `perAccount` is for them and all their devices. A refresh a day is what a steady state costs. 250 to 450 octets each.
   */
  ways: { rememberedMs: 30 * dayMs, refreshMs: dayMs, perAccount: 16, capacity: 100_000, allowance: 10, most: 20, forgetMs: minuteMs },

  /**
   * Who may wait at a time, in all fronts together. What is in `stranger` bounds how many addresses may try an account for the first time,
   * `guesser` how fast all those may go on which have failed: 8 in 15 seconds. They don't take each other's places.
   */
  places: {
    account: { near: 8, stranger: 64, guesser: 8, ofSource: 2, ofNetwork: 8 },
    network: { all: 32, ofSource: 4 },
  },
  /** Who is near a way that is known waits for this part of the time. */
  nearShare: 1 / 4,

  /** Connections of a front that others weren't told about: a quarter of the limit in all. `heard`: counts kept of what others tell, for each table, 150 octets each. */
  counts: { untoldShare: 1 / 4, heartbeatMs: 30_000, forgottenMs: 100_000, fronts: 512, heard: 50_000 },

  /** Sources that mail was fetched from, of domains that want it. 200 octets each. What is on the disc lags behind by half a minute. */
  recent: { capacity: 50_000, refreshMs: minuteMs, handedOverMs: minuteMs },
  /** Accounts that sent by that. A month of them is what a host needs to find those it has to talk to; `shown` in reports. 150 octets each. */
  relays: { capacity: 10_000, rememberedMs: 30 * dayMs, shown: 200 },

  gossip: { batchMs: 50, octets: 60_000 },
} as const;
