import { EngineError } from '@neural-engine/core';
import { type AddedToken, AddedTokenMatcher } from './added-tokens';
import { CharClass, type CharClassifier } from './characters';
import type { Encoding } from './encoding';
import type { NormalizedText, Normalizer } from './normalizer';
import { assemble, specialCount, type Template, type TemplatePiece, type TextTokens, withoutSpecials } from './template';
import { TokenSink } from './token-sink';
import { longestFirst, requireInteger, windowsOf } from './truncation';
import { limitError, tokenizerError, type Vocabulary } from './vocabulary';
import type { WordPiece } from './wordpiece';

/** The parts of a tokenizer, already validated. Made by `loadTokenizer`. */
export interface TokenizerParts {
  readonly vocabulary: Vocabulary;
  readonly addedTokens: readonly AddedToken[];
  readonly normalizer: Normalizer;
  readonly classifier: CharClassifier;
  readonly model: WordPiece;
  readonly template: Template;
  readonly padId: number;
  /** The longest input the model was made for, where the files say. */
  readonly modelMaxLength?: number;
}

export interface EncodeOptions {
  /** A second text, after the first. */
  pair?: string;
  /** At most so many tokens, special ones included; the longer text is cut first. Default: all. */
  maxLength?: number;
  /** Default true. */
  addSpecialTokens?: boolean;
}

export interface WindowOptions {
  /** At most so many tokens a window, question and special tokens included. */
  maxLength: number;
  /** So many context tokens are repeated from one window to the next. Where a long question leaves less room, at most half the room. */
  stride: number;
}

/** Texts above this are refused: their token arrays would not fit the memory budget of a request. */
const MAX_TEXT_UNITS = 16 * 2 ** 20;

/**
 * A BERT-family WordPiece tokenizer with offsets into the text.
 *
 * Offsets count UTF-16 units, as JavaScript strings do. Ids and offsets equal those of Hugging Face's tokenizers.
 * Time is linear in the text.
 */
export class Tokenizer {
  readonly #parts: TokenizerParts;
  readonly #sourceMatcher: AddedTokenMatcher;
  readonly #normalizedMatcher: AddedTokenMatcher;
  #lastText = '';
  #lastTokens: TextTokens | undefined;

