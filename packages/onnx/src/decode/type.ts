import { type Dim, LIMITS, type Shape } from '@neural-engine/core';
import { dtypeOfNumber } from '../dtypes';
import { fail } from '../errors';
import type { onnx } from '../generated/onnx.js';
import { type Long64, toSafeNumber } from '../long';
import type { Place } from '../place';
import type { OnnxDType, OnnxType } from '../types';

/** Element type of a declared type; 0 means that it is not known yet. */
function declaredDtype(number: number | null | undefined, where: Place): OnnxDType {
  return dtypeOfNumber(number ?? 0) ?? fail('E_MODEL', 'check', where, `element type ${number} is none that ONNX defines`);
}

/** −1 is what several exporters write for a dimension they do not know. */
const UNKNOWN_DIM = -1;

function toDim(dim: onnx.TensorShapeProto.Dimension.$Properties, axis: number, where: Place): Dim {
  if (dim.dimParam != null && Object.hasOwn(dim, 'dimParam')) return dim.dimParam === '' ? null : dim.dimParam;
  if (dim.dimValue == null || !Object.hasOwn(dim, 'dimValue')) return null;
  const value = toSafeNumber(dim.dimValue as Long64, 'E_SHAPE', where.at(`dimension ${axis}`));
  if (value === UNKNOWN_DIM) return null;
  return value >= 0 ? value : fail('E_SHAPE', 'check', where, `dimension ${axis} is ${value}`);
}

/** A declared shape: numbers, names, and null for dimensions without either. @throws {EngineError} E_SHAPE, E_LIMIT. */
function toShape(message: onnx.TensorShapeProto.$Properties | null | undefined, where: Place): Shape | undefined {
  if (message == null) return undefined;
  const dims = message.dim ?? [];
  if (dims.length > LIMITS.rank) fail('E_LIMIT', 'check', where, `rank ${dims.length} is above the limit of ${LIMITS.rank}`);
  return dims.map((dim, axis) => toDim(dim, axis, where));
}

function dimDenotations(message: onnx.TensorShapeProto.$Properties | null | undefined): { dimDenotations?: string[] } {
  const denotations = (message?.dim ?? []).map((dim) => dim.denotation ?? '');
  return denotations.some((text) => text !== '') ? { dimDenotations: denotations } : {};
}

/** Converts a TypeProto. @throws {EngineError} E_MODEL unknown element types, E_SHAPE, E_LIMIT. */
export function decodeType(message: onnx.TypeProto.$Properties | null | undefined, where: Place): OnnxType {
  const denotation = message?.denotation ? { denotation: message.denotation } : {};
  if (message?.tensorType != null) {
    const { elemType, shape } = message.tensorType;
    return { kind: 'tensor', dtype: declaredDtype(elemType, where), shape: toShape(shape, where), ...dimDenotations(shape), ...denotation };
  }
  if (message?.sparseTensorType != null) {
    const { elemType, shape } = message.sparseTensorType;
    return {
      kind: 'sparseTensor',
      dtype: declaredDtype(elemType, where),
      shape: toShape(shape, where),
      ...dimDenotations(shape),
      ...denotation,
    };
  }
  if (message?.sequenceType != null) return { kind: 'sequence', element: decodeType(message.sequenceType.elemType, where), ...denotation };
  if (message?.optionalType != null) return { kind: 'optional', element: decodeType(message.optionalType.elemType, where), ...denotation };
  if (message?.mapType != null) {
    const { keyType, valueType } = message.mapType;
    return { kind: 'map', key: declaredDtype(keyType, where), value: decodeType(valueType, where), ...denotation };
  }
  if (message?.opaqueType != null) {
    return { kind: 'opaque', domain: message.opaqueType.domain ?? '', name: message.opaqueType.name ?? '', ...denotation };
  }
  return { kind: 'unknown', ...denotation };
}
