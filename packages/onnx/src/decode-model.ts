import { LIMITS, type Limits } from '@neural-engine/core';
import type $protobuf from 'protobufjs/minimal.js';
import { checkModel } from './check/model';
import type { DecodeContext } from './decode/context';
import { decodeModelMessage } from './decode/model';
import { decodeTensorMessage } from './decode/tensor';
import { fail } from './errors';
import type { ExternalRoot } from './external/open';
import { ExternalStore } from './external/store';
import { onnx } from './generated/onnx.js';
import { Place } from './place';
import { lookAlike } from './sniff';
import type { OnnxModel, OnnxTensor } from './types';
import { decodeMessage } from './wire/reader';
import { scan } from './wire/scan';

/** How to treat a file. */
export interface DecodeOptions {
  /** The folder of external tensors. Without one, a model given as bytes must hold all its tensors itself. */
  directory?: string;
  /** Overrides of the limits in `LIMITS` of core. */
  limits?: Partial<Limits>;
  /** Accepts external files that have further hard links. Default false: a hard link can stand for a file outside the folder. */
  allowHardlinks?: boolean;
  /** False skips {@link checkModel}, for tools that look at broken models. Default true. */
  check?: boolean;
}

/** Runs the codec; after the scan it has nothing left to object to, so that whatever it throws is a fault of this package. */
function decodeScanned<T>(decode: (reader: $protobuf.Reader, length?: number) => T, bytes: Uint8Array, limits: Limits): T {
  try {
    return decodeMessage(decode, bytes, limits.nesting);
  } catch (error) {
    return fail('E_INTERNAL', 'parse', 'model', 'the codec refused what the pre-scan had passed', error);
  }
}

/** Decodes with a given place for external data. */
export function decodeWithRoot(bytes: Uint8Array, root: ExternalRoot | undefined, options: DecodeOptions): OnnxModel {
  const limits: Limits = { ...LIMITS, ...options.limits };
  if (bytes.byteLength === 0) fail('E_PARSE', 'parse', 'model', 'the file is empty: no graph, no opset_import');
  const other = lookAlike(bytes);
  if (other !== undefined) fail('E_PARSE', 'parse', 'model', `this is no ONNX file; it looks like ${other}`);
  scan(bytes, 'ModelProto', limits);
  const message = decodeScanned(onnx.ModelProto.decode, bytes, limits);
  const context: DecodeContext = { limits, external: root && new ExternalStore(root), warnings: [], weightBytes: 0 };
  const model = decodeModelMessage(message, context);
  if (options.check !== false) checkModel(model);
  return model;
}

/**
 * Decodes the bytes of an ONNX file. Tensor data stay views of `bytes`, which must not change afterwards.
 *
 * @throws {EngineError} E_PARSE not protobuf or not ONNX, with the offset; E_LIMIT; E_MODEL, E_SHAPE, E_SPARSE, E_QUANT,
 *   E_UNSUPPORTED invalid content; E_PATH, E_NOT_FOUND external data.
 */
export function decodeModel(bytes: Uint8Array, options: DecodeOptions = {}): OnnxModel {
  const { directory } = options;
  const root = directory === undefined ? undefined : { folder: directory, allowHardlinks: options.allowHardlinks ?? false };
  return decodeWithRoot(bytes, root, options);
}

/** Decodes a single tensor, as the `.pb` files beside ONNX's own tests hold it. @throws {EngineError} as {@link decodeModel}. */
export function decodeTensor(bytes: Uint8Array, options: Pick<DecodeOptions, 'limits'> = {}): OnnxTensor {
  const limits: Limits = { ...LIMITS, ...options.limits };
  scan(bytes, 'TensorProto', limits);
  const context: DecodeContext = { limits, external: undefined, warnings: [], weightBytes: 0 };
  return decodeTensorMessage(decodeScanned(onnx.TensorProto.decode, bytes, limits), Place.MODEL.at('tensor'), context);
}
