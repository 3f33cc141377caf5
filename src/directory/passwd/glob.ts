/** Patterns of an owner's: `*` is any run of characters, `?` one. There is no going back: at worst each character of the name meets each of the pattern once. */

export type Glob = (name: string) => boolean;

/** @param pattern of characters, `*` and `?`; there is no way to write those two themselves */
export function compileGlob(pattern: string): Glob {
  const [first = [], ...rest] = pattern.split(/\*+/).map((piece) => [...piece]);
  const last = rest.pop();
  return (name) => {
    const characters = [...name];
    if (last === undefined) return characters.length === first.length && isAt(characters, 0, first);
    const end = characters.length - last.length;
    if (first.length > end || !isAt(characters, 0, first) || !isAt(characters, end, last)) return false;
    let at = first.length;
    for (const piece of rest) {
      // The first place is as good as any: what follows has only more room.
      while (at + piece.length <= end && !isAt(characters, at, piece)) at += 1;
      if (at + piece.length > end) return false;
      at += piece.length;
    }
    return true;
  };
}

function isAt(characters: readonly string[], at: number, piece: readonly string[]): boolean {
  return piece.every((wanted, index) => (wanted === '?' ? characters[at + index] !== undefined : characters[at + index] === wanted));
}
