import { EngineError } from '@neural-engine/core';
import type { Encoding } from '../tokenizer/encoding';
import { requireInteger } from '../tokenizer/truncation';
import { type BatchResult, runBatches } from './batches';
import { checkInputNames } from './feeds';
import type { PipelineModel, PipelineRunOptions } from './run-model';

/** A text, or a pair of texts that belong together. */
export type TextItem = string | { readonly text: string; readonly pair?: string | undefined };

export interface TextModel extends PipelineModel {
  /** Longer texts are cut to so many tokens. Default 512, or what the tokenizer's files allow if less. */
  readonly maxLength?: number;
}

/** Texts that are held and sorted together. */
const ITEMS_AT_ONCE = 1024;

/** Checks a model once; returns the function that encodes and runs many texts, each seen by `consume` with its row of the outputs. */
export function textRunner(model: TextModel) {
  const { tokenizer } = model;
  const maxLength = model.maxLength ?? Math.min(512, tokenizer.modelMaxLength ?? 512);
  checkInputNames(model.inputNames);
  requireInteger(maxLength, 'maxLength', 1);
  tokenizer.encode('', { maxLength }); // throws now what would throw later

  return async (
    items: readonly TextItem[],
    options: PipelineRunOptions,
    consume: (item: number, encoding: Encoding, result: BatchResult, row: number) => void,
  ): Promise<void> => {
    let done = 0;
    for (let from = 0; from < items.length; from += ITEMS_AT_ONCE) {
      const encodings = items.slice(from, from + ITEMS_AT_ONCE).map((item, i) => {
        const { text, pair } = typeof item === 'string' ? { text: item, pair: undefined } : item;
        if (typeof text !== 'string')
          throw new EngineError('E_USAGE', 'text', `text ${from + i} is ${typeof text}, expected a string`, { where: 'text' });
        return tokenizer.encode(text, pair === undefined ? { maxLength } : { pair, maxLength });
      });
      await runBatches(encodings, model, options.signal, (result) => {
        result.indices.forEach((index, row) => {
          consume(from + index, encodings[index]!, result, row);
        });
        done += result.indices.length;
        options.onProgress?.({ done, total: items.length });
      });
    }
  };
}
