/** What Postfix may ask us beyond where mail goes: who may log in, who may send as whom, whether a message may pass. Each by option. */

import type { Endpoint } from './domains.ts';
import { belowQueue } from './endpoints.ts';
import { isChrooted, settingOf } from './installation.ts';
import { lookupTable } from './mailboxDomains.ts';
import { conflict, type Needs, noNeeds, together } from './needs.ts';
import type { Question } from './question.ts';

export const extras = ['auth', 'senders', 'policy', 'recent-logins'] as const;
export type Extra = (typeof extras)[number];

export function extraNeeds(question: Question, wanted: readonly Extra[]): Needs {
  return together(extras.filter((extra) => wanted.includes(extra)).map((extra) => needsOf[extra](question)));
}

const needsOf: Record<Extra, (question: Question) => Needs> = {
  auth(question) {
    const { installation, listeners } = question;
    if (listeners.sasl === undefined) return noListener('sasl');
    const path = bySmtpd(question, listeners.sasl);
    if (path === undefined) return outOfReach(question, listeners.sasl);
    const type = installation.written.get('smtpd_sasl_type');
    if (settingOf(installation, 'smtpd_sasl_auth_enable') === 'yes' && type !== 'dovecot')
      return conflict('smtpd_sasl_auth_enable is yes with another smtpd_sasl_type than dovecot');
    return {
      ...noNeeds,
      values: [
        { name: 'smtpd_sasl_type', value: 'dovecot', when: 'always' },
        { name: 'smtpd_sasl_path', value: path, when: 'always' },
        { name: 'smtpd_sasl_auth_enable', value: 'yes', when: 'always' },
        // A password is not to cross in the clear.
        { name: 'smtpd_tls_auth_only', value: 'yes', when: 'unset' },
      ],
    };
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
