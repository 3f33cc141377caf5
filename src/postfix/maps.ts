/** Our tables for Postfix: what each says about a key. All of them speak through the one resolver, so that RCPT and delivery can't differ. */
import { isIP } from 'node:net';
import type { MapName } from '../model/lookupMaps.ts';
import { plainAddress } from '../model/networks.ts';
import type { RecentLogins } from '../model/recentLogins.ts';
import type { Addresses } from './addresses.ts';
import type { LookupMap } from './lookups.ts';

export interface MapsOptions {
  readonly addresses: Addresses;
  readonly recentLogins: RecentLogins;
  /** Where mail for our domains goes, as transport(5) has it; `undefined`: nowhere, as LMTP isn't served. */
  readonly transport: string | undefined;
}

/** Where only that a key is there says something. */
const OK = 'OK';

export function createMaps({ addresses, recentLogins, transport }: MapsOptions): Readonly<Record<MapName, LookupMap>> {
  return {
    /** virtual_mailbox_domains: each domain of ours, alias domains and folded subdomains included. */
    async domains(key) {
      return (await addresses.hostedName(key)) && OK;
    },

    /** virtual_mailbox_maps: each address that mail is taken for. */
    async mailboxes(key) {
      if (!isAddress(key)) return undefined;
      const resolution = await addresses.resolve(key);
      if (resolution.outcome === 'defer') throw resolution.fault;
      return resolution.outcome === 'deliver' ? OK : undefined;
    },

    /**
     * virtual_alias_maps: where mail for an address goes, when that isn't the address itself. The resolver has followed every alias to its
     * end, and what Postfix asks about next, an account of ours, stands for itself: its recursion ends there.
     */
    async aliases(key) {
      if (!isAddress(key)) return undefined;
      const resolution = await addresses.resolve(key);
      if (resolution.outcome === 'defer') throw resolution.fault;
      if (resolution.outcome === 'refuse') return undefined;
      const targets = resolution.destinations.flatMap((destination) => {
        if (destination.kind === 'forward') return [destination.address];
        return destination.keeps ? [addresses.addressOf(destination.account)] : [];
      });
      const [only = '', ...more] = new Set(targets);
      const isItself = more.length === 0 && only.toLowerCase() === key.toLowerCase();
      return isItself || only === '' ? undefined : [only, ...more].join(', ');
    },

    /** virtual_alias_domains: domains that have the users of another one. */
    async 'alias-domains'(key) {
      return (await addresses.hostedName(key))?.aliasOf && OK;
    },

    /** transport_maps: by domain. A single address has no other transport than its domain. */
    async transport(key) {
      return (await addresses.hostedName(key)) && transport;
    },

    /** smtpd_sender_login_maps: who may send as an address. */
    async senders(key) {
      const logins = await addresses.loginsOf(key);
      // Postfix would take what follows a comma for a login of its own.
      const listed = logins.filter((login) => !/[\s,]/.test(login));
      return listed.length === 0 ? undefined : listed.join(',');
    },

    /** check_client_access: hosts that have just fetched mail. Part of an address, or a name, is no host. */
    async 'recent-logins'(key) {
      return isIP(key) !== 0 && recentLogins.has(plainAddress(key)) ? OK : undefined;
    },
  };
}

/** The user alone, or the domain alone, is what Postfix asks of tables that hold whole lists. */
function isAddress(key: string): boolean {
  return key.lastIndexOf('@') > 0;
}
