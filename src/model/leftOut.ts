/** The same without the keys that are `undefined`: what is left out and what is `undefined` mean the same, and so they look the same. */
export function withoutUndefined<T extends object>(value: T): T {
  const left: Partial<T> = {};
  // Quicker than entries and back: each login and recipient comes by here.
  for (const key in value) if (value[key] !== undefined) left[key] = value[key];
  return left as T;
}
