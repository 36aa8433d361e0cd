import type { Dims } from '@neural-engine/core';
import { dtypeBits, dtypeOfNumber, packedBytes } from '../dtypes';
import { fail } from '../errors';
import type { onnx } from '../generated/onnx.js';
import { type Long64, toSafeNumber } from '../long';
import { countElements, named, type Place } from '../place';
import { ExternalTensor, InlineTensor, StringTensor } from '../tensor';
import type { OnnxDType, OnnxSparseTensor, OnnxTensor } from '../types';
import { type DecodeContext, has, type Notes, toNotes } from './context';
import { externalReference } from './external';
import { type TypedField, typedBytes } from './typed-fields';

type TensorMessage = onnx.TensorProto.$Properties;

const TYPED_FIELDS: readonly TypedField[] = ['floatData', 'int32Data', 'int64Data', 'doubleData', 'uint64Data', 'stringData'];

/** Converts dimensions exactly. @throws {EngineError} E_SHAPE negative or beyond exact integers. */
export function toDims(dims: readonly Long64[] | null | undefined, where: Place): number[] {
  return (dims ?? []).map((dim, axis) => {
    const value = toSafeNumber(dim, 'E_SHAPE', where.at(`dimension ${axis}`));
    if (value < 0) fail('E_SHAPE', 'check', where, `dimension ${axis} is ${value}`);
    return value;
  });
}

/** Names a TensorProto.DataType. @throws {EngineError} E_MODEL for 0 and for numbers no version of ONNX has. */
export function toDtype(number: number | null | undefined, where: Place): OnnxDType {
  const dtype = dtypeOfNumber(number ?? 0);
  if (dtype === undefined || dtype === 'UNDEFINED')
    fail('E_MODEL', 'check', where, `element type ${number ?? 0} is none that ONNX defines`);
  return dtype;
}

function elementBytes(dtype: OnnxDType, dims: Dims, where: Place): number {
  const count = countElements(dims, where);
  const bytes = packedBytes(dtype, count);
  if (!Number.isSafeInteger(bytes)) fail('E_SHAPE', 'check', where, `[${dims.join(', ')}] has too many elements`);
  return bytes;
}

/** Adds a tensor to the model's total. @throws {EngineError} E_LIMIT above `limits.weightBytes`. */
function budget(bytes: number, context: DecodeContext, where: Place): void {
  context.weightBytes += bytes;
  if (context.weightBytes > context.limits.weightBytes) {
    fail('E_LIMIT', 'check', where, `the tensors of the model need more than ${context.limits.weightBytes} bytes together`);
  }
}

/**
 * Converts a tensor; raw bytes stay a view of the file, external bytes stay in theirs.
 *
 * @param place what the tensor is, for messages, without its name.
 * @throws {EngineError} E_MODEL elements missing, given twice, in the wrong field or of the wrong number; E_SHAPE; E_LIMIT; E_PATH.
 */
export function decodeTensorMessage(message: TensorMessage, place: Place, context: DecodeContext): OnnxTensor {
  const name = message.name ?? '';
  const where = named(place, name);
  const dtype = toDtype(message.dataType, where);
  if (has(message, 'segment')) fail('E_UNSUPPORTED', 'check', where, 'segmented tensors are not supported');
  const dims = toDims(message.dims, where);
  const notes = toNotes(message, where);
  const location = message.dataLocation ?? 0;
  if (location !== 0 && location !== 1) fail('E_MODEL', 'check', where, `data_location ${location} is none that ONNX defines`);
  const filled = TYPED_FIELDS.filter((field) => message[field]?.length);
  const raw = has(message, 'rawData') && (message.rawData!.byteLength > 0 || filled.length === 0) ? message.rawData! : undefined;
  const fields = [...(raw === undefined ? [] : ['raw_data']), ...filled];
  if (fields.length > 1 || (location === 1 && filled.length + (raw?.byteLength ?? 0) > 0)) {
    fail(
      'E_MODEL',
      'check',
      where,
      `holds its elements more than once: ${[...fields, ...(location === 1 ? ['external_data'] : [])].join(', ')}`,
    );
  }
  if (dtype === 'string') return decodeStrings(message, name, dims, notes, raw !== undefined || location === 1, context, where);

  const needed = elementBytes(dtype, dims, where);
  budget(needed, context, where);
  if (location === 1) {
    const range = externalReference(message, needed, context, where);
    return new ExternalTensor(
      name,
      dtype,
      dims,
      { location: range.location, offset: range.offset, length: range.length },
      range.read,
      notes,
    );
  }
  if (message.externalData?.length) context.warnings.push(`${where}: external_data is ignored, because data_location is not EXTERNAL`);
  const bytes = raw ?? (filled[0] === undefined ? new Uint8Array(0) : typedBytes(message, filled[0], dtype, where));
  if (bytes.byteLength !== needed) {
    fail('E_MODEL', 'check', where, `${dtype} [${dims.join(', ')}] needs ${needed} bytes, the file has ${bytes.byteLength}`);
  }
  return new InlineTensor(name, dtype, dims, bytes, notes);
}

function decodeStrings(
  message: TensorMessage,
  name: string,
  dims: number[],
  notes: Notes,
  elsewhere: boolean,
  context: DecodeContext,
  where: Place,
): OnnxTensor {
  const strings = message.stringData ?? [];
  const count = countElements(dims, where);
  if (elsewhere) fail('E_MODEL', 'check', where, 'strings must lie in string_data');
  if (strings.length !== count)
    fail('E_MODEL', 'check', where, `[${dims.join(', ')}] needs ${count} strings, the file has ${strings.length}`);
  const tensor = new StringTensor(name, dims, [...strings], notes);
  budget(tensor.byteLength, context, where);
  return tensor;
}

/** Converts a sparse tensor; {@link checkModel} looks at its indices. */
export function decodeSparseTensor(message: onnx.SparseTensorProto.$Properties, place: Place, context: DecodeContext): OnnxSparseTensor {
  if (message.values == null || message.indices == null) fail('E_SPARSE', 'check', place, 'has no values or no indices');
  const values = decodeTensorMessage(message.values, place, context);
  const where = named(place, values.name);
  const indices = decodeTensorMessage(message.indices, where.at('indices'), context);
  const dims = toDims(message.dims as Long64[], where);
  countElements(dims, where);
  if (indices.dtype !== 's64') fail('E_SPARSE', 'check', where, `indices are ${indices.dtype}, not s64`);
  if (dtypeBits(values.dtype) === undefined) fail('E_SPARSE', 'check', where, `values of type ${values.dtype} cannot be sparse`);
  return { values, indices, dims };
}
