/**
 * Dovecot's auth protocol, the server's side, on one connection: what `smtpd_sasl_type = dovecot` speaks. Many requests may be under way, each
 * with an id that the client chose, and answers come in any order. docs/smtp-auth.md has what we take from the protocol and why.
 */
import { Fault } from '../../model/fault.ts';
import { FailedLogin, Throttled, type Visitor, type Waiting } from '../../model/loginGate.ts';
import { isLoginFailure } from '../../model/report.ts';
import { base64 } from '../../sasl/credentials.ts';
import { type Exchange, type Mechanism, mechanisms } from '../../sasl/index.ts';
import { type Admitted, prove } from '../../sasl/prove.ts';
import type { Text, Values } from '../../texts/index.ts';
import { fieldsOf, lineOf } from './fields.ts';
import type { AuthHost } from './host.ts';
import { type AuthRequest, Malformed, number, parseAuth, requestId } from './request.ts';

/** Octets of a line with its end, as Dovecot has it. */
export const LONGEST_LINE = 16_384;

/** Postfix waits 10 seconds for an answer, then says "try again later" by itself. It is to hear ours. */
const PATIENCE_MS = 7000;
const LONGEST_DELAY_MS = 8000;
/** Requests that we are at work on. Postfix has one at a time on each of its connections. */
const MOST_AT_WORK = 256;
/** Requests that wait for their client. Postfix doesn't tell when one has gone away: the oldest is forgotten. */
const MOST_WAITING = 256;

const MAJOR = 1;
const MINOR = 2;
const nothing = Buffer.alloc(0);

export interface AuthWire {
  /** @param line with its end */
  say(line: string): void;
  hangUp(): void;
  /** Nothing is under way any more. */
  idle(): void;
}

interface Pending {
  readonly request: AuthRequest;
  /** Whose turn it is: the client's, ours, or that of a reply that is held back. */
  stage: 'client' | 'work' | 'reply';
  exchange: Exchange | undefined;
  /** From the moment on that the proof held. */
  admitted: Admitted | undefined;
  /** The mechanism's last word was said; the client answers that with an empty response. */
  isLast: boolean;
  /** While it has to wait before its proof is looked at. */
  waiting: Waiting | undefined;
  /** When it last was our turn, in ms since 1970. */
  sinceMs: number;
  /** Keeps a reply from being sent. */
  holdBack: (() => void) | undefined;
}

export class AuthConversation {
  readonly #host: AuthHost;
  readonly #wire: AuthWire;
  /** Names the connection in the log. */
  readonly #id: string;
  readonly #requests = new Map<number, Pending>();
  #state: 'version' | 'pid' | 'open' | 'closed' = 'version';
  #minor = 0;

  constructor(host: AuthHost, id: string, wire: AuthWire) {
    this.#host = host;
    this.#id = id;
    this.#wire = wire;
  }

  get isIdle(): boolean {
    return this.#requests.size === 0;
  }

  /** Whether there is a request that doesn't wait for its client. */
  get isAtWork(): boolean {
    return this.#atWork() > 0;
  }