  constructor(parts: TokenizerParts) {
    this.#parts = parts;
    this.#sourceMatcher = new AddedTokenMatcher(parts.addedTokens.filter((token) => !token.normalized));
    this.#normalizedMatcher = new AddedTokenMatcher(
      parts.addedTokens.filter((token) => token.normalized),
      (content) => parts.normalizer.normalize(content).text,
    );
  }

  /** One more than the highest id, which is how many rows the model's embedding needs. */
  get vocabSize(): number {
    return this.#parts.vocabulary.size;
  }

  /** The id that padding uses. */
  get padId(): number {
    return this.#parts.padId;
  }

  get modelMaxLength(): number | undefined {
    return this.#parts.modelMaxLength;
  }

  /** The id of a token as it is spelled in the vocabulary, `##` and brackets included. */
  tokenToId(token: string): number | undefined {
    return this.#parts.vocabulary.get(token);
  }

  idToToken(id: number): string | undefined {
    return this.#parts.vocabulary.token(id);
  }

  /**
   * Checks the tokenizer against the model it will feed, so that no lookup can leave the embedding.
   * @param embeddingRows rows of the model's word embedding.
   * @throws {EngineError} E_TOKENIZER an id of this tokenizer has no row.
   */
  checkEmbedding(embeddingRows: number): void {
    if (this.vocabSize > embeddingRows) {
      const token = JSON.stringify(this.idToToken(this.vocabSize - 1));
      throw tokenizerError(
        `token ${token} has id ${this.vocabSize - 1}, but the model's embedding has ${embeddingRows} rows: tokenizer and model do not belong together`,
      );
    }
  }

  /**
   * Encodes a text or a pair.
   * @throws {EngineError} E_USAGE the text is no string, or maxLength leaves no place for the special tokens; E_LIMIT the text is too long.
   */
  encode(text: string, options: EncodeOptions = {}): Encoding {
    const { pair, maxLength } = options;
    const full = pair === undefined ? this.#parts.template.single : this.#parts.template.pair;
    const pieces = options.addSpecialTokens === false ? withoutSpecials(full) : full;
    const room = maxLength === undefined ? Number.POSITIVE_INFINITY : this.#room(maxLength, pieces);
    const first = this.#tokenize(text, 'text');
    const second = pair === undefined ? undefined : this.#tokenize(pair, 'pair');
    const kept = longestFirst(first.ids.length, second?.ids.length, room);
    const ranges = [{ tokens: first, from: 0, to: kept.first }];
    if (second) ranges.push({ tokens: second, from: 0, to: kept.second });
    return assemble(pieces, ranges, this.#parts.vocabulary);
  }

  /**
   * Encodes a question with a context that may be longer than the model reads: as many windows as needed, the question whole in each.
   * @throws {EngineError} E_USAGE maxLength or stride cannot work; E_REQUEST the question alone fills a window; E_LIMIT a text is too long.
   */
  encodeWindows(question: string, context: string, { maxLength, stride }: WindowOptions): Encoding[] {
    const pieces = this.#parts.template.pair;
    const room = this.#room(maxLength, pieces);
    requireInteger(stride, 'stride', 0);
    if (stride >= room) {
      throw new EngineError('E_USAGE', 'text', `stride ${stride} must be less than the ${room} tokens that maxLength ${maxLength} leaves`, {
        where: 'stride',
      });
    }
    const first = this.#tokenize(question, 'question');
    const left = room - first.ids.length;
    if (left < 1) {
      const message = `the question has ${first.ids.length} tokens and leaves no room for the context in ${maxLength}`;
      throw new EngineError('E_REQUEST', 'text', message, { where: 'question' });
    }
    const second = this.#tokenize(context, 'context');
    const overlap = Math.min(stride, left >> 1);
    return windowsOf(second.ids.length, left, overlap).map(({ from, to }) =>
      assemble(
        pieces,
        [
          { tokens: first, from: 0, to: first.ids.length },
          { tokens: second, from, to },
        ],
        this.#parts.vocabulary,
      ),
    );
  }

  #room(maxLength: number, pieces: readonly TemplatePiece[]): number {
    const specials = specialCount(pieces);
    requireInteger(maxLength, 'maxLength', Math.max(1, specials), specials > 0 ? `, for ${specials} special tokens` : '');
    return maxLength - specials;
  }

  #tokenize(text: string, where: string): TextTokens {
    if (typeof text !== 'string') throw new EngineError('E_USAGE', 'text', `${where} is ${typeof text}, expected a string`, { where });
    if (text.length > MAX_TEXT_UNITS) throw limitError(`${where} has ${text.length} characters, the limit is ${MAX_TEXT_UNITS}`, where);
    // Questions about one text come one after another: its tokens are worth keeping.
    if (this.#lastTokens !== undefined && text === this.#lastText) return this.#lastTokens;
    const sink = new TokenSink();
    for (const section of this.#sourceMatcher.split(text)) {
      if (section.token) sink.add(section.token.id, section.start, section.end);
      else
        this.#tokenizePlain(
          section.start === 0 && section.end === text.length ? text : text.slice(section.start, section.end),
          section.start,
          sink,
        );
    }
    const tokens = sink.finish();
    if (text.length > 256) {
      this.#lastText = text;
      this.#lastTokens = tokens;
    }
    return tokens;
  }

  #tokenizePlain(source: string, base: number, sink: TokenSink): void {
    const normalized = this.#parts.normalizer.normalize(source);
    if (this.#normalizedMatcher.isEmpty) {
      this.#tokenizeNormalized(normalized, 0, normalized.text.length, base, sink);
      return;
    }
    for (const { start, end, token } of this.#normalizedMatcher.split(normalized.text)) {
      if (token) sink.add(token.id, base + sourceStart(normalized, start), base + sourceEnd(normalized, end - 1));
      else this.#tokenizeNormalized(normalized, start, end, base, sink);
    }
  }

  /** Cuts `[from, to)` of the normalised text at spaces and punctuation, and each word into pieces. */
  #tokenizeNormalized(normalized: NormalizedText, from: number, to: number, base: number, sink: TokenSink): void {
    const { text } = normalized;
    const { classifier } = this.#parts;
    let wordStart = from;
    for (let i = from; i < to; ) {
      const unit = text.charCodeAt(i);
      const code = unit >= 0xd800 && unit <= 0xdfff ? text.codePointAt(i)! : unit;
      const next = i + (code > 0xffff ? 2 : 1);
      const charClass = classifier.of(code);
      if (charClass !== CharClass.word) {
        if (i > wordStart) this.#cutWord(normalized, wordStart, i, base, sink);
        if (charClass === CharClass.isolated) this.#cutWord(normalized, i, next, base, sink);
        wordStart = next;
      }
      i = next;
    }
    if (to > wordStart) this.#cutWord(normalized, wordStart, to, base, sink);
  }

  #cutWord(normalized: NormalizedText, start: number, end: number, base: number, sink: TokenSink): void {
    const { model } = this.#parts;
    const count = model.cut(normalized.text, start, end);
    let pieceStart = start;
    for (let i = 0; i < count; i++) {
      const pieceEnd = model.ends[i]!;
      sink.push(model.ids[i]!, base + sourceStart(normalized, pieceStart), base + sourceEnd(normalized, pieceEnd - 1));
      pieceStart = pieceEnd;
    }
    sink.endWord();
  }
}

const sourceStart = (normalized: NormalizedText, index: number): number =>
  normalized.starts === undefined ? index : normalized.starts[index]!;
const sourceEnd = (normalized: NormalizedText, index: number): number =>
  normalized.ends === undefined ? index + 1 : normalized.ends[index]!;
