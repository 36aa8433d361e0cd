import type { DType } from '@neural-engine/core';
import type { Attributes, AttributeValue, Node } from './graph';
import type { AttributeSpec, KnownValue, OpSchema, Slot } from './schema';

type Fail = (message: string) => never;

/** The slot of position `index`, the last one repeated where it is variadic. */
export function slotAt(slots: readonly Slot[], index: number): Slot | undefined {
  const last = slots.at(-1);
  return slots[index] ?? (last?.variadic ? last : undefined);
}

/** Checks the operands of a node against its schema: how many, which are left out, and their dtypes. */
export function checkOperands(node: Node, schema: OpSchema, inputs: readonly (KnownValue | undefined)[], fail: Fail): void {
  checkCount(node.inputs, schema.inputs, 'input', fail);
  checkCount(node.outputs, schema.outputs, 'output', fail);
  let variables: Map<string, DType> | undefined;
  for (let i = 0; i < inputs.length; i++) {
    const dtype = inputs[i]?.dtype;
    const slot = slotAt(schema.inputs, i)!;
    if (!dtype) continue;
    if (slot.dtypes && !slot.dtypes.includes(dtype)) fail(`input "${slot.name}" is ${dtype}; it may be ${slot.dtypes.join(', ')}`);
    if (!slot.typeVariable) continue;
    variables ??= new Map();
    const bound = variables.get(slot.typeVariable);
    if (bound && bound !== dtype) fail(`input "${slot.name}" is ${dtype}, and an input of the same type is ${bound}`);
    variables.set(slot.typeVariable, dtype);
  }
}

function checkCount(names: readonly string[], slots: readonly Slot[], what: 'input' | 'output', fail: Fail): void {
  const last = slots.at(-1);
  if (names.length > slots.length && !last?.variadic) fail(`it has ${names.length} ${what}s; the operator has ${slots.length}`);
  for (let i = 0; i < Math.max(names.length, slots.length); i++) {
    const slot = slotAt(slots, i)!;
    // A result that nobody reads may be left out wherever it stands.
    if (names[i] || slot.optional || (what === 'output' && i > 0)) continue;
    fail(`${what} "${slot.name}" is missing`);
  }
}

/** Checks the attributes of a node against its schema: none unknown, none missing, each of its type and among its choices. */
export function checkAttributes(node: Node, schema: OpSchema, fail: Fail): void {
  for (const name of Object.keys(node.attributes)) {
    const value = node.attributes[name];
    if (value === undefined) continue;
    const spec = Object.hasOwn(schema.attributes, name) ? schema.attributes[name]! : fail(`it has no attribute "${name}"`);
    if (!hasType(value, spec.type)) fail(`attribute "${name}" is no ${spec.type}`);
    if (spec.oneOf && !spec.oneOf.includes(value)) fail(`attribute "${name}" is ${String(value)}; it may be ${spec.oneOf.join(', ')}`);
  }
  for (const name in schema.attributes) {
    if (schema.attributes[name]!.required && node.attributes[name] === undefined) fail(`attribute "${name}" is missing`);
  }
}

function hasType(value: AttributeValue, type: AttributeSpec['type']): boolean {
  switch (type) {
    case 'int':
      return Number.isSafeInteger(value);
    case 'float':
      return typeof value === 'number';
    case 'string':
      return typeof value === 'string';
    case 'bool':
      return typeof value === 'boolean';
    case 'ints':
      return Array.isArray(value) && value.every(Number.isSafeInteger);
    case 'floats':
      return Array.isArray(value) && value.every((item) => typeof item === 'number');
    case 'strings':
      return Array.isArray(value) && value.every((item) => typeof item === 'string');
    default:
      return typeof value === 'object' && 'dims' in value && 'data' in value;
  }
}

/** The attributes with the schema's defaults where the node has none. */
export function withDefaults(schema: OpSchema, attributes: Attributes): Attributes {
  let filled: Record<string, AttributeValue> | undefined;
  for (const name in schema.attributes) {
    const { default: value } = schema.attributes[name]!;
    if (value === undefined || attributes[name] !== undefined) continue;
    filled ??= { ...attributes };
    filled[name] = value;
  }
  return filled ?? attributes;
}
