/** What a login over the wire leads to: an account, and the line on which its maildrop is open or may be opened. */
import type { Admission, Claim, Proof, Service } from '../model/directory.ts';
import { Fault } from '../model/fault.ts';
import type { Mailbox } from '../model/mailbox.ts';
import type { Maildrop } from '../model/maildrop.ts';
import { type Payload, plainFrame } from './codec.ts';
import { ask, Malformed, tell } from './frames.ts';
import { type Line, LineLost, put } from './line.ts';
import type { Lines } from './lines.ts';
import { type Listed, putListed } from './listedAnswer.ts';
import { KnownListings } from './listing.ts';
import type { Place } from './places.ts';
import { RemoteMaildrop } from './remoteMaildrop.ts';
import { type AdmittedReply, readAdmitted, readOpened } from './replies.ts';
import { writeAuthenticate, writeOpen } from './requests.ts';

/** A login that was granted, until its maildrop is opened or nobody wants it. */
type Held =
  | { readonly kind: 'open'; readonly maildrop: RemoteMaildrop }
  | { readonly kind: 'admitted'; readonly line: Line }
  | { readonly kind: 'fault'; readonly fault: Fault };

export interface LoginRequest {
  readonly claim: Claim;
  readonly proof: Proof;
  readonly service: Service;
  readonly noStatus: boolean;
}

export interface Sessions {
  /** @throws Fault auth, temporary */
  authenticate(place: Place, request: LoginRequest): Promise<Admission>;
  /** For who has logged in as this very mailbox, once. @throws Fault as the worker says, or temporary */
  open(mailbox: Mailbox, noStatus: boolean): Promise<Maildrop>;
  /** Maildrops open. */
  readonly count: number;
  /** Lets go of all of them. */
  close(): void;
}

/** Messages of listings that are remembered, about 300 octets of memory each. */
const MOST_LISTED = 100_000;
const release = plainFrame(ask.release);

export function createSessions(lines: Lines): Sessions {
  const known = new KnownListings(MOST_LISTED);
  const held = new WeakMap<Mailbox, Held>();
  /** Lines that a login has, whether its maildrop is open or not. */
  const taken = new Set<Line>();
  let open = 0;

  function free(line: Line): void {
    taken.delete(line);
    lines.giveBack(line);
  }

  function maildropOn(line: Line, { messages }: Listed<unknown>): RemoteMaildrop {
    taken.add(line);
    open += 1;
    return new RemoteMaildrop(line, messages, () => {
      open -= 1;
      free(line);
    });
  }

  /** What a login holds; `undefined`: nothing. */
  function heldBy(line: Line, listed: Listed<AdmittedReply>, service: Service): Held | undefined {
    const { opening } = listed.answer;
    if (opening.kind === 'open') return { kind: 'open', maildrop: maildropOn(line, listed) };
    if (opening.kind === 'none' && service === 'pop3') {
      taken.add(line);
      line.onLost = () => taken.delete(line);
      return { kind: 'admitted', line };
    }
    free(line);
    return opening.kind === 'fault' ? { kind: 'fault', fault: opening.fault } : undefined;
  }

  function take(mailbox: Mailbox): Held | undefined {
    const one = held.get(mailbox);
    held.delete(mailbox);
    return one;
  }

  async function letGo(one: Held): Promise<void> {
    if (one.kind === 'open') await one.maildrop[Symbol.asyncDispose]();
    if (one.kind !== 'admitted') return;
    await put(one.line, release, tell.done, (payload) => payload.end());
    free(one.line);
  }

  async function login(line: Line, place: Place, request: LoginRequest): Promise<Admission> {
    const { service, proof } = request;
    // With SCRAM the client has yet to agree to the server's proof.
    const opens = service === 'pop3' && proof.kind !== 'scram';
    const read = (payload: Payload) => {
      const answer = readAdmitted(payload);
      if (opens !== (answer.opening.kind !== 'none') || !isIn(place, answer)) throw new Malformed('an admission to something else');
      const mailbox = answer.account.mailbox.name;
      return answer.opening.kind === 'open' ? { answer, mailbox, listing: answer.opening.listing } : { answer, mailbox };
    };
    let listed: Listed<AdmittedReply>;
    try {
      listed = await putListed(line, writeAuthenticate({ ...request, opens }), { type: tell.admitted, read, known });
    } catch (thrown) {
      lines.giveBack(line);
      throw thrown;
    }
    const { account, noStatus, serverSignature } = listed.answer;
    const { mailbox } = account;
    const one = heldBy(line, listed, service);
    if (one !== undefined) held.set(mailbox, one);
    const abandon = (): void => {
      const unwanted = take(mailbox);
      if (unwanted !== undefined) letGo(unwanted).catch(() => line.cut('a login that nobody wants could not be taken back'));
    };
    return { account, noStatus, ...(serverSignature && { serverSignature }), ...(one && { abandon }) };
  }

  async function openLater(line: Line, mailbox: Mailbox, noStatus: boolean): Promise<Maildrop> {
    line.onLost = undefined;
    const read = (payload: Payload) => ({ answer: undefined, listing: readOpened(payload), mailbox: mailbox.name });
    try {
      return maildropOn(line, await putListed(line, writeOpen(noStatus), { type: tell.opened, read, known }));
    } catch (thrown) {
      free(line);
      throw thrown instanceof LineLost ? new Fault('temporary', 'the mailbox can not be read just now', { cause: thrown }) : thrown;
    }
  }

  return {
    authenticate: (place, request) =>
      lines.use(place.worker, {
        again: place.again,
        otherwise: 'accounts can not be looked up just now',
        repeatable: true,
        work: (line) => login(line, place, request),
      }),

    async open(mailbox, noStatus) {
      const one = take(mailbox);
      if (one?.kind === 'open') return one.maildrop;
      if (one?.kind === 'admitted') return openLater(one.line, mailbox, noStatus);
      if (one?.kind === 'fault') throw one.fault;
      throw new Fault('permanent', 'the mailbox can not be used', { cause: 'nobody has logged in to it here' });
    },

    get count() {
      return open;
    },

    close() {
      for (const line of taken) line.cut('the front ends');
    },
  };
}

/** A worker has no say in the accounts of other domains. */
function isIn(place: Place, { account: { mailbox } }: AdmittedReply): boolean {
  return place.systemUser === undefined
    ? mailbox.domain === place.domain
    : mailbox.domain === undefined && mailbox.user === place.systemUser;
}
