import assert from 'node:assert/strict';
import { test } from 'node:test';
import { optionChanges, serviceChanges, settingChanges } from './changes.ts';
import { extraNeeds } from './extras.ts';
import { debianServices, installation, question } from './fakes.test.ts';

const inside = (name: string) => ({ kind: 'unix', path: `/var/spool/postfix/private/${name}` }) as const;
const outside = { kind: 'unix', path: '/run/postkasse/sasl' } as const;
const { listeners } = question();

test('auth: on a service for mail programs, and not on port 25', () => {
  const asked = question({ listeners: { ...listeners, sasl: inside('sasl') } });
  const needs = extraNeeds(asked, ['auth']);
  assert.deepEqual(settingChanges(asked.installation, needs), []);
  assert.deepEqual(serviceChanges(asked.installation, needs), [
    'submission inet n - y - - smtpd -o syslog_name=postfix/submission -o smtpd_tls_security_level=encrypt -o smtpd_sasl_auth_enable=yes' +
      ' -o smtpd_sasl_type=dovecot -o smtpd_sasl_path=private/sasl -o smtpd_relay_restrictions=permit_sasl_authenticated,reject',
  ]);
});

test('auth: options of the services that are there', () => {
  const there = (options: string) => installation({}, `${debianServices}submission inet n - y - - smtpd ${options}\n`);
  const sasl = { kind: 'tcp', host: '127.0.0.1', port: 12345 } as const;
  const table: [string, string[]][] = [
    [
      '-o smtpd_tls_security_level=encrypt -o smtpd_sasl_auth_enable=yes',
      ['submission/inet/smtpd_sasl_type=dovecot', 'submission/inet/smtpd_sasl_path=inet:127.0.0.1:12345'],
    ],
    ['-o smtpd_sasl_auth_enable=yes -o smtpd_sasl_type=dovecot -o smtpd_sasl_path=inet:127.0.0.1:12345', []],
  ];
  for (const [options, expected] of table) {
    const asked = question({ installation: there(options), listeners: { ...listeners, sasl } });
    const needs = extraNeeds(asked, ['auth']);
    assert.deepEqual([optionChanges(asked.installation, needs), needs.services], [expected, []]);
  }
  const other = question({ installation: there('-o smtpd_sasl_path=private/auth'), listeners: { ...listeners, sasl } });
  assert.deepEqual(
    extraNeeds(other, ['auth']).conflicts.map(({ text }) => text),
    ['the service {service} asks somebody else for passwords: {path}'],
  );
});

test('what smtpd can not reach from its chroot is said, with what to do', () => {
  const asked = question({ listeners: { ...listeners, sasl: outside, policy: outside } });
  for (const extra of ['auth', 'policy'] as const) {
    assert.deepEqual(extraNeeds(asked, [extra]).conflicts, [
      {
        text: '{socket} can not be reached from the chroot of smtpd; give it a path below {folder}, or a port on 127.0.0.1',
        values: { socket: '/run/postkasse/sasl', folder: '/var/spool/postfix' },
      },
    ]);
    assert.equal(extraNeeds(question(), [extra]).conflicts.length, 1, 'no listener at all');
  }
});

test('policy, senders and recent logins stand where they have a say', () => {
  const socketmap = { kind: 'unix', path: '/run/postkasse/lookups' } as const;
  const asked = question({ listeners: { ...listeners, policy: inside('policy'), socketmap } });
  const changes = settingChanges(asked.installation, extraNeeds(asked, ['senders', 'policy', 'recent-logins']));
  const table = 'proxy:socketmap:unix:/run/postkasse/lookups';
  assert.deepEqual(Object.fromEntries(changes.map(({ name, after }) => [name, after])), {
    smtpd_recipient_restrictions: 'check_policy_service unix:private/policy',
    smtpd_relay_restrictions: `permit_mynetworks, permit_sasl_authenticated, check_client_access ${table}:recent-logins, defer_unauth_destination`,
    smtpd_sender_login_maps: `${table}:senders`,
    smtpd_sender_restrictions: 'reject_authenticated_sender_login_mismatch',
  });
});
