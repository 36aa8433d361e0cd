import { Encoding } from './encoding';
import type { Vocabulary } from './vocabulary';

/** One piece of a template: a special token, or one of the texts. */
export type TemplatePiece =
  | { readonly kind: 'special'; readonly ids: readonly number[]; readonly typeId: number }
  | { readonly kind: 'sequence'; readonly index: 0 | 1; readonly typeId: number };

/** How special tokens surround a single text and a pair. */
export interface Template {
  readonly single: readonly TemplatePiece[];
  readonly pair: readonly TemplatePiece[];
}

/** Tokens of one text before special tokens. */
export interface TextTokens {
  readonly ids: Int32Array;
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  readonly words: Int32Array;
}

/** Without a post-processor the texts simply follow each other. */
export const PLAIN_TEMPLATE: Template = {
  single: [{ kind: 'sequence', index: 0, typeId: 0 }],
  pair: [
    { kind: 'sequence', index: 0, typeId: 0 },
    { kind: 'sequence', index: 1, typeId: 1 },
  ],
};

export const specialCount = (pieces: readonly TemplatePiece[]): number =>
  pieces.reduce((count, piece) => count + (piece.kind === 'special' ? piece.ids.length : 0), 0);

export const withoutSpecials = (pieces: readonly TemplatePiece[]): TemplatePiece[] => pieces.filter((piece) => piece.kind === 'sequence');

/** A part of a text's tokens: `[from, to)`. */
export interface TokenRange {
  readonly tokens: TextTokens;
  readonly from: number;
  readonly to: number;
}

/** Lays the texts' tokens and the special tokens out as the template says. */
export function assemble(pieces: readonly TemplatePiece[], ranges: readonly TokenRange[], vocabulary: Vocabulary): Encoding {
  let length = specialCount(pieces);
  for (const piece of pieces) if (piece.kind === 'sequence') length += ranges[piece.index]!.to - ranges[piece.index]!.from;
  const ids = new Int32Array(length);
  const typeIds = new Uint8Array(length);
  const starts = new Int32Array(length);
  const ends = new Int32Array(length);
  const words = new Int32Array(length).fill(-1);
  const sequences = new Int8Array(length).fill(-1);
  let at = 0;
  for (const piece of pieces) {
    if (piece.kind === 'special') {
      for (const id of piece.ids) {
        ids[at] = id;
        typeIds[at++] = piece.typeId;
      }
      continue;
    }
    const { tokens, from, to } = ranges[piece.index]!;
    ids.set(tokens.ids.subarray(from, to), at);
    starts.set(tokens.starts.subarray(from, to), at);
    ends.set(tokens.ends.subarray(from, to), at);
    words.set(tokens.words.subarray(from, to), at);
    typeIds.fill(piece.typeId, at, at + to - from);
    sequences.fill(piece.index, at, at + to - from);
    at += to - from;
  }
  return new Encoding({ ids, typeIds, attentionMask: new Uint8Array(length).fill(1), starts, ends, words, sequences }, vocabulary);
}
