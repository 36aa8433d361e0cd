import { EngineError, type Stage } from './errors';

/**
 * The engine's one dtype vocabulary. ONNX's and the IR file's spellings are translated at their own borders.
 * `string` tensors are readable from files but not computable.
 */
export type DType = 'f32' | 'f64' | 'f16' | 'bf16' | 'u8' | 's8' | 'u16' | 's16' | 'u32' | 's32' | 'u64' | 's64' | 'bool' | 'string';

/** The JavaScript view of each dtype. f16 and bf16 are raw 16-bit patterns, bool is one byte an element. */
export type TypedArray =
  | Float32Array
  | Float64Array
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | BigUint64Array
  | BigInt64Array;

type TypedArrayConstructor = {
  new (length: number): TypedArray;
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): TypedArray;
  readonly BYTES_PER_ELEMENT: number;
};

const VIEWS: Record<Exclude<DType, 'string'>, TypedArrayConstructor> = {
  f32: Float32Array,
  f64: Float64Array,
  f16: Uint16Array,
  bf16: Uint16Array,
  u8: Uint8Array,
  s8: Int8Array,
  u16: Uint16Array,
  s16: Int16Array,
  u32: Uint32Array,
  s32: Int32Array,
  u64: BigUint64Array,
  s64: BigInt64Array,
  bool: Uint8Array,
};

export const DTYPES = [...(Object.keys(VIEWS) as DType[]), 'string'] as readonly DType[];

/** Bytes of one element. */
export function dtypeBytes(dtype: DType): number {
  if (dtype === 'string') throw new EngineError('E_UNSUPPORTED', 'check', 'string tensors have no fixed element size');
  return VIEWS[dtype].BYTES_PER_ELEMENT;
}

export const isFloat = (dtype: DType): boolean => dtype === 'f32' || dtype === 'f64' || dtype === 'f16' || dtype === 'bf16';
export const isInteger = (dtype: DType): boolean => !isFloat(dtype) && dtype !== 'bool' && dtype !== 'string';

/** A zeroed typed array of `length` elements. @throws {EngineError} E_LIMIT the system has no memory for it; E_UNSUPPORTED strings. */
export function allocate(dtype: DType, length: number, where = 'a tensor'): TypedArray {
  if (dtype === 'string') throw new EngineError('E_UNSUPPORTED', 'check', 'string tensors cannot be allocated');
  try {
    return new VIEWS[dtype](length);
  } catch (cause) {
    const bytes = length * dtypeBytes(dtype);
    throw new EngineError('E_LIMIT', 'run', `${where}: there is no memory for ${length} elements of ${dtype}, ${bytes} bytes`, {
      where,
      cause,
    });
  }
}

/** Views little-endian `bytes` as elements of `dtype`; copies only when the bytes are not aligned for the view. */
export function viewBytes(dtype: DType, bytes: Uint8Array, stage: Stage = 'read'): TypedArray {
  const size = dtypeBytes(dtype);
  if (bytes.byteLength % size !== 0) {
    throw new EngineError('E_SHAPE', stage, `${bytes.byteLength} bytes are no whole number of ${dtype} elements`);
  }
  // Not slice(): that of a Buffer is a view of the same bytes.
  const aligned = bytes.byteOffset % size === 0 ? bytes : new Uint8Array(bytes);
  return new VIEWS[dtype as Exclude<DType, 'string'>](aligned.buffer, aligned.byteOffset, bytes.byteLength / size);
}

/** The raw little-endian bytes behind a typed array, without copying. */
export function bytesOf(data: TypedArray): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}
