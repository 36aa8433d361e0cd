import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { OnnxModel } from '../types';

/** A model as plain data, so that two of them can be compared whatever way their tensors are stored. */
export function toPlain(value: unknown): unknown {
  if (isTensor(value)) {
    const data =
      value.dtype === 'string'
        ? value.stringBytes?.map((bytes) => Buffer.from(bytes).toString('hex'))
        : Buffer.from(value.bytes()).toString('base64');
    return { name: value.name, dtype: value.dtype, dims: value.dims, data, docString: value.docString, metadata: value.metadata };
  }
  if (value instanceof Map) return new Map([...value].map(([key, each]) => [key, toPlain(each)]));
  if (Array.isArray(value)) return value.map(toPlain);
  if (ArrayBuffer.isView(value)) return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex');
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, toPlain(each)]));
  return value;
}

const isTensor = (value: unknown): value is import('../types').OnnxTensor =>
  typeof value === 'object' && value !== null && typeof (value as { bytes?: unknown }).bytes === 'function';

/** The model without what reading it remarked, and wherever its tensors lie. */
export const withoutWarnings = ({ warnings: _, externalFiles: __, ...rest }: OnnxModel): unknown => toPlain(rest);

/** All `.onnx` files below a folder. */
export function* onnxFiles(folder: string): Generator<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* onnxFiles(path);
    else if (entry.name.endsWith('.onnx')) yield path;
  }
}
