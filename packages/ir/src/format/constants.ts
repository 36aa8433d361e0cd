import { dtypeBytes, EngineError, elementCount, LIMITS, type Tensor, viewBytes } from '@neural-engine/core';
import type { IrConfig, IrTensor } from './config';
import { dtypeFromFile } from './dtypes';
import type { Weights } from './weights';

/**
 * The constants of a configuration over the bytes of model.bin, by name; of weights in memory views where alignment allows.
 *
 * @throws {EngineError} E_IR_MISMATCH a constant lies outside the file or its length contradicts dtype and shape, or (files of this
 * project) bytes belong to none.
 */
export function readConstants(config: IrConfig, weights: Weights): Map<string, Tensor> {
  const constants = new Map<string, Tensor>();
  const ranges: [number, number][] = [];
  const read = new Map<string, Uint8Array>();
  let total = 0;
  let taken = 0;
  const take = (offset: number, length: number): Uint8Array => {
    taken += length;
    // Ranges that overlap in part would need memory without end.
    if (taken > 2 * weights.byteLength) throw new EngineError('E_IR_MISMATCH', 'ir', 'the constants of conf.yaml overlap in model.bin');
    return weights.read(offset, length);
  };
  for (const { outputs } of config.operators) {
    for (const record of outputs) {
      if (!record.location) continue;
      if (constants.has(record.name))
        throw new EngineError('E_IR', 'ir', `two constants are named "${record.name}"`, { where: record.name });
      const [offset, length] = record.location;
      checkRange(record, weights.byteLength);
      const dtype = dtypeFromFile(record.dtype ?? 'fp32', record.name);
      const dims = constantDims(record);
      const expected = elementCount(dims, `constant "${record.name}"`, 'ir') * dtypeBytes(dtype);
      if (expected !== length) {
        throw new EngineError(
          'E_IR_MISMATCH',
          'ir',
          `constant "${record.name}": ${dtype} [${dims.join(', ')}] needs ${expected} bytes, its location has ${length}`,
          { where: record.name },
        );
      }
      total += length;
      if (total > LIMITS.weightBytes) throw new EngineError('E_LIMIT', 'ir', `the constants need more than ${LIMITS.weightBytes} bytes`);
      ranges.push([offset, offset + length]);
      // Constants that share their bytes in the file share them in memory.
      const key = `${offset}+${length}`;
      const bytes = read.get(key) ?? take(offset, length);
      read.set(key, bytes);
      constants.set(record.name, { dtype, dims, data: viewBytes(dtype, bytes, 'ir') });
    }
  }
  // Files of the original may have holes: some versions store a constant at each use and drop others.
  if (config.extra) checkCover(ranges, weights.byteLength);
  return constants;
}

function constantDims(record: IrTensor): readonly number[] {
  const dims = record.shape ?? [];
  if (dims.some((dim) => dim < 0))
    throw new EngineError('E_IR', 'ir', `constant "${record.name}" has a dynamic dimension`, { where: record.name });
  return dims;
}

function checkRange(record: IrTensor, size: number): void {
  const [offset, length] = record.location!;
  if (length <= size && offset <= size - length) return;
  throw new EngineError(
    'E_IR_MISMATCH',
    'ir',
    `constant "${record.name}": bytes ${offset} to ${offset + length} lie outside model.bin, which has ${size}`,
    { where: record.name },
  );
}

/** Constants may share bytes, but no byte belongs to nothing: that is how a file made for another configuration shows. */
function checkCover(ranges: [number, number][], size: number): void {
  ranges.sort((a, b) => a[0] - b[0]);
  let end = 0;
  for (const [from, to] of ranges) {
    if (from > end) throw new EngineError('E_IR_MISMATCH', 'ir', `bytes ${end} to ${from} of model.bin belong to no constant`);
    end = Math.max(end, to);
  }
  if (end !== size) throw new EngineError('E_IR_MISMATCH', 'ir', `model.bin has ${size} bytes, the constants of conf.yaml end at ${end}`);
}
