import { fail } from '../errors';
import type { onnx } from '../generated/onnx.js';
import { type Long64, toBigInt } from '../long';
import type { Place } from '../place';
import type { OnnxAttribute, OnnxValueAttributeType } from '../types';
import { type DecodeContext, has, looseText, strictText, toNotes } from './context';
import { decodeGraph } from './graph';
import { decodeSparseTensor, decodeTensorMessage } from './tensor';
import { decodeType } from './type';

type AttributeMessage = onnx.AttributeProto.$Properties;
type ValueField =
  | 'f'
  | 'i'
  | 's'
  | 't'
  | 'g'
  | 'sparseTensor'
  | 'tp'
  | 'floats'
  | 'ints'
  | 'strings'
  | 'tensors'
  | 'graphs'
  | 'sparseTensors'
  | 'typeProtos';

/** AttributeProto.AttributeType by number: the tag and the field that holds the value. */
const TYPES: readonly ([OnnxValueAttributeType, ValueField] | undefined)[] = [
  undefined,
  ['float', 'f'],
  ['int', 'i'],
  ['string', 's'],
  ['tensor', 't'],
  ['graph', 'g'],
  ['floats', 'floats'],
  ['ints', 'ints'],
  ['strings', 'strings'],
  ['tensors', 'tensors'],
  ['graphs', 'graphs'],
  ['sparseTensor', 'sparseTensor'],
  ['sparseTensors', 'sparseTensors'],
  ['valueType', 'tp'],
  ['valueTypes', 'typeProtos'],
];

/** The number of an attribute type in AttributeProto.type. */
export const attributeTypeNumber = (type: OnnxValueAttributeType): number => TYPES.findIndex((row) => row?.[0] === type);

const FIELDS = TYPES.flatMap((row) => (row === undefined ? [] : [row[1]]));

const isFilled = (message: AttributeMessage, field: ValueField): boolean => {
  const value = message[field];
  return Array.isArray(value) ? value.length > 0 : has(message, field);
};

/** Finds out what the attribute holds. @throws {EngineError} E_MODEL several values, none, or not the one `type` announces. */
function kindOf(message: AttributeMessage, where: Place): OnnxValueAttributeType {
  const filled = FIELDS.filter((field) => isFilled(message, field));
  const number = message.type ?? 0;
  const row = TYPES[number];
  if (row === undefined && number !== 0) fail('E_MODEL', 'check', where, `attribute type ${number} is none that ONNX defines`);
  if (filled.length > 1) fail('E_MODEL', 'check', where, `holds several values: ${filled.join(', ')}`);
  // Models of IR version 1 carry no type; there the one field that is filled tells it.
  if (row === undefined) {
    const inferred = TYPES.find((candidate) => candidate?.[1] === filled[0]);
    return inferred?.[0] ?? fail('E_MODEL', 'check', where, 'has neither a type nor a value');
  }
  if (filled.length === 1 && filled[0] !== row[1]) fail('E_MODEL', 'check', where, `is declared ${row[0]} and holds ${filled[0]}`);
  return row[0];
}

function toStrings(bytes: readonly Uint8Array[]): { value: string[]; raw?: Uint8Array[] } {
  const texts = bytes.map(strictText);
  if (texts.every((text) => text !== undefined)) return { value: texts };
  return { value: bytes.map(looseText), raw: [...bytes] };
}

const required = <T>(value: T | null | undefined, type: string, where: Place): T =>
  value ?? fail('E_MODEL', 'check', where, `is declared ${type} and holds no value`);

function decodeValue(message: AttributeMessage, type: OnnxValueAttributeType, where: Place, context: DecodeContext): OnnxAttribute {
  switch (type) {
    case 'float':
      return { type, value: message.f ?? 0 };
    case 'int':
      return { type, value: has(message, 'i') ? toBigInt(message.i as Long64) : 0n };
    case 'string': {
      const { value, raw } = toStrings([message.s ?? new Uint8Array(0)]);
      return { type, value: value[0]!, ...(raw === undefined ? {} : { raw: raw[0]! }) };
    }
    case 'tensor':
      return { type, value: decodeTensorMessage(required(message.t, type, where), where.at('tensor'), context) };
    case 'graph':
      return { type, value: decodeGraph(required(message.g, type, where), where, context) };
    case 'sparseTensor':
      return { type, value: decodeSparseTensor(required(message.sparseTensor, type, where), where.at('sparse tensor'), context) };
    case 'valueType':
      return { type, value: decodeType(required(message.tp, type, where), where) };
    case 'floats':
      return { type, value: [...(message.floats ?? [])] };
    case 'ints':
      return { type, value: ((message.ints ?? []) as Long64[]).map(toBigInt) };
    case 'strings':
      return { type, ...toStrings(message.strings ?? []) };
    case 'tensors':
      return { type, value: (message.tensors ?? []).map((tensor) => decodeTensorMessage(tensor, where.at('tensor'), context)) };
    case 'graphs':
      return { type, value: (message.graphs ?? []).map((graph) => decodeGraph(graph, where, context)) };
    case 'sparseTensors':
      return { type, value: (message.sparseTensors ?? []).map((tensor) => decodeSparseTensor(tensor, where.at('sparse tensor'), context)) };
    case 'valueTypes':
      return { type, value: (message.typeProtos ?? []).map((each) => decodeType(each, where)) };
  }
}

function decodeAttribute(message: AttributeMessage, where: Place, context: DecodeContext): OnnxAttribute {
  const doc = toNotes({ docString: message.docString }, where);
  if (message.refAttrName) {
    if (FIELDS.some((field) => isFilled(message, field)))
      fail('E_MODEL', 'check', where, 'refers to another attribute and holds a value as well');
    return { type: 'reference', value: message.refAttrName, of: kindOf(message, where), ...doc };
  }
  return { ...decodeValue(message, kindOf(message, where), where, context), ...doc };
}

/** Converts a node's attributes, keyed by name. @throws {EngineError} E_MODEL a name twice or empty, or a value that contradicts its type. */
export function decodeAttributes(
  messages: readonly AttributeMessage[] | null | undefined,
  owner: Place,
  context: DecodeContext,
): Map<string, OnnxAttribute> {
  const attributes = new Map<string, OnnxAttribute>();
  for (const message of messages ?? []) {
    const name = message.name ?? '';
    const where = owner.at('attribute', name);
    if (name === '') fail('E_MODEL', 'check', owner, 'has an attribute without a name');
    if (attributes.has(name)) fail('E_MODEL', 'check', where, 'appears twice');
    attributes.set(name, decodeAttribute(message, where, context));
  }
  return attributes;
}
