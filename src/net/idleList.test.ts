import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { IdleList, IdleMember } from './idleList.ts';

class Member extends IdleMember {
  readonly number: number;
  readonly onExpired: (member: Member) => void;

  constructor(number: number, onExpired: (member: Member) => void) {
    super();
    this.number = number;
    this.onExpired = onExpired;
  }

  override expired(): void {
    this.onExpired(this);
  }
}

function numbers(list: IdleList): number[] {
  return [...list].map((member) => (member as Member).number);
}

test('a sweep takes those whose time is up, the quietest first, and no others', () => {
  const list = new IdleList(100);
  const expired: number[] = [];
  const members = [1, 2, 3].map(
    (number) =>
      new Member(number, (member) => {
        expired.push(member.number);
        member.list?.remove(member);
      }),
  );
  members.forEach((member, n) => {
    list.touch(member, n * 10);
  });
  const [first] = members;
  if (first) list.touch(first, 50);
  list.sweep(109);
  assert.deepEqual(expired, []);
  list.sweep(120);
  assert.deepEqual(expired, [2, 3]);
  assert.deepEqual(numbers(list), [1]);
  list.sweep(150);
  assert.deepEqual(expired, [2, 3, 1]);
  assert.equal(list.size, 0);
});

test('a member that neither leaves nor is touched does not hold up the sweep', () => {
  const list = new IdleList(100);
  let calls = 0;
  list.touch(new Member(1, () => calls++), 0);
  list.touch(new Member(2, () => calls++), 0);
  list.sweep(100);
  assert.equal(calls, 2);
  assert.deepEqual(numbers(list), [1, 2]);
  list.sweep(150);
  assert.equal(calls, 2);
});

test('order and membership are those of a plain array, whatever is done', () => {
  const step = fc.record({ list: fc.nat(1), member: fc.nat(4), isRemoval: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const lists = [new IdleList(1), new IdleList(1)] as const;
      const expected: [number[], number[]] = [[], []];
      const members = [0, 1, 2, 3, 4].map((number) => new Member(number, () => {}));
      for (const { list, member, isRemoval } of steps) {
        const subject = members[member];
        const target = list === 0 ? lists[0] : lists[1];
        if (subject === undefined) continue;
        if (isRemoval) target.remove(subject);
        else target.touch(subject, 0);
        const from = isRemoval ? [list] : [0, 1];
        for (const n of from) expected[n === 0 ? 0 : 1] = expected[n === 0 ? 0 : 1].filter((number) => number !== member);
        if (!isRemoval) expected[list === 0 ? 0 : 1].push(member);
      }
      assert.deepEqual(lists.map(numbers), expected);
      assert.deepEqual([lists[0].size, lists[1].size], [expected[0].length, expected[1].length]);
    }),
  );
});
