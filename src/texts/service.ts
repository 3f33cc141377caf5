import type { Translation } from './index.ts';

/** Said to the operator about what a service manager or inetd handed us. */
export const service = {
  'systemd passed descriptor {fd} ({name}), which is no listening socket: {detail}': {
    da: 'systemd gav deskriptor {fd} ({name}), som ikke er en lyttende sokkel: {detail}',
    de: 'systemd hat Deskriptor {fd} ({name}) übergeben, der kein lauschender Socket ist: {detail}',
  },
  'systemd passed the socket {address}, but no [[listen]] in the settings has this address': {
    da: 'systemd gav soklen {address}, men ingen [[listen]] i indstillingerne har den adresse',
    de: 'systemd hat den Socket {address} übergeben, aber kein [[listen]] in den Einstellungen hat diese Adresse',
  },
  '{listener}: the socket {address} that systemd passed takes IPv4 too; set BindIPv6Only=ipv6-only in its unit': {
    da: '{listener}: soklen {address}, som systemd gav, tager også IPv4; sæt BindIPv6Only=ipv6-only i dens unit',
    de: '{listener}: der Socket {address} von systemd nimmt auch IPv4 an; in seiner Unit BindIPv6Only=ipv6-only setzen',
  },
  'descriptor 0 is no connection: --stdio is for inetd, xinetd or systemd with Accept=yes': {
    da: 'deskriptor 0 er ingen forbindelse: --stdio er til inetd, xinetd eller systemd med Accept=yes',
    de: 'Deskriptor 0 ist keine Verbindung: --stdio ist für inetd, xinetd oder systemd mit Accept=yes',
  },
} as const satisfies Record<string, Translation>;
