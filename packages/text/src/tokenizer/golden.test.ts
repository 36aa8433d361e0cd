import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { sharedData } from '../shared-data';
import type { Encoding } from './encoding';
import { loadTokenizer } from './load-tokenizer';

interface Golden {
  kind: string;
  text: string;
  pair: string | null;
  ids: number[];
  type_ids: number[];
  offsets: [number, number][];
}

const golden = sharedData('data/tokenizer/golden-bert-base-uncased.jsonl');

/** The golden file counts code points: index of the code point at each UTF-16 unit, and one past the end. */
function codePointIndices(text: string): number[] {
  const indices: number[] = [];
  let index = 0;
  for (const char of text) {
    for (let unit = 0; unit < char.length; unit++) indices.push(index);
    index++;
  }
  return [...indices, index];
}

function goldenOffsets(encoding: Encoding, text: string, pair: string | null): [number, number][] {
  const indices = [codePointIndices(text), codePointIndices(pair ?? '')];
  return encoding.offsets.map(([start, end], i) => {
    const sequence = encoding.sequences[i]!;
    return sequence < 0 ? [0, 0] : [indices[sequence]![start]!, indices[sequence]![end]!];
  });
}

describe.skipIf(golden === undefined)('the reference tokenizer', () => {
  const lines = golden === undefined ? [] : readFileSync(golden, 'utf8').trimEnd().split('\n');
  const cases = lines.map((line) => JSON.parse(line) as Golden);

  it.each(['tokenizer.minilm.json', 'tokenizer.xenova-minilm.json', 'vocab.txt'])(
    'gives the same ids, types and offsets for all texts with %s',
    async (file) => {
      const tokenizer = await loadTokenizer(sharedData(`data/tokenizer/bert-base-uncased/${file}`)!);
      expect(cases.length).toBe(1111);
      for (const { text, pair, ids, type_ids, offsets } of cases) {
        const encoding = tokenizer.encode(text, pair === null ? {} : { pair });
        expect({
          text,
          ids: [...encoding.ids],
          type_ids: [...encoding.typeIds],
          offsets: goldenOffsets(encoding, text, pair),
        }).toEqual({ text, ids, type_ids, offsets });
      }
    },
  );
});
