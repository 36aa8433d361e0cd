import { fromBf16, fromF16, sameDims } from '@neural-engine/core';
import { fail, quote } from '../errors';
import type { Place } from '../place';
import type { OnnxDType, OnnxNode, OnnxTensor } from '../types';
import type { Scope } from './scope';

/** Places of one operand's parts among a node's inputs. */
interface Operand {
  readonly value?: number;
  readonly scale: number;
  readonly zeroPoint: number;
}

const THREE_OPERANDS: readonly Operand[] = [
  { value: 0, scale: 1, zeroPoint: 2 },
  { value: 3, scale: 4, zeroPoint: 5 },
  { scale: 6, zeroPoint: 7 },
];

/** Operators that take scales, with the places of these. */
const OPERANDS = new Map<string, readonly Operand[]>([
  ['QuantizeLinear', [{ scale: 1, zeroPoint: 2 }]],
  ['DequantizeLinear', [{ value: 0, scale: 1, zeroPoint: 2 }]],
  ['QLinearMatMul', THREE_OPERANDS],
  ['QLinearConv', THREE_OPERANDS],
  ['QLinearAdd', THREE_OPERANDS],
  ['QLinearMul', THREE_OPERANDS],
]);

const QUANTIZED: ReadonlySet<OnnxDType> = new Set([
  ...(['u8', 's8', 'u16', 's16', 'UINT4', 'INT4', 'UINT2', 'INT2'] as const),
  ...(['FLOAT8E4M3FN', 'FLOAT8E4M3FNUZ', 'FLOAT8E5M2', 'FLOAT8E5M2FNUZ', 'FLOAT4E2M1'] as const),
]);

const LEAST_NORMAL_F32 = 2 ** -126;

/** One scale as a number; NaN for what is none. */
function scaleAt(scale: OnnxTensor, index: number): number {
  switch (scale.dtype) {
    case 'f32':
    case 'f64':
      return scale.data()[index] as number;
    case 'f16':
      return fromF16(scale.data()[index] as number);
    case 'bf16':
      return fromBf16(scale.data()[index] as number);
    case 'FLOAT8E8M0': {
      const bits = scale.bytes()[index]!;
      return bits === 0xff ? Number.NaN : Math.max(LEAST_NORMAL_F32, 2 ** (bits - 127));
    }
    default:
      return Number.NaN;
  }
}

const isScaleType = (dtype: OnnxDType): boolean => ['f32', 'f64', 'f16', 'bf16', 'FLOAT8E8M0'].includes(dtype);

/** Every scale is finite, positive, and large enough that dividing by it does not overflow. */
function checkScale(scale: OnnxTensor, name: string, where: Place): void {
  if (!isScaleType(scale.dtype)) fail('E_QUANT', 'check', where, `the scale ${quote(name)} is ${scale.dtype}, not a float`);
  const count = scale.dims.reduce((product, dim) => product * dim, 1);
  for (let i = 0; i < count; i++) {
    const value = scaleAt(scale, i);
    const normal = scale.dtype === 'f16' ? value > 0 : value >= LEAST_NORMAL_F32;
    if (!normal || value === Number.POSITIVE_INFINITY) {
      fail(
        'E_QUANT',
        'check',
        where,
        `the scale ${quote(name)} has the element ${value} at ${i}; scales are positive, finite and not denormal`,
      );
    }
  }
}

/** The type that the quantised side must have, where the node or its constants tell. */
function quantizedType(node: OnnxNode, operand: Operand, scope: Scope): OnnxDType | undefined {
  return operand.value === undefined ? undefined : scope.constant(node.inputs[operand.value])?.dtype;
}

function checkZeroPoint(node: OnnxNode, operand: Operand, scale: OnnxTensor | undefined, scope: Scope, where: Place): void {
  const name = node.inputs[operand.zeroPoint];
  const zeroPoint = scope.constant(name);
  if (zeroPoint === undefined) return;
  const what = `the zero point ${quote(name!)}`;
  // Biases are dequantised from s32; their zero point is 0.
  const allowed = QUANTIZED.has(zeroPoint.dtype) || (node.opType === 'DequantizeLinear' && zeroPoint.dtype === 's32');
  if (!allowed) fail('E_QUANT', 'check', where, `${what} has type ${zeroPoint.dtype}, which no quantised tensor has`);
  const type = quantizedType(node, operand, scope);
  if (type !== undefined && type !== zeroPoint.dtype)
    fail('E_QUANT', 'check', where, `${what} has type ${zeroPoint.dtype}, the quantised tensor ${type}`);
  const isSingle = (tensor: OnnxTensor): boolean => tensor.dims.every((dim) => dim === 1);
  if (scale !== undefined && !sameDims(scale.dims, zeroPoint.dims) && !(isSingle(scale) && isSingle(zeroPoint))) {
    fail('E_QUANT', 'check', where, `${what} has shape [${zeroPoint.dims.join(', ')}], the scale [${scale.dims.join(', ')}]`);
  }
}

const intAttribute = (node: OnnxNode, name: string, fallback: number): number => {
  const found = node.attributes.get(name);
  return found?.type === 'int' ? Number(found.value) : fallback;
};

/** Scales along an axis: as many as the axis is long; or in blocks: as many as blocks. */
function checkScaleShape(node: OnnxNode, scale: OnnxTensor, scope: Scope, where: Place): void {
  const shape = scope.shape(node.inputs[0]);
  if (shape === undefined || scale.dims.length === 0 || scale.dims.every((dim) => dim === 1)) return;
  const rank = shape.length;
  const axis = intAttribute(node, 'axis', 1);
  if (axis < -rank || axis >= rank) fail('E_QUANT', 'check', where, `axis ${axis} is out of range for a tensor of rank ${rank}`);
  const blockSize = intAttribute(node, 'block_size', 0);
  if (blockSize < 0) fail('E_QUANT', 'check', where, `block_size ${blockSize} is negative`);
  const along = (axis + rank) % rank;
  const isBlocked = blockSize > 0;
  if (scale.dims.length !== (isBlocked ? rank : 1)) {
    fail('E_QUANT', 'check', where, `a scale of shape [${scale.dims.join(', ')}] does not fit a tensor of rank ${rank}`);
  }
  const lengths = isBlocked
    ? shape.map((dim, i) => (i === along && typeof dim === 'number' ? Math.ceil(dim / blockSize) : dim))
    : [shape[along]!];
  for (const [i, length] of lengths.entries()) {
    if (typeof length === 'number' && length !== scale.dims[i]) {
      fail(
        'E_QUANT',
        'check',
        where,
        `${scale.dims[i]} scales stand for ${length} ${isBlocked ? 'blocks' : 'channels'} along axis ${isBlocked ? i : along}`,
      );
    }
  }
}

/**
 * Checks the quantisation parameters of a node, as far as they are constants.
 * @throws {EngineError} E_QUANT a scale that is not positive and finite, a zero point of a wrong type, or counts that do not fit the axis.
 */
export function checkQuantization(node: OnnxNode, scope: Scope, where: Place): void {
  const operands = OPERANDS.get(node.opType);
  if (operands === undefined || (node.domain !== '' && node.domain !== 'com.microsoft')) return;
  for (const operand of operands) {
    const name = node.inputs[operand.scale];
    const scale = scope.constant(name);
    if (scale !== undefined) checkScale(scale, name!, where);
    checkZeroPoint(node, operand, scale, scope, where);
    if (scale !== undefined && operands.length === 1) checkScaleShape(node, scale, scope, where);
  }
}
