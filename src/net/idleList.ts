/**
 * Who has been quiet for how long, without a timer for each: a linked list through the connections themselves, the quietest first.
 * All members of one list have the same limit, so only its head needs to be looked at.
 */
export abstract class IdleMember {
  quieter: IdleMember | undefined = undefined;
  livelier: IdleMember | undefined = undefined;
  list: IdleList | undefined = undefined;
  /** In ms, on the clock of whoever calls `touch`. */
  activeAt = 0;

  /** Nothing was heard of it for the list's limit. It must leave the list or be touched. */
  abstract expired(): void;
}

export class IdleList {
  readonly #limitMs: number;
  size = 0;
  #head: IdleMember | undefined;
  #tail: IdleMember | undefined;

  constructor(limitMs: number) {
    this.#limitMs = limitMs;
  }

  /** Puts the member at the lively end, out of whichever list it was in. */
  touch(member: IdleMember, nowMs: number): void {
    member.activeAt = nowMs;
    if (this.#tail === member) return;
    member.list?.remove(member);
    member.list = this;
    member.quieter = this.#tail;
    if (this.#tail) this.#tail.livelier = member;
    else this.#head = member;
    this.#tail = member;
    this.size++;
  }

  remove(member: IdleMember): void {
    if (member.list !== this) return;
    if (member.quieter) member.quieter.livelier = member.livelier;
    else this.#head = member.livelier;
    if (member.livelier) member.livelier.quieter = member.quieter;
    else this.#tail = member.quieter;
    member.quieter = undefined;
    member.livelier = undefined;
    member.list = undefined;
    this.size--;
  }

  /** Calls `expired` on each member whose time is up. */
  sweep(nowMs: number): void {
    for (let member = this.#head; member !== undefined && nowMs - member.activeAt >= this.#limitMs; member = this.#head) {
      member.expired();
      // Whoever neither left nor was touched would be found here for ever.
      if (this.#head === member && nowMs - member.activeAt >= this.#limitMs) this.touch(member, nowMs);
      if (this.#head === member) return;
    }
  }

  /** From the quietest on; the list may change while it is gone through, as far as members leave it. */
  *[Symbol.iterator](): Iterator<IdleMember> {
    for (let member = this.#head; member !== undefined; ) {
      const next: IdleMember | undefined = member.livelier;
      yield member;
      member = next;
    }
  }
}
