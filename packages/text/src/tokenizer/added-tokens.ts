import { limitError, quoted, tokenizerError } from './vocabulary';

/** A token that is looked for in the text itself before anything else happens to it. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly special: boolean;
  /** Only where no word character touches it. */
  readonly singleWord: boolean;
  /** Takes the white space before or after it along. */
  readonly lstrip: boolean;
  readonly rstrip: boolean;
  /** Looked for in normalised text instead of the source. */
  readonly normalized: boolean;
}

/** A stretch of text: an added token, or plain text when `token` is absent. */
export interface Section {
  readonly start: number;
  readonly end: number;
  readonly token?: AddedToken;
}

const MAX_ADDED = 100_000;
const WORD = /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\u200c\u200d]/u;
const SPACE = /\p{White_Space}/u;

interface TrieNode {
  readonly next: Map<number, TrieNode>;
  token?: AddedToken;
}

/** Finds added tokens, leftmost first and the longest of those that start at one place. */
export class AddedTokenMatcher {
  readonly #root: TrieNode = { next: new Map() };

  /** @param spelling how a token looks in the text that will be searched. */
  constructor(tokens: readonly AddedToken[], spelling: (content: string) => string = (content) => content) {
    if (tokens.length > MAX_ADDED) throw limitError(`more than ${MAX_ADDED} added tokens`, 'added_tokens');
    for (const token of tokens) {
      const content = spelling(token.content);
      if (content === '') throw tokenizerError(`added token ${token.id} (${quoted(token.content)}) is empty`, 'added_tokens');
      let node = this.#root;
      for (let i = 0; i < content.length; i++) {
        const unit = content.charCodeAt(i);
        let child = node.next.get(unit);
        if (child === undefined) node.next.set(unit, (child = { next: new Map() }));
        node = child;
      }
      if (node.token !== undefined && node.token.id !== token.id) {
        throw tokenizerError(`added tokens ${node.token.id} and ${token.id} are both spelled ${quoted(content)}`, 'added_tokens');
      }
      node.token = token;
    }
  }

  get isEmpty(): boolean {
    return this.#root.next.size === 0;
  }

  /** Splits `text` completely; adjacent plain text is one section, and there are no empty ones. */
  split(text: string): Section[] {
    const sections: Section[] = [];
    let done = 0;
    const plain = (end: number) => {
      if (end > done) sections.push({ start: done, end });
    };
    if (!this.isEmpty) {
      for (let i = 0; i < text.length; ) {
        const match = this.#longestAt(text, i);
        if (match === undefined) {
          i++;
          continue;
        }
        let start = i;
        let end = i + match.units;
        i = end;
        const { token } = match;
        if (token.singleWord && (touchesWord(text, start - 1) || touchesWord(text, end))) continue;
        if (token.lstrip) while (start > done && SPACE.test(text[start - 1]!)) start--;
        if (token.rstrip) while (end < text.length && SPACE.test(text[end]!)) end++;
        plain(start);
        sections.push({ start, end, token });
        done = i = end;
      }
    }
    plain(text.length);
    return sections;
  }

  #longestAt(text: string, start: number): { token: AddedToken; units: number } | undefined {
    let node = this.#root.next.get(text.charCodeAt(start));
    let found: { token: AddedToken; units: number } | undefined;
    for (let i = start + 1; node !== undefined; i++) {
      if (node.token !== undefined) found = { token: node.token, units: i - start };
      node = i < text.length ? node.next.get(text.charCodeAt(i)) : undefined;
    }
    return found;
  }
}

/** True if the character that covers unit `index` belongs to a word. */
function touchesWord(text: string, index: number): boolean {
  if (index < 0 || index >= text.length) return false;
  const low = text.charCodeAt(index) >= 0xdc00 && text.charCodeAt(index) <= 0xdfff;
  return WORD.test(String.fromCodePoint(text.codePointAt(low && index > 0 ? index - 1 : index)!));
}
