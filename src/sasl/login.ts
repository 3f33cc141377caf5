/** LOGIN: asks for the name, then for the password. Never more than an Internet-Draft (murchison-sasl-login), and in every old mail program. */
import { loginName, passwordOctets } from './credentials.ts';
import { exchange, type Mechanism, type SaslContext, type Turn } from './mechanism.ts';

export const LOGIN: Mechanism = {
  name: 'LOGIN',
  proofKind: 'password',
  clientFirst: false,
  needsChannelBinding: false,
  start: (context) =>
    exchange((initial) => {
      // Some clients send the name along with AUTH LOGIN.
      if (initial.length > 0) return named(initial, context);
      return { challenge: Buffer.from('Username:'), answeredBy: (response) => named(response, context) };
    }),
};

function named(response: Buffer, { directory, arrival, service }: SaslContext): Turn {
  const login = loginName(response);
  return {
    challenge: Buffer.from('Password:'),
    async answeredBy(second) {
      const password = passwordOctets(second);
      return { success: await directory.authenticate({ login, arrival }, { kind: 'password', password }, service) };
    },
  };
}
