import { DTYPES, type DType } from '@neural-engine/core';
import type { OnnxDType } from './types';

/** TensorProto.DataType by number; the index is the number. */
const BY_NUMBER: readonly OnnxDType[] = [
  'UNDEFINED',
  'f32',
  'u8',
  's8',
  'u16',
  's16',
  's32',
  's64',
  'string',
  'bool',
  'f16',
  'f64',
  'u32',
  'u64',
  'COMPLEX64',
  'COMPLEX128',
  'bf16',
  'FLOAT8E4M3FN',
  'FLOAT8E4M3FNUZ',
  'FLOAT8E5M2',
  'FLOAT8E5M2FNUZ',
  'UINT4',
  'INT4',
  'FLOAT4E2M1',
  'FLOAT8E8M0',
  'UINT2',
  'INT2',
];

const NUMBERS = new Map(BY_NUMBER.map((dtype, number) => [dtype, number]));
const ENGINE_DTYPES: ReadonlySet<string> = new Set(DTYPES);

/** Bits of one element; strings have none. */
const BITS = new Map<OnnxDType, number>([
  ...(['FLOAT4E2M1', 'UINT4', 'INT4'] as const).map((dtype) => [dtype, 4] as const),
  ...(['UINT2', 'INT2'] as const).map((dtype) => [dtype, 2] as const),
  ...(['u8', 's8', 'bool', 'FLOAT8E4M3FN', 'FLOAT8E4M3FNUZ', 'FLOAT8E5M2', 'FLOAT8E5M2FNUZ', 'FLOAT8E8M0'] as const).map(
    (dtype) => [dtype, 8] as const,
  ),
  ...(['f16', 'bf16', 'u16', 's16'] as const).map((dtype) => [dtype, 16] as const),
  ...(['f32', 'u32', 's32'] as const).map((dtype) => [dtype, 32] as const),
  ...(['f64', 'u64', 's64', 'COMPLEX64'] as const).map((dtype) => [dtype, 64] as const),
  ['COMPLEX128', 128],
]);

/** The dtype with this TensorProto.DataType number, or undefined where no version of ONNX we know has one. */
export const dtypeOfNumber = (number: number): OnnxDType | undefined => BY_NUMBER[number];

/** The TensorProto.DataType number of a dtype. */
export const numberOfDtype = (dtype: OnnxDType): number => NUMBERS.get(dtype) ?? 0;

/** True where the engine itself has the dtype, so that a typed array can show its elements. */
export const isEngineDtype = (dtype: OnnxDType): dtype is DType => ENGINE_DTYPES.has(dtype);

/** Bits of one element, undefined for strings and for `UNDEFINED`. */
export const dtypeBits = (dtype: OnnxDType): number | undefined => BITS.get(dtype);

/** Bytes of `count` elements; types below 8 bits are packed and rounded up to a whole byte. */
export const packedBytes = (dtype: OnnxDType, count: number): number => Math.ceil((count * (BITS.get(dtype) ?? 0)) / 8);
