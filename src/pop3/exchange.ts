/** A SASL exchange in the lines of POP3: RFC 5034 section 4. */
import { Fault } from '../model/fault.ts';
import { base64 } from '../sasl/credentials.ts';
import { type Mechanism, mechanisms } from '../sasl/index.ts';
import type { ConnectionFacts } from './host.ts';
import { admit, prove, recorded } from './login.ts';
import { challenge, type Reply } from './replies.ts';
import type { Authorization, Exchanging, Transaction } from './session.ts';

const nothing = Buffer.alloc(0);

/** Mechanisms that every account can use on this connection: what CAPA and a bare AUTH list. */
export function announced(session: Authorization | Transaction): string[] {
  const { connection, host } = session;
  const promised = host.directory.proofKinds(connection.arrival);
  const names: string[] = [];
  for (const mechanism of mechanisms.values()) {
    if (host.mechanisms?.has(mechanism.name) === false) continue;
    if (promised.has(mechanism.proofKind) && obstacle(mechanism, connection) === undefined) names.push(mechanism.name);
  }
  return names;
}

/**
 * AUTH: one that isn't announced may still be tried, since a single account may have what it takes.
 * @throws Fault syntax, wrong-state, and what `login` throws
 */
export function begin(session: Authorization, name: string, initial: string | undefined): Reply | Promise<Reply> {
  const { connection, host, language } = session;
  const mechanism = mechanisms.get(name.toUpperCase());
  if (mechanism === undefined || host.mechanisms?.has(mechanism.name) === false) throw new Fault('syntax', 'no such mechanism');
  const refused = obstacle(mechanism, connection);
  if (refused !== undefined) throw refused;
  // A mechanism that begins with the server refuses more than that itself; LOGIN takes a name, since programs send one.
  if (initial === '=' && !mechanism.clientFirst) throw new Fault('syntax', 'this mechanism takes no initial response');
  const response = initial === undefined || initial === '=' ? nothing : base64(initial);

  const exchanging: Exchanging = {
    state: 'EXCHANGE',
    host,
    connection,
    language,
    commands: session.commands,
    authorization: session,
    mechanism: mechanism.name,
    exchange: mechanism.start({
      directory: {
        async authenticate(claim, proof) {
          exchanging.admitted = await prove(session, mechanism.name, claim, proof);
          return exchanging.admitted.admission;
        },
        scramParameters: (claim, hash) => host.directory.scramParameters(claim, hash),
      },
      arrival: connection.arrival,
      service: 'pop3',
      channelBinding: connection.channelBinding,
      hostname: host.hostname,
      random: host.random,
      now: host.now,
    }),
    admitted: undefined,
    isLast: false,
  };
  if (mechanism.clientFirst && initial === undefined) return challenge(nothing, exchanging);
  return step(exchanging, response);
}

/** A line while an exchange is under way. @throws Fault syntax, and what `login` throws */
export function respond(session: Exchanging, line: string): Reply | Promise<Reply> {
  if (line === '*') throw new Fault('syntax', 'authentication cancelled');
  const response = base64(line);
  const { admitted, authorization, host, mechanism } = session;
  if (!session.isLast || admitted === undefined) return step(session, response);
  if (response.length > 0) throw new Fault('syntax', 'nothing more was asked for');
  return recorded(authorization, { method: mechanism }, () => admit(authorization, admitted, mechanism, host.now()));
}

/** Why a password must not cross on this connection, or a mechanism cannot work there; `undefined`: it can. */
function obstacle(mechanism: Mechanism, connection: ConnectionFacts): Fault | undefined {
  if (mechanism.proofKind === 'password' && !connection.secure) return plaintextRefused(connection);
  if (mechanism.needsChannelBinding && connection.channelBinding === undefined) return new Fault('wrong-state', 'this mechanism needs TLS');
  return undefined;
}

/** RFC 8314 section 3: the sentence says what to do instead. */
export function plaintextRefused(connection: ConnectionFacts): Fault {
  return connection.canStartTls
    ? new Fault('wrong-state', 'no passwords without encryption here: use STLS first, or the POP3S port')
    : new Fault('wrong-state', 'no passwords without encryption here: use the POP3S port');
}

function step(session: Exchanging, response: Buffer): Promise<Reply> {
  const { authorization, exchange, host, mechanism } = session;
  return recorded(authorization, { method: mechanism }, async () => {
    const startedAtMs = host.now();
    const next = await exchange.next(response).catch((thrown: unknown) => {
      // A mechanism may still refuse whose proof held.
      session.admitted?.dismiss();
      throw thrown;
    });
    if (next.kind === 'challenge') return challenge(next.octets, session);
    const { admitted } = session;
    if (admitted === undefined) throw new Error(`${mechanism} let somebody in without asking the directory`);
    if (next.octets === undefined) return admit(authorization, admitted, mechanism, startedAtMs);
    // POP3 has no room beside +OK, RFC 5034 section 4: the mechanism's last word is one more challenge.
    session.isLast = true;
    return challenge(next.octets, session);
  });
}