  /** The server's half of the handshake. @param number of the connection, different for each of this process */
  begin(number: number): void {
    const { random, processId } = this.#host;
    this.#say('VERSION', String(MAJOR), String(MINOR));
    for (const { name, proofKind } of this.#announced()) this.#say('MECH', name, ...traits[proofKind]);
    this.#say('SPID', String(processId));
    this.#say('CUID', String(number));
    this.#say('COOKIE', random(16).toString('hex'));
    this.#say('DONE');
  }

  /** @param line octets as latin1, without the line end */
  line(line: string): void {
    if (this.#state === 'closed') return;
    try {
      this.#take(fieldsOf(line));
    } catch (thrown) {
      if (!(thrown instanceof Malformed)) throw thrown;
      this.malformed(thrown.message);
    }
  }

  malformed(reason: string): void {
    if (this.#state === 'closed') return;
    this.#host.log.warn('smtp-auth.malformed', { connection: this.#id, reason });
    this.#close();
  }

  /** The connection is gone: who waits for the gate need not wait any longer. May be called again. */
  lost(): void {
    this.#state = 'closed';
    for (const pending of [...this.#requests.values()]) this.#forget(pending);
  }

  #take([command, ...fields]: string[]): void {
    if (this.#state === 'version') this.#version(command, fields);
    else if (this.#state === 'pid') this.#pid(command, fields);
    else if (command === 'AUTH') this.#auth(parseAuth(fields, this.#minor));
    else if (command === 'CONT') this.#continue(requestId(fields[0]), fields[1]);
    else if (command === 'CANCEL') this.#cancel(requestId(fields[0]));
    else throw new Malformed('unknown command');
  }

  #version(command: string | undefined, [major, minor]: readonly string[]): void {
    if (command !== 'VERSION') throw new Malformed('VERSION has to come first');
    const known = number(minor);
    if (number(major) !== MAJOR || known === undefined) throw new Malformed('another version of the protocol');
    this.#minor = known;
    this.#state = 'pid';
  }

  #pid(command: string | undefined, [pid]: readonly string[]): void {
    if (command !== 'CPID' || (number(pid) ?? 0) === 0) throw new Malformed('CPID has to come after VERSION');
    this.#state = 'open';
  }

  #auth(request: AuthRequest): void {
    if (this.#requests.has(request.id)) throw new Malformed('a request id that is in use');
    const isTooMuch = this.#atWork() >= MOST_AT_WORK;
    const pending: Pending = {
      request,
      stage: 'work',
      exchange: undefined,
      admitted: undefined,
      isLast: false,
      waiting: undefined,
      sinceMs: this.#host.clock.now(),
      holdBack: undefined,
    };
    this.#requests.set(request.id, pending);
    this.#guarded(pending, () => {
      if (isTooMuch) throw new Throttled('too many requests at a time, try again later', 0);
      if (this.#host.isOverloaded()) throw new Throttled('the server is overloaded, try again later', 0);
      const mechanism = this.#mechanism(request);
      const { response } = request;
      // A mechanism that begins with the server refuses more than that itself; LOGIN takes a name, since programs send one.
      if (response === '=' && !mechanism.clientFirst) throw new Fault('syntax', 'this mechanism takes no initial response');
      const initial = response === undefined || response === '=' ? nothing : base64(response);
      pending.exchange = mechanism.start(this.#context(pending));
      if (mechanism.clientFirst && response === undefined) this.#challenge(pending, nothing);
      else return this.#step(pending, pending.exchange, initial);
    });
  }

  #continue(id: number, data: string | undefined): void {
    if (data === undefined) throw new Malformed('CONT without a response');
    const pending = this.#requests.get(id);
    if (pending === undefined) {
      this.#fail(id, undefined, 'there is no such request', {});
      return;
    }
    if (pending.stage !== 'client') {
      this.#forget(pending);
      this.#fail(id, undefined, 'the request is being worked on already', {});
      return;
    }
    pending.stage = 'work';
    pending.sinceMs = this.#host.clock.now();
    this.#guarded(pending, () => {
      const response = base64(data);
      const { exchange, admitted } = pending;
      if (pending.isLast && admitted !== undefined) {
        if (response.length > 0) throw new Fault('syntax', 'nothing more was asked for');
        this.#succeed(pending, admitted, undefined);
        return;
      }
      if (exchange !== undefined) return this.#step(pending, exchange, response);
    });
  }

  #cancel(id: number): void {
    const pending = this.#requests.get(id);
    if (pending !== undefined) this.#forget(pending);
  }

  /** @throws Fault syntax, wrong-state */
  #mechanism({ mechanism: name, remoteAddress, secured }: AuthRequest): Mechanism {
    const mechanism = mechanisms.get(name);
    // Postfix passes on nothing of its TLS that could be bound to.
    if (mechanism === undefined || mechanism.needsChannelBinding || this.#host.mechanisms?.has(name) === false)
      throw new Fault('syntax', 'no such mechanism');
    if (mechanism.proofKind === 'password' && !secured && !this.#host.plaintextNetworks.has(remoteAddress))
      throw new Fault('wrong-state', 'no passwords without encryption here: use TLS');
    return mechanism;
  }

  #announced(): Mechanism[] {
    const promised = this.#host.directory.proofKinds({ localAddress: undefined, serverName: undefined });
    return [...mechanisms.values()].filter(
      ({ name, proofKind, needsChannelBinding }) =>
        !needsChannelBinding && promised.has(proofKind) && this.#host.mechanisms?.has(name) !== false,
    );
  }

