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
const CONTROL_SPACE = /[\t\n\r]/g;

/** Applies a {@link CharMap} to whole texts and keeps where each character came from. Time is linear in the text. */
export class Normalizer {
  /** What each BMP character becomes, filled as characters are met. */
  readonly #known: (string | undefined)[] = new Array(0x10000);

  /** @param map must keep printable ASCII, but for the case of letters when `lowercase` is set, and make one character of tab, LF and CR each. */
  constructor(
    private readonly map: CharMap,
    private readonly lowercase: boolean,
  ) {}

  normalize(source: string): NormalizedText {
    if (PLAIN_ASCII.test(source)) {
      const spaced = source.replace(CONTROL_SPACE, this.map);
      return { text: this.lowercase ? spaced.toLowerCase() : spaced };
    }
    let units = new Uint16Array(source.length + 16);
    let starts = new Int32Array(source.length + 16);
    let ends = new Int32Array(source.length + 16);
    let length = 0;
    for (let position = 0; position < source.length; ) {
      const code = source.codePointAt(position)!;
      const end = position + (code > 0xffff ? 2 : 1);
      const mapped = code > 0xffff ? this.map(String.fromCodePoint(code)) : (this.#known[code] ??= this.map(String.fromCharCode(code)));
      if (length + mapped.length > units.length) {
        const capacity = Math.max(length + mapped.length, units.length * 2);
        units = grown(units, new Uint16Array(capacity));
        starts = grown(starts, new Int32Array(capacity));
        ends = grown(ends, new Int32Array(capacity));
      }
      for (let i = 0; i < mapped.length; i++) {
        units[length] = mapped.charCodeAt(i);
        starts[length] = position;
        ends[length++] = end;
      }
      position = end;
    }
    return { text: UTF16.decode(units.subarray(0, length)), starts: starts.subarray(0, length), ends: ends.subarray(0, length) };
  }
}

/** Keeps the number of units: a lone surrogate becomes one replacement character. */
const UTF16 = new TextDecoder('utf-16le', { ignoreBOM: true });

function grown<T extends Uint16Array | Int32Array>(array: T, larger: T): T {
  larger.set(array);
  return larger;
}
