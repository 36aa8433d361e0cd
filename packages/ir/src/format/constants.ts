import { dtypeBytes, EngineError, elementCount, LIMITS, type Tensor, viewBytes } from '@neural-engine/core';
import type { IrConfig, IrTensor } from './config';
import { dtypeFromFile } from './dtypes';

/**
 * The constants of a configuration over the bytes of model.bin, by name; views where alignment allows, no copies.
 *
 * @throws {EngineError} E_IR_MISMATCH a constant lies outside the file or its length contradicts dtype and shape, or (files of this
 * project) bytes belong to none.
 */
export function readConstants(config: IrConfig, bytes: Uint8Array): Map<string, Tensor> {
  const constants = new Map<string, Tensor>();
  const ranges: [number, number][] = [];
  let total = 0;
  for (const { outputs } of config.operators) {
    for (const record of outputs) {
      if (!record.location) continue;
      if (constants.has(record.name))
        throw new EngineError('E_IR', 'ir', `two constants are named "${record.name}"`, { where: record.name });
      const [offset, length] = record.location;
      checkRange(record, bytes.length);
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
      constants.set(record.name, { dtype, dims, data: viewBytes(dtype, bytes.subarray(offset, offset + length), 'ir') });
    }
  }
  // Files of the original may have holes: some versions store a constant at each use and drop others.
  if (config.extra) checkCover(ranges, bytes.length);
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
