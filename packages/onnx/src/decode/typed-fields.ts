import { dtypeBits } from '../dtypes';
import { fail } from '../errors';
import type { onnx } from '../generated/onnx.js';
import type { Long64 } from '../long';
import type { Place } from '../place';
import type { OnnxDType } from '../types';

/** The fields of TensorProto that hold elements one by one. */
export type TypedField = 'floatData' | 'int32Data' | 'int64Data' | 'doubleData' | 'uint64Data' | 'stringData';

/** The field that ONNX assigns to a dtype. */
function fieldOf(dtype: OnnxDType): TypedField {
  switch (dtype) {
    case 'string':
      return 'stringData';
    case 'f32':
    case 'COMPLEX64':
      return 'floatData';
    case 'f64':
    case 'COMPLEX128':
      return 'doubleData';
    case 's64':
      return 'int64Data';
    case 'u32':
    case 'u64':
      return 'uint64Data';
    default:
      return 'int32Data';
  }
}

const bytesOf = (view: ArrayBufferView): Uint8Array => new Uint8Array(view.buffer, view.byteOffset, view.byteLength);

function longs(values: readonly Long64[]): Uint8Array {
  const words = new Int32Array(values.length * 2);
  values.forEach((value, i) => {
    words[2 * i] = value.low;
    words[2 * i + 1] = value.high;
  });
  return bytesOf(words);
}

/** uint64_data → u32 elements. */
function narrowLongs(values: readonly Long64[], where: Place): Uint8Array {
  return bytesOf(
    Uint32Array.from(values, (value, i) =>
      value.high === 0 ? value.low : fail('E_MODEL', 'check', where, `element ${i} does not fit in u32`),
    ),
  );
}

/** int32_data → elements of 8, 16 or 32 bits; types below 8 bits come packed, one byte an entry. */
function narrowInts(values: readonly number[], dtype: OnnxDType, where: Place): Uint8Array {
  const bits = Math.max(8, dtypeBits(dtype)!);
  if (bits === 32) return bytesOf(Int32Array.from(values));
  const least = -(2 ** (bits - 1));
  const most = 2 ** bits - 1;
  for (let i = 0; i < values.length; i++) {
    if (values[i]! < least || values[i]! > most) fail('E_MODEL', 'check', where, `element ${i} = ${values[i]} does not fit in ${dtype}`);
  }
  return bits === 16 ? bytesOf(Uint16Array.from(values)) : Uint8Array.from(values);
}

/**
 * The elements of a typed field as the little-endian bytes that `raw_data` would hold.
 * @throws {EngineError} E_MODEL the field is not the dtype's own, or an element does not fit.
 */
export function typedBytes(message: onnx.TensorProto.$Properties, field: TypedField, dtype: OnnxDType, where: Place): Uint8Array {
  if (field !== fieldOf(dtype)) fail('E_MODEL', 'check', where, `${dtype} elements do not belong in ${field.replace('Data', '_data')}`);
  switch (field) {
    case 'floatData':
      return bytesOf(Float32Array.from(message.floatData!));
    case 'doubleData':
      return bytesOf(Float64Array.from(message.doubleData!));
    case 'int64Data':
      return longs(message.int64Data!);
    case 'uint64Data':
      return dtype === 'u32' ? narrowLongs(message.uint64Data!, where) : longs(message.uint64Data!);
    case 'int32Data':
      return narrowInts(message.int32Data!, dtype, where);
    case 'stringData':
      return fail('E_MODEL', 'check', where, 'strings have no fixed bytes');
  }
}