  #context(pending: Pending) {
    const { directory, hostname, random, clock } = this.#host;
    const { localAddress, remoteAddress } = pending.request;
    return {
      directory: {
        authenticate: async (claim, proof) => {
          const { mechanism, secured } = pending.request;
          pending.admitted = await prove(
            { ...visitorOf(pending), claim, proof, method: mechanism, tls: secured, patienceMs: PATIENCE_MS },
            {
              directory,
              gate: this.#host.gate,
              service: 'smtp-auth',
              begins: 'nothing',
              waits: (waiting) => {
                pending.waiting = waiting;
              },
            },
          );
          // There is no maildrop to be opened.
          pending.admitted.dismiss();
          return pending.admitted.admission;
        },
        scramParameters: (claim, hash) => directory.scramParameters(claim, hash),
      },
      arrival: { localAddress, serverName: undefined, remoteAddress },
      service: 'smtp-auth',
      channelBinding: undefined,
      hostname,
      random,
      now: () => clock.now(),
    } satisfies Parameters<Mechanism['start']>[0];
  }

  async #step(pending: Pending, exchange: Exchange, response: Buffer): Promise<void> {
    const next = await exchange.next(response);
    if (!this.#isWanted(pending)) return;
    if (next.kind === 'challenge') {
      this.#challenge(pending, next.octets);
      return;
    }
    const { admitted, request } = pending;
    if (admitted === undefined) throw new Error(`${request.mechanism} let somebody in without asking the directory`);
    if (next.octets === undefined || request.takesLastWord) {
      this.#succeed(pending, admitted, next.octets);
      return;
    }
    // Postfix has no room beside OK: the mechanism's last word is one more challenge, RFC 4954 section 4.
    pending.isLast = true;
    this.#challenge(pending, next.octets);
  }

  #challenge(pending: Pending, octets: Buffer): void {
    pending.stage = 'client';
    this.#say('CONT', String(pending.request.id), octets.toString('base64'));
    const waiting = [...this.#requests.values()].filter(({ stage }) => stage === 'client');
    if (waiting.length > MOST_WAITING && waiting[0] !== undefined) this.#forget(waiting[0]);
  }

  #succeed(pending: Pending, { admission: { account } }: Admitted, lastWord: Buffer | undefined): void {
    const { log, counts, clock } = this.#host;
    const { id, mechanism, remoteAddress, secured } = pending.request;
    const { name } = account.mailbox;
    counts.logins++;
    log.info('smtp-auth.login', {
      session: this.#session(id),
      remote: remoteAddress,
      mailbox: name,
      method: mechanism,
      tls: secured,
      ms: clock.now() - pending.sinceMs,
    });
    this.#requests.delete(id);
    this.#say('OK', String(id), `user=${name}`, ...(lastWord === undefined ? [] : [`resp=${lastWord.toString('base64')}`]));
    this.#rest();
  }

  /** Whatever goes wrong with a request costs that request, and is answered in words that tell nothing about accounts. */
  #guarded(pending: Pending, work: () => Promise<void> | void): void {
    const refuse = (thrown: unknown) => {
      if (this.#isWanted(pending)) this.#refuse(pending, this.#failureOf(pending, Fault.from(thrown)));
    };
    try {
      work()?.catch(refuse);
    } catch (thrown) {
      refuse(thrown);
    }
  }

  /** A mechanism can refuse before it has a proof to show anybody: a failure like others. */
  #failureOf(pending: Pending, fault: Fault): Fault {
    if (fault.kind !== 'auth' || fault instanceof FailedLogin) return fault;
    return new FailedLogin(fault, this.#host.gate.turnedAway(visitorOf(pending)), undefined);
  }

  #refuse(pending: Pending, fault: Fault): void {
    this.#record(pending, fault);
    const heldBackMs = fault instanceof FailedLogin ? fault.failure.heldBackMs : fault instanceof Throttled ? fault.heldBackMs : 0;
    const { clock } = this.#host;
    // The same time after the request for an unknown user and for a wrong password.
    const ms = Math.min(heldBackMs, LONGEST_DELAY_MS) - (clock.now() - pending.sinceMs);
    if (ms <= 0) {
      this.#answerRefusal(pending, fault);
      return;
    }
    this.#host.log.debug('smtp-auth.held-back', { session: this.#session(pending.request.id), ms });
    pending.stage = 'reply';
    pending.holdBack = clock.after(ms, () => {
      pending.holdBack = undefined;
      this.#answerRefusal(pending, fault);
    });
  }

  #answerRefusal(pending: Pending, fault: Fault): void {
    const { id } = pending.request;
    this.#requests.delete(id);
    const login = fault instanceof FailedLogin ? fault.login : undefined;
    if (fault.kind !== 'temporary' && fault.kind !== 'permanent') this.#fail(id, login, ...reasonOf(fault));
    // Postfix takes no notice of `temp`, and would tell its client that the password is wrong; a lost connection it takes for trouble that passes.
    else if (this.#minor === 0 && !this.isAtWork) this.#close();
    else this.#fail(id, login, fault.text, fault.values, 'temp', 'code=temp_fail');
    this.#rest();
  }

  #fail(id: number, login: string | undefined, reason: Text, values: Values, ...codes: string[]): void {
    const user = login === undefined ? [] : [`user=${login}`];
    this.#say('FAIL', String(id), ...user, ...codes, `reason=${this.#host.speaker.say(reason, values, 'en')}`);
  }

  /** Tells the log, and only the log, why it came to nothing. */
  #record({ request, admitted }: Pending, fault: Fault): void {
    const { log, counts } = this.#host;
    const { id, mechanism: method, remoteAddress: remote, secured: tls } = request;
    const from = { session: this.#session(id), remote, method };
    const { kind } = fault;
    if (fault instanceof Throttled) {
      counts.failures.throttled++;
      log.debug('smtp-auth.put-off', { ...from, tls, text: fault.text });
      return;
    }
    if (isLoginFailure(kind) && kind !== 'in-use' && kind !== 'login-delay') counts.failures[kind]++;
    if (kind === 'temporary' || kind === 'permanent') {
      log.error('smtp-auth.trouble', {
        ...from,
        mailbox: admitted?.admission.account.mailbox.name,
        kind,
        text: fault.text,
        cause: fault.cause,
      });
      return;
    }
    if (kind !== 'auth') return;
    const login = fault instanceof FailedLogin ? fault.login : undefined;
    const isRepeated = fault instanceof FailedLogin && fault.failure.isRepeated;
    const reason = fault.cause instanceof Error ? fault.cause.message : (fault.cause ?? fault.text);
    // In this order: what the client made up comes behind what it could not, for programs that read the log.
    log.info('smtp-auth.failed', {
      ...from,
      ...(login === undefined ? undefined : { login }),
      tls,
      ...(isRepeated ? { repeated: true } : undefined),
      kind,
      reason,
    });
  }

  /** Its client isn't there any more, or has broken the rules. What is under way comes to its end, and is told to nobody. */
  #forget(pending: Pending): void {
    this.#requests.delete(pending.request.id);
    pending.holdBack?.();
    pending.waiting?.giveUp();
    this.#rest();
  }

  #isWanted(pending: Pending): boolean {
    return this.#requests.get(pending.request.id) === pending;
  }

  #atWork(): number {
    let atWork = 0;
    for (const { stage } of this.#requests.values()) if (stage !== 'client') atWork++;
    return atWork;
  }

  #session(id: number): string {
    return `${this.#id}.${id}`;
  }

  #rest(): void {
    if (this.#requests.size === 0) this.#wire.idle();
  }

  #say(...fields: string[]): void {
    if (this.#state !== 'closed') this.#wire.say(`${lineOf(fields)}\n`);
  }

  #close(): void {
    this.#state = 'closed';
    this.lost();
    this.#wire.hangUp();
  }
}

