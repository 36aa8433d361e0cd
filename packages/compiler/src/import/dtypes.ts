import { DTYPES, type DType } from '@neural-engine/core';
import type { OnnxDType } from '@neural-engine/onnx';
import type { ImportNode } from './node';

/** TensorProto.DataType by number, for those that the engine has. */
const BY_NUMBER: Readonly<Record<number, DType>> = {
  1: 'f32',
  2: 'u8',
  3: 's8',
  4: 'u16',
  5: 's16',
  6: 's32',
  7: 's64',
  8: 'string',
  9: 'bool',
  10: 'f16',
  11: 'f64',
  12: 'u32',
  13: 'u64',
  16: 'bf16',
};

/** The highest number that ONNX 1.20 assigns. */
const LAST_NUMBER = 26;

/** The dtype an attribute names by number. Refuses the node for types that ONNX has and the engine has not. */
export function dtypeOfNumber(number: number, node: ImportNode): DType {
  const found = BY_NUMBER[number];
  if (found) return found;
  if (number >= 1 && number <= LAST_NUMBER) return node.refuse(`element type ${number} is not supported`);
  return node.fail('E_MODEL', `${number} is no element type`);
}

/** Whether the engine has an ONNX dtype. */
export const isEngineDType = (dtype: OnnxDType): dtype is DType => (DTYPES as readonly string[]).includes(dtype);
