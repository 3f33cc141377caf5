/** PLAIN: `[authzid] NUL authcid NUL passwd`. RFC 4616. */
import { loginName, passwordOctets, utf8Text } from './credentials.ts';
import { exchange, type Mechanism, malformed, refused } from './mechanism.ts';

export const PLAIN: Mechanism = {
  name: 'PLAIN',
  proofKind: 'password',
  clientFirst: true,
  needsChannelBinding: false,
  start: ({ directory, arrival, service }) =>
    exchange(async (response) => {
      const first = response.indexOf(0);
      const second = response.indexOf(0, first + 1);
      if (first < 0 || second < 0) throw malformed();
      const authzid = utf8Text(response.subarray(0, first));
      const login = loginName(response.subarray(first + 1, second));
      // A third NUL would be in the password, which may hold none.
      const password = passwordOctets(response.subarray(second + 1));
      if (authzid !== '' && authzid !== login) throw refused('PLAIN: authorization as somebody else');
      return { success: await directory.authenticate({ login, arrival }, { kind: 'password', password }, service) };
    }),
};
