import { CONTROL, NONSPACING_MARK, PUNCTUATION } from './generated/unicode-8';

/** What the pre-tokenizer does with a character of normalised text. */
export const CharClass = { word: 1, space: 2, isolated: 3 } as const;
export type CharClass = (typeof CharClass)[keyof typeof CharClass];

/**
 * A set of code points from its runs. The tables stop at Unicode 8.0, as those of the reference tokenizers do: a model has learnt
 * to read a later punctuation mark as a letter, and the same text must give the same ids on every version of Node.
 */
class CodePointSet {
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];

  constructor(runs: string) {
    const numbers = runs.split(' ').map((digits) => Number.parseInt(digits, 36));
    let position = 0;
    for (let i = 0; i < numbers.length; i += 2) {
      this.#starts.push((position += numbers[i]!));
      this.#ends.push((position += numbers[i + 1]!));
    }
  }

  has(code: number): boolean {
    let low = 0;
    let high = this.#ends.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#ends[middle]! <= code) low = middle + 1;
      else high = middle;
    }
    return low < this.#starts.length && this.#starts[low]! <= code;
  }
}

const WHITE_SPACE = /^\p{White_Space}$/u;
const controls = new CodePointSet(CONTROL);
const punctuation = new CodePointSet(PUNCTUATION);
const nonspacingMarks = new CodePointSet(NONSPACING_MARK);

/** Tab, line feed and carriage return count as white space here although Unicode calls them controls. */
export const isWhitespace = (char: string): boolean => WHITE_SPACE.test(char);

/** Controls, format characters, private use and lone surrogates: what BERT's cleaning drops. */
export function isControl(char: string): boolean {
  return char !== '\t' && char !== '\n' && char !== '\r' && controls.has(char.codePointAt(0)!);
}

/** Unicode punctuation and every ASCII character that is no letter, digit, space or control (so `$`, `+`, `^` too). */
export function isPunctuation(char: string): boolean {
  const code = char.codePointAt(0)!;
  if (code < 128) return (code > 32 && code < 48) || (code > 57 && code < 65) || (code > 90 && code < 97) || (code > 122 && code < 127);
  return punctuation.has(code);
}

export const isNonspacingMark = (char: string): boolean => nonspacingMarks.has(char.codePointAt(0)!);

/** First and last code points of the blocks that BERT spaces out as Chinese characters. */
const CJK_BLOCKS: readonly (readonly [number, number])[] = [
  [0x4e00, 0x9fff],
  [0x3400, 0x4dbf],
  [0x20000, 0x2a6df],
  [0x2a700, 0x2b73f],
  [0x2b740, 0x2b81f],
  [0x2b920, 0x2ceaf],
  [0xf900, 0xfaff],
  [0x2f800, 0x2fa1f],
];

export function isChinese(code: number): boolean {
  return code >= 0x3400 && CJK_BLOCKS.some(([first, last]) => code >= first && code <= last);
}

/** The class of every BMP code unit, filled as characters are met; astral characters are looked up each time. */
export class CharClassifier {
  readonly #known = new Uint8Array(0x10000);

  constructor(private readonly classify: (char: string) => CharClass) {}

  /** @param code code point at some place of a text; a lone surrogate is its own code point. */
  of(code: number): CharClass {
    if (code > 0xffff) return this.classify(String.fromCodePoint(code));
    const known = this.#known[code]!;
    if (known !== 0) return known as CharClass;
    return (this.#known[code] = this.classify(String.fromCharCode(code))) as CharClass;
  }
}
