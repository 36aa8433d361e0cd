import { allocate, type DType, type TypedArray } from './dtype';
import { EngineError, type Stage } from './errors';
import { type Dims, elementCount } from './shape';

/** A dense row-major tensor over a typed array. Structurally compatible with ONNX Runtime's `data` and `dims`. */
export interface Tensor {
  readonly dtype: DType;
  readonly dims: Dims;
  readonly data: TypedArray;
}

/**
 * Makes a tensor after checking that the data holds what the dims say.
 * @throws {EngineError} E_SHAPE the lengths disagree.
 */
export function tensor(dtype: DType, dims: Dims, data: TypedArray, where = 'tensor', stage: Stage = 'check'): Tensor {
  const count = elementCount(dims, where, stage);
  if (data.length !== count) {
    throw new EngineError('E_SHAPE', stage, `${where}: dims [${dims.join(', ')}] need ${count} elements, the data has ${data.length}`, {
      where,
    });
  }
  return { dtype, dims: [...dims], data };
}

/** A tensor of zeros. */
export const zeros = (dtype: DType, dims: Dims): Tensor => ({ dtype, dims: [...dims], data: allocate(dtype, elementCount(dims)) });

/** The elements as JavaScript numbers; 64-bit integers must be exactly representable. */
export function toNumbers(value: Tensor): number[] {
  const out = new Array<number>(value.data.length);
  for (let i = 0; i < out.length; i++) {
    const element = value.data[i]!;
    const number = Number(element);
    if (typeof element === 'bigint' && !Number.isSafeInteger(number)) {
      throw new EngineError('E_SHAPE', 'check', `element ${i} = ${element} is beyond the integers that can be handled exactly`);
    }
    out[i] = number;
  }
  return out;
}

/** An s64 tensor of rank 1 from numbers. */
export const s64 = (values: readonly number[]): Tensor => ({
  dtype: 's64',
  dims: [values.length],
  data: BigInt64Array.from(values, BigInt),
});
