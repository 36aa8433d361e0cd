import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { sharedData } from '../shared-data';
import references from './__fixtures__/reference-encodings.json';
import { loadTokenizer } from './load-tokenizer';
import type { Tokenizer } from './tokenizer';

interface Golden {
  text: string;
  pair: string | null;
  maxLength?: number | null;
  ids: number[];
  typeIds: number[];
  codePointOffsets: number[][];
}

/** Index of the code point at each UTF-16 unit, and one past the end. */
function codePointIndices(text: string): number[] {
  const indices: number[] = [];
  let index = 0;
  for (const char of text) {
    for (let unit = 0; unit < char.length; unit++) indices.push(index);
    index++;
  }
  return [...indices, index];
}

/** The reference counts code points. */
function encodeAsReference(tokenizer: Tokenizer, { text, pair, maxLength }: Golden): Omit<Golden, 'text' | 'pair' | 'maxLength'> {
  const encoding = tokenizer.encode(text, { ...(pair === null ? {} : { pair }), ...(maxLength == null ? {} : { maxLength }) });
  const indices = [codePointIndices(text), codePointIndices(pair ?? '')];
  const codePointOffsets = encoding.offsets.map(([start, end], i) => {
    const sequence = encoding.sequences[i]!;
    return sequence < 0 ? [0, 0] : [indices[sequence]![start]!, indices[sequence]![end]!];
  });
  return { ids: [...encoding.ids], typeIds: [...encoding.typeIds], codePointOffsets };
}

const demoTokenizer = fileURLToPath(new URL('../../../demo-model/files', import.meta.url));

describe('texts that are easy to get wrong', async () => {
  const tokenizer = await loadTokenizer(demoTokenizer);

  it.each(references as Golden[])('have the ids and offsets of the reference: $text, at most $maxLength', (golden) => {
    const { ids, typeIds, codePointOffsets } = golden;
    expect(encodeAsReference(tokenizer, golden)).toEqual({ ids, typeIds, codePointOffsets });
  });
});

const golden = sharedData('data/tokenizer/golden-bert-base-uncased.jsonl');

describe.skipIf(golden === undefined)('the reference tokenizer', () => {
  const lines = golden === undefined ? [] : readFileSync(golden, 'utf8').trimEnd().split('\n');
  const cases = lines.map((line): Golden => {
    const { text, pair, ids, type_ids, offsets } = JSON.parse(line);
    return { text, pair, ids, typeIds: type_ids, codePointOffsets: offsets };
  });

  it.each(['tokenizer.minilm.json', 'tokenizer.xenova-minilm.json', 'vocab.txt'])(
    'gives the same ids, types and offsets for all texts with %s',
    async (file) => {
      const tokenizer = await loadTokenizer(sharedData(`data/tokenizer/bert-base-uncased/${file}`)!);
      expect(cases.length).toBe(1111);
      const wrong = cases.filter((golden) => {
        const { ids, typeIds, codePointOffsets } = golden;
        return JSON.stringify(encodeAsReference(tokenizer, golden)) !== JSON.stringify({ ids, typeIds, codePointOffsets });
      });
      expect(wrong).toEqual([]);
    },
  );
});
