import { EngineError, type Tensor, tensor } from '@neural-engine/core';
import type { Encoding } from '../tokenizer/encoding';
import { requireInteger } from '../tokenizer/truncation';

type Column = 'ids' | 'mask' | 'types' | 'positions';

/** The names under which exporters, and the older IR files, know each input. */
const COLUMNS: ReadonlyMap<string, Column> = new Map([
  ['input_ids', 'ids'],
  ['attention_mask', 'mask'],
  ['input_mask', 'mask'],
  ['token_type_ids', 'types'],
  ['segment_ids', 'types'],
  ['position_ids', 'positions'],
]);

/**
 * Checks that encodings can feed a model.
 * @throws {EngineError} E_UNSUPPORTED it has no token input, or one that text does not give, by name.
 */
export function checkInputNames(inputNames: readonly string[]): void {
  const unknown = inputNames.filter((name) => !COLUMNS.has(name));
  if (unknown.length > 0 || !inputNames.includes('input_ids')) {
    const message =
      unknown.length > 0
        ? `the model's input ${unknown.map((name) => `"${name}"`).join(', ')} is none that a text pipeline can feed (${[...COLUMNS.keys()].join(', ')})`
        : `the model has no input "input_ids", only ${inputNames.map((name) => `"${name}"`).join(', ') || 'none at all'}`;
    throw new EngineError('E_UNSUPPORTED', 'text', message, { where: unknown[0] ?? 'input_ids' });
  }
}

/**
 * The inputs for one batch: s64 `[batch, longest]`, shorter sequences padded at their end.
 * @param inputNames checked by {@link checkInputNames}.
 */
export function batchFeeds(batch: readonly Encoding[], inputNames: readonly string[], padId: number): Record<string, Tensor> {
  const length = batch.reduce((longest, encoding) => Math.max(longest, encoding.length), 0);
  const feeds: Record<string, Tensor> = {};
  for (const name of inputNames) {
    const column = COLUMNS.get(name)!;
    const data = new BigInt64Array(batch.length * length);
    // Values are non-negative and below 2³¹: writing the low halves avoids a BigInt for each. All supported CPUs are little-endian.
    const low = new Int32Array(data.buffer);
    batch.forEach((encoding, row) => {
      const base = row * length;
      const source = column === 'ids' ? encoding.ids : column === 'mask' ? encoding.attentionMask : encoding.typeIds;
      for (let i = 0; i < encoding.length; i++) low[2 * (base + i)] = column === 'positions' ? i : source[i]!;
      if (column === 'ids') for (let i = encoding.length; i < length; i++) low[2 * (base + i)] = padId;
    });
    feeds[name] = tensor('s64', [batch.length, length], data, name, 'text');
  }
  return feeds;
}

/**
 * Encodings as feeds, batched by length, longest first.
 * @throws {EngineError} E_UNSUPPORTED inputs that text cannot feed; E_USAGE an impossible batch size.
 */
export function* lengthBatches(
  encodings: readonly Encoding[],
  model: { readonly inputNames: readonly string[]; readonly padId: number; readonly batchSize: number },
): Generator<Record<string, Tensor>> {
  checkInputNames(model.inputNames);
  requireInteger(model.batchSize, 'batchSize', 1);
  const sorted = [...encodings].sort((a, b) => b.length - a.length);
  for (let at = 0; at < sorted.length; at += model.batchSize)
    yield batchFeeds(sorted.slice(at, at + model.batchSize), model.inputNames, model.padId);
}
