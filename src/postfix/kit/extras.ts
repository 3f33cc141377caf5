/** What Postfix may ask us beyond where mail goes: who may log in, who may send as whom, whether a message may pass. Each by option. */

import type { Endpoint } from './domains.ts';
import { belowQueue } from './endpoints.ts';
import { isChrooted, optionOf } from './installation.ts';
import { lookupTable } from './mailboxDomains.ts';
import { conflict, type Needs, noNeeds, together } from './needs.ts';
import type { Question } from './question.ts';

export const extras = ['auth', 'senders', 'policy', 'recent-logins'] as const;
export type Extra = (typeof extras)[number];

export function extraNeeds(question: Question, wanted: readonly Extra[]): Needs {
  return together(extras.filter((extra) => wanted.includes(extra)).map((extra) => needsOf[extra](question)));
}

/** For mail programs: ports 587 and 465. */
const submissionServices = ['submission', 'submissions', 'smtps', '587', '465'];

const needsOf: Record<Extra, (question: Question) => Needs> = {
  auth(question) {
    const { installation, listeners } = question;
    if (listeners.sasl === undefined) return noListener('sasl');
    const path = bySmtpd(question, listeners.sasl);
    if (path === undefined) return outOfReach(question, listeners.sasl);
    // Not for port 25: an smtpd that finds nobody at the socket takes no mail from anybody.
    const values = { smtpd_sasl_auth_enable: 'yes', smtpd_sasl_type: 'dovecot', smtpd_sasl_path: path };
    const there = installation.services.filter(({ name, type }) => type === 'inet' && submissionServices.includes(name));
    const other = there.find((service) => ![undefined, path].includes(optionOf(service, 'smtpd_sasl_path')));
    if (other !== undefined)
      return conflict('the service {service} asks somebody else for passwords: {path}', {
        service: other.name,
        path: optionOf(other, 'smtpd_sasl_path') ?? '',
      });
    if (there.length > 0) {
      const options = there.flatMap(({ name: service }) =>
        Object.entries(values).map(([name, value]) => ({ service: `${service}/inet`, name, value })),
      );
      return { ...noNeeds, options };
    }
    const options = {
      syslog_name: 'postfix/submission',
      smtpd_tls_security_level: 'encrypt',
      ...values,
      smtpd_relay_restrictions: 'permit_sasl_authenticated,reject',
    };
    const chroot = isChrooted(installation, 'smtpd') ? 'y' : 'n';
    const line = Object.entries(options)
      .map(([name, value]) => `-o ${name}=${value}`)
      .join(' ');
    return { ...noNeeds, services: [`submission inet n - ${chroot} - - smtpd ${line}`] };
  },
  senders(question) {
    const table = lookupTable(question, 'senders');
    if (table === undefined) return noListener('socketmap');
    return {
      ...noNeeds,
      lists: [{ name: 'smtpd_sender_login_maps', word: table }],
      restrictions: [
        { name: 'smtpd_sender_restrictions', words: 'reject_authenticated_sender_login_mismatch', before: ['permit_sasl_authenticated'] },
      ],
    };
  },
  policy(question) {
    const { policy } = question.listeners;
    if (policy === undefined) return noListener('policy');
    const path = bySmtpd(question, policy);
    if (path === undefined) return outOfReach(question, policy);
    const service = path.startsWith('inet:') ? path : `unix:${path}`;
    return { ...noNeeds, restrictions: [{ name: 'smtpd_recipient_restrictions', words: `check_policy_service ${service}`, before: [] }] };
  },
  'recent-logins'(question) {
    const table = lookupTable(question, 'recent-logins');
    if (table === undefined) return noListener('socketmap');
    const before = ['reject_unauth_destination', 'defer_unauth_destination', 'reject'];
    return { ...noNeeds, restrictions: [{ name: 'smtpd_relay_restrictions', words: `check_client_access ${table}`, before }] };
  },
};

function noListener(protocol: string): Needs {
  return conflict('the settings have no listener with protocol = "{protocol}" that Postfix could ask', { protocol });
}

function outOfReach({ installation }: Question, endpoint: Endpoint): Needs {
  return conflict('{socket} can not be reached from the chroot of smtpd; give it a path below {folder}, or a port on 127.0.0.1', {
    socket: endpoint.kind === 'unix' ? endpoint.path : endpoint.host,
    folder: installation.queueDir,
  });
}

/** smtpd(8) takes a bare path here, from the queue directory on. */
function bySmtpd({ installation }: Question, endpoint: Endpoint): string | undefined {
  if (endpoint.kind === 'tcp') return `inet:${endpoint.host}:${endpoint.port}`;
  const below = belowQueue(endpoint.path, installation.queueDir);
  if (below !== undefined) return below;
  return isChrooted(installation, 'smtpd') ? undefined : endpoint.path;
}
