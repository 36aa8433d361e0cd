import { unreachable } from '@neural-engine/core';
import type { AttributeSpec, Attributes, AttributeValue, OpSchema } from '@neural-engine/ir';
import { dtypeOfNumber } from './dtypes';
import type { ImportNode } from './node';
import { toTensor } from './tensors';

/** Attributes that hold a TensorProto.DataType number in ONNX and a dtype's name in the graph. */
const DTYPE_ATTRIBUTES = new Set(['to', 'dtype', 'output_dtype']);

/**
 * The node's attributes in the form the operator's schema asks for. Defaults are left to the schema.
 *
 * @throws {EngineError} E_MODEL an attribute is missing, has another type, or is none that the operator has.
 */
export function importAttributes(node: ImportNode, schema: OpSchema): Attributes {
  const out: Record<string, AttributeValue> = {};
  for (const [name, spec] of Object.entries(schema.attributes)) {
    const value = importAttribute(node, name, spec);
    if (value !== undefined) out[name] = value;
    else if (spec.required) node.fail('E_MODEL', `the attribute "${name}" is missing`);
  }
  rejectLeftOver(node);
  return out;
}

/** @throws {EngineError} E_MODEL the node has attributes that nobody understood. */
export function rejectLeftOver(node: ImportNode): void {
  const left = node.leftOver();
  if (left.length > 0) node.fail('E_MODEL', `the operator has no attribute "${left.join('", "')}" in opset ${node.opset}`);
}

function importAttribute(node: ImportNode, name: string, spec: AttributeSpec): AttributeValue | undefined {
  switch (spec.type) {
    case 'bool': {
      const value = node.int(name);
      return value === undefined ? undefined : value !== 0;
    }
    case 'int':
      return node.int(name);
    case 'float':
      return node.float(name);
    case 'string': {
      if (!DTYPE_ATTRIBUTES.has(name)) return node.string(name);
      const number = node.int(name);
      return number === undefined ? undefined : dtypeOfNumber(number, node);
    }
    case 'ints':
      return node.ints(name);
    case 'floats': {
      const found = node.take(name);
      if (found === undefined) return undefined;
      if (found.type !== 'floats') return node.fail('E_MODEL', `attribute "${name}" is of type ${found.type}, not floats`);
      return found.value;
    }
    case 'strings': {
      const found = node.take(name);
      if (found === undefined) return undefined;
      if (found.type !== 'strings') return node.fail('E_MODEL', `attribute "${name}" is of type ${found.type}, not strings`);
      return found.value;
    }
    case 'tensor': {
      const found = node.take(name);
      if (found === undefined) return undefined;
      if (found.type !== 'tensor') return node.fail('E_MODEL', `attribute "${name}" is of type ${found.type}, not tensor`);
      return toTensor(found.value, node);
    }
    default:
      return unreachable(spec.type);
  }
}
