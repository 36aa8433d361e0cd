import type { Vocabulary } from './vocabulary';

/** One word cut into pieces: their ids and where each ends, in UTF-16 units of the word. */
export interface WordPieces {
  readonly ids: readonly number[];
  readonly ends: readonly number[];
}

export interface WordPieceOptions {
  unknownToken: string;
  /** What marks a piece that continues a word, usually `##`. */
  continuingPrefix: string;
  /** Longer words, in code points, become one unknown token. */
  maxWordChars: number;
}

const CACHE_ENTRIES = 1 << 16;
const CACHED_WORD_UNITS = 64;

/**
 * Greedy longest-match-first segmentation of words.
 *
 * A word that cannot be cut completely is one unknown token. The work for one word is bounded by `maxWordChars` times the
 * longest token, so a text costs time in proportion to its length whatever stands in it.
 */
export class WordPiece {
  readonly #first = new Map<string, number>();
  readonly #continuing = new Map<string, number>();
  readonly #cache = new Map<string, WordPieces>();
  readonly #longestFirst: number;
  readonly #longestContinuing: number;
  readonly unknownId: number;

  constructor(
    vocabulary: Vocabulary,
    private readonly options: WordPieceOptions,
  ) {
    const prefix = options.continuingPrefix;
    this.unknownId = vocabulary.idOf(options.unknownToken, 'the unknown token');
    let longestFirst = 0;
    let longestContinuing = 0;
    for (const [token, id] of vocabulary.entries()) {
      this.#first.set(token, id);
      longestFirst = Math.max(longestFirst, token.length);
      if (token.startsWith(prefix) && token.length > prefix.length) {
        this.#continuing.set(token.slice(prefix.length), id);
        longestContinuing = Math.max(longestContinuing, token.length - prefix.length);
      }
    }
    this.#longestFirst = longestFirst;
    this.#longestContinuing = longestContinuing;
  }

  /** Cuts `text[start, end)`, a normalised word without spaces. */
  cut(text: string, start: number, end: number): WordPieces {
    const units = end - start;
    if (units > 2 * this.options.maxWordChars) return this.#unknown(units);
    const word = text.slice(start, end);
    if (units > CACHED_WORD_UNITS) return this.#cut(word);
    const known = this.#cache.get(word);
    if (known !== undefined) return known;
    if (this.#cache.size >= CACHE_ENTRIES) this.#cache.clear();
    const pieces = this.#cut(word);
    this.#cache.set(word, pieces);
    return pieces;
  }

  #cut(word: string): WordPieces {
    if (word.length > this.options.maxWordChars && [...word].length > this.options.maxWordChars) return this.#unknown(word.length);
    const ids: number[] = [];
    const ends: number[] = [];
    for (let start = 0; start < word.length; ) {
      const pieces = start === 0 ? this.#first : this.#continuing;
      let end = Math.min(word.length, start + (start === 0 ? this.#longestFirst : this.#longestContinuing));
      let id: number | undefined;
      while (end > start && (id = pieces.get(word.slice(start, end))) === undefined) end--;
      if (id === undefined) return this.#unknown(word.length);
      ids.push(id);
      ends.push(end);
      start = end;
    }
    return { ids, ends };
  }

  #unknown(units: number): WordPieces {
    return { ids: [this.unknownId], ends: [units] };
  }
}
