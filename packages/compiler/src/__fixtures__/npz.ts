import { readFileSync } from 'node:fs';
import { inflateRawSync } from 'node:zlib';
import type { DType, Tensor } from '@neural-engine/core';
import { viewBytes } from '@neural-engine/core';

const DTYPES: Readonly<Record<string, DType>> = { '<f4': 'f32', '<f8': 'f64', '<i8': 's64', '<i4': 's32', '|u1': 'u8', '|i1': 's8', '|b1': 'bool', '<f2': 'f16' };

/** The arrays of a NumPy `.npz` file by name. */
export function readNpz(path: string): Map<string, Tensor> {
  const bytes = readFileSync(path);
  const out = new Map<string, Tensor>();
  let at = bytes.readUInt32LE(bytes.lastIndexOf('PK\u0005\u0006', undefined, 'latin1') + 16);
  while (bytes.readUInt32LE(at) === 0x02014b50) {
    const method = bytes.readUInt16LE(at + 10);
    const packed = bytes.readUInt32LE(at + 20);
    const nameLength = bytes.readUInt16LE(at + 28);
    const local = bytes.readUInt32LE(at + 42);
    const name = bytes.toString('utf8', at + 46, at + 46 + nameLength).replace(/\.npy$/, '');
    const start = local + 30 + bytes.readUInt16LE(local + 26) + bytes.readUInt16LE(local + 28);
    const data = bytes.subarray(start, start + packed);
    out.set(name, parseNpy(method === 0 ? data : inflateRawSync(data)));
    at += 46 + nameLength + bytes.readUInt16LE(at + 30) + bytes.readUInt16LE(at + 32);
  }
  return out;
}

/** One array of NumPy's `.npy` format, in C order. */
export function parseNpy(bytes: Buffer): Tensor {
  const wide = bytes[6]! >= 2;
  const start = wide ? 12 : 10;
  const length = wide ? bytes.readUInt32LE(8) : bytes.readUInt16LE(8);
  const header = bytes.toString('latin1', start, start + length);
  const dtype = DTYPES[/'descr': '([^']+)'/.exec(header)?.[1] ?? ''];
  const dims = (/'shape': \(([^)]*)\)/.exec(header)?.[1] ?? '').split(',').filter((part) => part.trim() !== '').map(Number);
  if (!dtype || header.includes("'fortran_order': True")) throw new Error(`cannot read ${header}`);
  return { dtype, dims, data: viewBytes(dtype, Uint8Array.from(bytes.subarray(start + length))) };
}
