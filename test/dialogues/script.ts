/** Files of dialogues, as player.ts describes them. */

export interface Dialogue {
  readonly title: string;
  /** Of the file, from 1. */
  readonly line: number;
  readonly steps: readonly Step[];
}

export interface Step {
  readonly line: number;
  readonly text: string;
}

/** Cuts a file into its dialogues. What their lines say is the player's to find out. */
export function parse(text: string): Dialogue[] {
  const dialogues: Dialogue[] = [];
  let steps: Step[] = [];
  let comments: string[] = [];
  const end = () => {
    const first = steps[0];
    if (first) dialogues.push({ title: comments.join(' '), line: first.line, steps });
    if (first) comments = [];
    steps = [];
  };
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '') end();
    else if (line.startsWith('#')) comments.push(line.slice(1).trim());
    else steps.push({ line: index + 1, text: line });
  }
  end();
  return dialogues;
}
