/** SCRAM: nonce, salt and iteration count, proof, server signature. RFC 5802, its -PLUS form included. */
import type { ScramHash } from '../../model/directory.ts';
import { Fault } from '../../model/fault.ts';
import { type ChannelBinding, type Exchange, exchange, type Mechanism, refused, type SaslContext } from '../mechanism.ts';
import { scramLength } from './arithmetic.ts';
import { type ClientFirst, parseClientFinal, parseClientFirst } from './messages.ts';

/** Of 128 values of an octet without its top bit 93 may stand in a nonce: about 29 characters, 190 bits, come of these. */
const NONCE_OCTETS = 40;

/** The row of one hash, plain or -PLUS. */
export function scram(name: string, hash: ScramHash, plus: boolean): Mechanism {
  return {
    name,
    proofKind: hash === 'sha1' ? 'scram-sha-1' : 'scram-sha-256',
    clientFirst: true,
    needsChannelBinding: plus,
    start: (context) => scramExchange(context, hash, plus),
  };
}

function scramExchange({ directory, arrival, service, channelBinding, random }: SaslContext, hash: ScramHash, plus: boolean): Exchange {
  return exchange(async (response) => {
    const first = parseClientFirst(response);
    const bound = Buffer.concat([Buffer.from(first.gs2Header), bindingData(first.channelBinding, channelBinding, plus)]);
    const claim = { login: first.login, arrival };
    const { salt, iterations } = await directory.scramParameters(claim, hash);
    const nonce = first.nonce + printable(random(NONCE_OCTETS));
    const challenge = Buffer.from(`r=${nonce},s=${salt.toString('base64')},i=${iterations}`);
    return {
      challenge,
      async answeredBy(second) {
        const final = parseClientFinal(second);
        if (final.nonce !== nonce) throw refused('SCRAM: another nonce than the one given');
        // With -PLUS this is what a man in the middle can't get right: his TLS session to us isn't the client's to him.
        if (!final.channelBinding.equals(bound)) throw refused('SCRAM: bound to another channel');
        if (final.proof.length !== scramLength[hash]) throw refused('SCRAM: a proof of the wrong length');
        const comma = Buffer.from(',');
        const authMessage = Buffer.concat([first.bare, comma, challenge, comma, final.withoutProof]);
        const admission = await directory.authenticate(claim, { kind: 'scram', hash, authMessage, clientProof: final.proof }, service);
        if (admission.serverSignature === undefined) {
          throw new Fault('temporary', 'internal error', {
            cause: new Error('the directory let a SCRAM proof pass without a server signature'),
          });
        }
        return { success: admission, octets: Buffer.from(`v=${admission.serverSignature.toString('base64')}`) };
      },
    };
  });
}

/** `printable` of RFC 5802 section 7: 0x21 to 0x7E without the comma. */
function printable(octets: Buffer): string {
  return octets.toString('ascii').replace(/[^\x21-\x2b\x2d-\x7e]/g, '');
}

/**
 * RFC 5802 section 6. `y` says "I could bind, and you didn't offer it": where we did, somebody in between took it off the list.
 * @throws Fault auth
 */
function bindingData(wanted: ClientFirst['channelBinding'], channelBinding: ChannelBinding | undefined, plus: boolean): Buffer {
  if (wanted.flag === 'p') {
    if (!plus) throw refused('SCRAM: channel binding with a mechanism that has none');
    const data = channelBinding?.data(wanted.type);
    if (data === undefined) throw refused(`SCRAM: no channel binding of type ${wanted.type}`);
    return data;
  }
  if (plus) throw refused('SCRAM: -PLUS without channel binding');
  if (wanted.flag === 'y' && channelBinding !== undefined) throw refused('SCRAM: -PLUS was offered, and the client was told otherwise');
  return Buffer.alloc(0);
}
