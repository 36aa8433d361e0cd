import { PieceTrie, WORD_CONTINUATION, WORD_START } from './piece-trie';
import type { Vocabulary } from './vocabulary';

export interface WordPieceOptions {
  unknownToken: string;
  /** What marks a piece that continues a word, usually `##`. */
  continuingPrefix: string;
  /** Longer words, in code points, become one unknown token. */
  maxWordChars: number;
}

/**
 * Greedy longest-match-first segmentation of words.
 *
 * A word that cannot be cut completely is one unknown token. The work for one word is bounded by `maxWordChars` times the
 * longest token, so a text costs time in proportion to its length whatever stands in it.
 */
export class WordPiece {
  readonly #trie: PieceTrie;
  readonly unknownId: number;
  /** The pieces of the last word: ids, and where each ends in the text that was given. */
  readonly ids: number[] = [];
  readonly ends: number[] = [];

  constructor(
    vocabulary: Vocabulary,
    private readonly options: WordPieceOptions,
  ) {
    const prefix = options.continuingPrefix;
    this.#trie = new PieceTrie(vocabulary.count);
    this.unknownId = vocabulary.idOf(options.unknownToken, 'the unknown token');
    for (const [token, id] of vocabulary.entries()) {
      if (token === '') continue;
      this.#trie.add(WORD_START, token, 0, id);
      if (token.startsWith(prefix) && token.length > prefix.length) this.#trie.add(WORD_CONTINUATION, token, prefix.length, id);
    }
  }

  /** Cuts `text[start, end)`, a normalised word without spaces, into {@link ids} and {@link ends}; returns how many pieces. */
  cut(text: string, start: number, end: number): number {
    if (this.#isTooLong(text, start, end)) return this.#unknown(end);
    let count = 0;
    for (let at = start; at < end; at += this.#trie.matched) {
      const id = this.#trie.longest(at === start ? WORD_START : WORD_CONTINUATION, text, at, end);
      if (id < 0) return this.#unknown(end);
      this.ids[count] = id;
      this.ends[count++] = at + this.#trie.matched;
    }
    return count;
  }

  #isTooLong(text: string, start: number, end: number): boolean {
    const { maxWordChars } = this.options;
    if (end - start <= maxWordChars) return false;
    return end - start > 2 * maxWordChars || [...text.slice(start, end)].length > maxWordChars;
  }

  #unknown(end: number): number {
    this.ids[0] = this.unknownId;
    this.ends[0] = end;
    return 1;
  }
}
