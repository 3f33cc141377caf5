/** What a dialogue of questions is to its carrier: requests that are answered one by one, none of which knows of another. */

/** The first request of what has come. */
export type Cut =
  | {
      readonly kind: 'whole';
      readonly request: Buffer;
      /** Where the next one begins. */
      readonly end: number;
    }
  | { readonly kind: 'part' }
  /** What comes after it makes no sense either. */
  | { readonly kind: 'malformed'; readonly reason: string };

export interface QuestionDialogue {
  /** @param lookedAt so many octets were there already when a part of a request was found */
  cut(octets: Buffer, lookedAt: number): Cut;
  /** Never rejects. `undefined`: the request makes no sense; the connection is closed without a word, which is never taken for a permission. */
  answer(request: Buffer): Promise<Buffer | undefined>;
  /** What is said when there is no answer in time. */
  late(): Buffer;
}
