/** The certificates of the settings, or one of our own making. */
import type { Settings } from '../config/index.ts';
import { type Log, silent } from '../model/log.ts';
import { type CertificateFiles, Certificates } from '../net/certificates.ts';
import { selfSignedFiles } from '../net/selfSigned.ts';
import { EX_CONFIG } from '../os/exitCodes.ts';
import { StartFailure } from '../os/startFailure.ts';
import type { HouseOptions } from './options.ts';

/** @throws StartFailure for a certificate or key that can't be used */
export function checkCertificates(settings: Settings): void {
  const files = givenCertificate(settings) ?? settings.tls.names.values().next().value;
  if (files !== undefined) loadCertificates(settings, files, silent, true);
}

/** @throws StartFailure */
export async function certificatesOf({ settings, watchesCertificates }: HouseOptions, log: Log): Promise<Certificates> {
  const files = givenCertificate(settings) ?? (await selfSignedFiles(settings.stateDir, settings.hostname, new Date()));
  return loadCertificates(settings, files, log, watchesCertificates);
}

function givenCertificate({ tls: { certificate, key } }: Settings): CertificateFiles | undefined {
  return certificate !== undefined && key !== undefined ? { certificate, key } : undefined;
}

function loadCertificates({ tls }: Settings, files: CertificateFiles, log: Log, watches: boolean): Certificates {
  try {
    return new Certificates({ default: files, names: tls.names, log, clock: Date.now, minVersion: tls.minVersion, watches });
  } catch (thrown) {
    throw new StartFailure('certificate: {detail}', { detail: (thrown as Error).message }, EX_CONFIG);
  }
}
