/** CRAM-MD5: `user SP digest`, digest = HMAC-MD5(password, challenge) in lower-case hex. RFC 2195. */
import { loginName } from './credentials.ts';
import { exchange, type Mechanism, malformed } from './mechanism.ts';

const DIGEST_LENGTH = 32;

export const CRAM_MD5: Mechanism = {
  name: 'CRAM-MD5',
  proofKind: 'cram-md5',
  clientFirst: false,
  needsChannelBinding: false,
  start: ({ directory, arrival, service, hostname, random, now }) =>
    exchange((initial) => {
      // The digest answers a challenge; nothing can be said before it.
      if (initial.length > 0) throw malformed();
      const challenge = `<${BigInt(`0x${random(16).toString('hex')}`)}.${now()}@${hostname}>`;
      return {
        challenge: Buffer.from(challenge),
        async answeredBy(response) {
          // The name may hold spaces, the digest has none.
          const space = response.lastIndexOf(0x20);
          const digest = response.toString('latin1', space + 1);
          if (space < 0 || digest.length !== DIGEST_LENGTH || !/^[0-9a-f]+$/.test(digest)) throw malformed();
          const login = loginName(response.subarray(0, space));
          return { success: await directory.authenticate({ login, arrival }, { kind: 'cram-md5', challenge, digest }, service) };
        },
      };
    }),
};
