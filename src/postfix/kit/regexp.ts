/** Regular expressions as regexp_table(5) and pcre_table(5) both read them. */

/** A text that stands for itself. */
export function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
}

/** A pattern of a domain's owner, where `*` is any text and `?` any character, neither of them an `@`. */
export function ofPattern(pattern: string): string {
  return pattern
    .split(/([*?])/)
    .map((part) => (part === '*' ? '[^@]*' : part === '?' ? '[^@]' : escaped(part)))
    .join('');
}

/** What is said of itself in a replacement: `$` begins `$1` there. */
export function literal(text: string): string {
  return text.replaceAll('$', '$$$$');
}
