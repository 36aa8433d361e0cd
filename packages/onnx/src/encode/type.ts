import type { Shape } from '@neural-engine/core';
import { numberOfDtype } from '../dtypes';
import { fail } from '../errors';
import type { onnx } from '../generated/onnx.js';
import { fromBigInt } from '../long';
import type { OnnxType } from '../types';

function encodeShape(
  shape: Shape | undefined,
  denotations: readonly string[] | undefined,
  where: string,
): onnx.TensorShapeProto.$Properties | undefined {
  if (shape === undefined) return undefined;
  const dim = shape.map((size, axis) => {
    const message: onnx.TensorShapeProto.Dimension.$Properties = {};
    if (typeof size === 'string') message.dimParam = size;
    else if (size !== null) {
      if (!Number.isSafeInteger(size) || size < 0) fail('E_SHAPE', 'save', where, `dimension ${axis} is ${size}`);
      message.dimValue = fromBigInt(BigInt(size), where);
    }
    if (denotations?.[axis]) message.denotation = denotations[axis];
    return message;
  });
  return { dim };
}

const withShape = (shape: onnx.TensorShapeProto.$Properties | undefined): { shape?: onnx.TensorShapeProto.$Properties } =>
  shape === undefined ? {} : { shape };

/** The TypeProto of a type. @throws {EngineError} E_SHAPE a dimension that no file can hold. */
export function encodeType(type: OnnxType, where: string): onnx.TypeProto.$Properties {
  const denotation = type.denotation ? { denotation: type.denotation } : {};
  switch (type.kind) {
    case 'tensor':
      return {
        tensorType: { elemType: numberOfDtype(type.dtype), ...withShape(encodeShape(type.shape, type.dimDenotations, where)) },
        ...denotation,
      };
    case 'sparseTensor':
      return {
        sparseTensorType: { elemType: numberOfDtype(type.dtype), ...withShape(encodeShape(type.shape, type.dimDenotations, where)) },
        ...denotation,
      };
    case 'sequence':
      return { sequenceType: { elemType: encodeType(type.element, where) }, ...denotation };
    case 'optional':
      return { optionalType: { elemType: encodeType(type.element, where) }, ...denotation };
    case 'map':
      return { mapType: { keyType: numberOfDtype(type.key), valueType: encodeType(type.value, where) }, ...denotation };
    case 'opaque':
      return { opaqueType: { domain: type.domain, name: type.name }, ...denotation };
    case 'unknown':
      return denotation;
  }
}
