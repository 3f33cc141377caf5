/** The same without the keys that are `undefined`: what is left out and what is `undefined` mean the same, and so they look the same. */
export function withoutUndefined<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as T;
}
