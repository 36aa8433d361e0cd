import { isChinese, isControl, isNonspacingMark, isWhitespace } from './characters';

/** Text after normalisation; unit `i` of `text` came from units `starts[i]` (inclusive) to `ends[i]` (exclusive) of the source. */
export interface NormalizedText {
  readonly text: string;
  /** Absent when unit `i` came from unit `i`. */
  readonly starts?: Int32Array;
  readonly ends?: Int32Array;
}

/** What one code point becomes: nothing, itself, or several characters. Every supported normaliser is such a map. */
export type CharMap = (char: string) => string;

export interface BertNormalizerOptions {
  cleanText: boolean;
  handleChineseChars: boolean;
  stripAccents: boolean;
  lowercase: boolean;
}

/** BERT's normaliser: drop controls, unify spaces, space out Chinese characters, strip accents (NFD), lower-case; in this order. */
export function bertCharMap(options: BertNormalizerOptions): CharMap {
  const { cleanText, handleChineseChars, stripAccents, lowercase } = options;
  return (char) => {
    let out = char;
    if (cleanText) {
      if (char === '\0' || char === '\ufffd' || isControl(char)) return '';
      if (isWhitespace(char)) out = ' ';
    }
    if (handleChineseChars && isChinese(char.codePointAt(0)!)) out = ` ${out} `;
    if (stripAccents) out = [...out.normalize('NFD')].filter((part) => !isNonspacingMark(part)).join('');
    return lowercase ? lowerCase(out) : out;
  };
}

/** Lower-cases character by character, so that a sigma never depends on its neighbours. */
export const lowerCase: CharMap = (char) => {
  let out = '';
  for (const part of char) out += part.toLowerCase();
  return out;
};

const PLAIN_ASCII = /^[\t\n\r -~]*$/;
const CACHE_ENTRIES = 1 << 14;

/** Applies a {@link CharMap} to whole texts and keeps where each character came from. Time is linear in the text. */
export class Normalizer {
  readonly #cache = new Map<string, string>();

  /** @param map must keep printable ASCII and ASCII white space, but for the case of letters when `lowercase` is set. */
  constructor(
    private readonly map: CharMap,
    private readonly lowercase: boolean,
  ) {}

  normalize(source: string): NormalizedText {
    if (PLAIN_ASCII.test(source)) return { text: this.lowercase ? source.toLowerCase() : source };
    let starts = new Int32Array(source.length + 16);
    let ends = new Int32Array(source.length + 16);
    const parts: string[] = [];
    let length = 0;
    let position = 0;
    for (const char of source) {
      const mapped = this.#mapped(char);
      const end = position + char.length;
      if (length + mapped.length > starts.length) {
        starts = grown(starts, length + mapped.length);
        ends = grown(ends, length + mapped.length);
      }
      for (let i = 0; i < mapped.length; i++) {
        starts[length] = position;
        ends[length++] = end;
      }
      parts.push(mapped);
      position = end;
    }
    return { text: parts.join(''), starts: starts.subarray(0, length), ends: ends.subarray(0, length) };
  }

  #mapped(char: string): string {
    const known = this.#cache.get(char);
    if (known !== undefined) return known;
    if (this.#cache.size >= CACHE_ENTRIES) this.#cache.clear();
    const mapped = this.map(char);
    this.#cache.set(char, mapped);
    return mapped;
  }
}

function grown(array: Int32Array<ArrayBuffer>, needed: number): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(Math.max(needed, array.length * 2));
  larger.set(array);
  return larger;
}
