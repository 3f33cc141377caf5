import type { Text, Values } from '../texts/index.ts';

/** Why the program can't start, in words for the host, and the status it ends with. */
export class StartFailure extends Error {
  readonly text: Text;
  readonly values: Values;
  readonly exitCode: number;

  constructor(text: Text, values: Values, exitCode: number) {
    super(text.replace(/\{(\w+)\}/g, (_, name: string) => String(values[name])));
    this.text = text;
    this.values = values;
    this.exitCode = exitCode;
  }
}
