/** Where the worker is that may act for an owner. Asked by the fronts, answered by the supervisor, which starts workers. */
import type { DomainName, UserName } from '../model/address.ts';

/** A worker that runs, or is about to: connecting waits until it is ready. */
export interface Worker {
  /** Of its Unix socket; each start of a worker has one of its own. */
  readonly path: string;
  /** For the log: `601:100`, or `601:100 system` for the worker of a host's own user. */
  readonly owner: string;
}

/** An answer is good for a few seconds, and until nobody takes a connection there: then it is forgotten, and asked for anew. */
export interface Whereabouts {
  /** The worker of a domain's owner; `undefined`: not a domain of ours. @throws Fault temporary where no worker can be had, or the owner isn't clear */
  ofDomain(name: DomainName): Promise<Worker | undefined>;
  /** The worker of a user of the host; `undefined`: there is none who may log in. @throws Fault temporary */
  ofSystemUser(user: UserName): Promise<Worker | undefined>;
  /** Nobody takes a connection there: what was said about it is outdated. */
  forget(worker: Worker): void;
  /** It is there and can't answer: the next question is asked anew, as there may be another owner by now. */
  doubt(worker: Worker): void;
}
