import { bytesOf, type DType, EngineError, type Tensor, viewBytes } from '@neural-engine/core';
import type { AttributeValue, Node } from '../graph';
import type { AttributeSpec } from '../schema';
import { schemaOf } from '../schemas/index';
import type { IrScalar } from './config';

const plain = (text: string): IrScalar => ({ text, quoted: false });

/** The shortest text that reads back as the same number. */
function numberText(value: number): string {
  return Number.isFinite(value) ? String(value) : value > 0 ? 'inf' : value < 0 ? '-inf' : 'nan';
}

function readNumber(text: string, where: string): number {
  if (text === 'inf') return Number.POSITIVE_INFINITY;
  if (text === '-inf') return Number.NEGATIVE_INFINITY;
  if (text === 'nan') return Number.NaN;
  const value = Number(text);
  if (text.trim() === '' || !/^[-+0-9.eE]+$/.test(text) || Number.isNaN(value))
    throw new EngineError('E_IR', 'ir', `${where}: "${text}" is no number`);
  return value;
}

/** Writes a node's attributes as text, each by what it is. */
export function attributesToText(node: Node): Map<string, IrScalar> {
  return new Map(Object.entries(node.attributes).map(([name, value]) => [name, valueToText(value)]));
}

function valueToText(value: AttributeValue): IrScalar {
  if (typeof value === 'string') return plain(value);
  if (typeof value === 'number') return plain(numberText(value));
  if (typeof value === 'boolean') return plain(String(value));
  if (Array.isArray(value))
    return plain((value as readonly (number | string)[]).map((item) => (typeof item === 'number' ? numberText(item) : item)).join(','));
  const { dtype, dims, data } = value as Tensor;
  return plain(`${dtype} ${dims.join('x') || '-'} ${Buffer.from(bytesOf(data)).toString('hex')}`);
}

/** Reads attributes back by the operator's schema. @throws {EngineError} E_IR an attribute is unknown or not of its type. */
export function attributesFromText(op: string, texts: ReadonlyMap<string, IrScalar>, where: string): Record<string, AttributeValue> {
  const schema = schemaOf(op);
  if (!schema) throw new EngineError('E_UNSUPPORTED', 'ir', `operator "${where}": type ${op} is not supported`, { where });
  const values: Record<string, AttributeValue> = Object.create(null) as Record<string, AttributeValue>;
  for (const [name, { text }] of texts) {
    const spec = Object.hasOwn(schema.attributes, name) ? schema.attributes[name] : undefined;
    if (!spec) throw new EngineError('E_IR', 'ir', `operator "${where}" (${op}) has no attribute "${name}"`, { where });
    values[name] = valueFromText(spec, text, `operator "${where}", attribute "${name}"`);
  }
  return { ...values };
}

function valueFromText(spec: AttributeSpec, text: string, where: string): AttributeValue {
  const items = (): string[] => (text === '' ? [] : text.split(','));
  switch (spec.type) {
    case 'string':
      return text;
    case 'bool':
      if (text !== 'true' && text !== 'false') throw new EngineError('E_IR', 'ir', `${where}: expected true or false, got "${text}"`);
      return text === 'true';
    case 'int':
    case 'float':
      return readNumber(text, where);
    case 'ints':
    case 'floats':
      return items().map((item) => readNumber(item, where));
    case 'strings':
      return items();
    case 'tensor':
      return readTensor(text, where);
  }
}

function readTensor(text: string, where: string): Tensor {
  const [dtype, dims, hex, ...rest] = text.split(' ');
  if (!dtype || !dims || hex === undefined || rest.length > 0 || !/^(?:[0-9a-f]{2})*$/.test(hex))
    throw new EngineError('E_IR', 'ir', `${where}: expected "dtype dims bytes"`);
  const sizes = dims === '-' ? [] : dims.split('x').map((dim) => readNumber(dim, where));
  return { dtype: dtype as DType, dims: sizes, data: viewBytes(dtype as DType, Uint8Array.from(Buffer.from(hex, 'hex')), 'ir') };
}
