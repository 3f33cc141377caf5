/** The tables that Postfix may ask us about. Their names stand in settings files and in main.cf. */
export const mapNames = ['domains', 'mailboxes', 'aliases', 'alias-domains', 'transport', 'senders', 'recent-logins'] as const;
export type MapName = (typeof mapNames)[number];

export function isMapName(name: string): name is MapName {
  return (mapNames as readonly string[]).includes(name);
}
