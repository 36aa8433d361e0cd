import type { Vocabulary } from './vocabulary';

/** The parallel arrays of an {@link Encoding}; all of one length. */
export interface EncodingArrays {
  readonly ids: Int32Array;
  readonly typeIds: Uint8Array;
  readonly attentionMask: Uint8Array;
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  readonly words: Int32Array;
  readonly sequences: Int8Array;
}

/** A text, or a pair of texts, as a model reads it. */
export class Encoding implements EncodingArrays {
  /** Token ids. */
  readonly ids: Int32Array;
  /** 0 for the first text and its special tokens, 1 for the second, as the post-processor says. */
  readonly typeIds: Uint8Array;
  /** 1 for real tokens, 0 for padding. */
  readonly attentionMask: Uint8Array;
  /** Token `i` covers the UTF-16 units `starts[i]` to `ends[i]` (exclusive) of its text; 0 and 0 for special tokens. */
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  /** Index of the word within its text, −1 for special tokens. */
  readonly words: Int32Array;
  /** 0 for the first text, 1 for the second, −1 for special tokens. */
  readonly sequences: Int8Array;
  readonly #vocabulary: Vocabulary;

  constructor(arrays: EncodingArrays, vocabulary: Vocabulary) {
    this.ids = arrays.ids;
    this.typeIds = arrays.typeIds;
    this.attentionMask = arrays.attentionMask;
    this.starts = arrays.starts;
    this.ends = arrays.ends;
    this.words = arrays.words;
    this.sequences = arrays.sequences;
    this.#vocabulary = vocabulary;
  }

  /** Number of tokens, special ones and padding included. */
  get length(): number {
    return this.ids.length;
  }

  /** `[start, end)` of each token in UTF-16 units of its own text, made afresh at each call. */
  get offsets(): [number, number][] {
    return Array.from(this.starts, (start, i) => [start, this.ends[i]!]);
  }

  /** The tokens' spellings, made afresh at each call. */
  get tokens(): string[] {
    return Array.from(this.ids, (id) => this.#vocabulary.token(id) ?? '');
  }

  get wordIds(): (number | null)[] {
    return Array.from(this.words, (word) => (word < 0 ? null : word));
  }

  get sequenceIds(): (number | null)[] {
    return Array.from(this.sequences, (sequence) => (sequence < 0 ? null : sequence));
  }

  /** A copy padded at its end to `length` tokens; itself when it is that long already. */
  padTo(length: number, padId: number): Encoding {
    if (length <= this.length) return this;
    const ids = new Int32Array(length).fill(padId);
    ids.set(this.ids);
    return new Encoding(
      {
        ids,
        typeIds: widened(this.typeIds, new Uint8Array(length)),
        attentionMask: widened(this.attentionMask, new Uint8Array(length)),
        starts: widened(this.starts, new Int32Array(length)),
        ends: widened(this.ends, new Int32Array(length)),
        words: widened(this.words, new Int32Array(length).fill(-1)),
        sequences: widened(this.sequences, new Int8Array(length).fill(-1)),
      },
      this.#vocabulary,
    );
  }
}

function widened<T extends Uint8Array | Int8Array | Int32Array>(source: T, target: T): T {
  target.set(source);
  return target;
}