/** As Dovecot calls them: Postfix leaves out mechanisms by these words, `smtpd_sasl_security_options`. */
const traits: Readonly<Record<Mechanism['proofKind'], readonly string[]>> = {
  password: ['plaintext'],
  apop: ['private'],
  'cram-md5': ['dictionary', 'active'],
  'scram-sha-1': ['mutual-auth'],
  'scram-sha-256': ['mutual-auth'],
};

function visitorOf({ request: { remoteAddress } }: Pending): Visitor {
  return { remoteAddress, isProxy: false };
}

function reasonOf({ kind, text, values }: Fault): [Text, Values, ...string[]] {
  if (kind === 'auth') return ['wrong name or password', {}];
  if (kind === 'wrong-state') return [text, values, 'code=auth_mech_ssl_required'];
  return text === 'not base64' ? [text, values, 'code=invalid_base64'] : [text, values];
}

/** A line as it may be shown in a trace: what stands for a password is not in it. */
export function masked(line: string): string {
  const fields = line.split('\t');
  if (fields[0] === 'AUTH') return fields.map((field) => (field.startsWith('resp=') ? 'resp=(secret)' : field)).join('\t');
  return fields[0] === 'CONT' && fields.length > 2 ? `CONT\t${fields[1]}\t(secret)` : line;
}
