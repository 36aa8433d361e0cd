import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { bytesOf, type DType, EngineError, elementCount, type Tensor, viewBytes } from '@neural-engine/core';

/** Arrays of one archive may have so many bytes: deflated zeros are a thousandth of what they unpack to. */
const MOST_UNPACKED_BYTES = 2 ** 30;

const bad = (message: string): never => {
  throw new EngineError('E_PARSE', 'read', message);
};

const DESCR: Readonly<Partial<Record<DType, string>>> = {
  f32: '<f4',
  f64: '<f8',
  u8: '|u1',
  s8: '|i1',
  u16: '<u2',
  s16: '<i2',
  u32: '<u4',
  s32: '<i4',
  u64: '<u8',
  s64: '<i8',
  bool: '|b1',
  f16: '<f2',
};
const DTYPE_OF = new Map(Object.entries(DESCR).map(([dtype, descr]) => [descr, dtype as DType]));

/** Reads one `.npy` array (version 1 to 3, little-endian, C order). */
export function readNpy(bytes: Uint8Array, where = 'npy'): Tensor {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 12 || bytes[0] !== 0x93 || Buffer.from(bytes.subarray(1, 6)).toString('latin1') !== 'NUMPY')
    bad(`${where} is no .npy array`);
  const wide = bytes[6]! >= 2;
  const headerLength = wide ? view.getUint32(8, true) : view.getUint16(8, true);
  const start = wide ? 12 : 10;
  if (headerLength > bytes.length - start) bad(`${where}: the header is cut off`);
  const header = Buffer.from(bytes.subarray(start, start + headerLength)).toString('latin1');
  const descr = /'descr':\s*'([^']+)'/.exec(header)?.[1];
  const shape = /'shape':\s*\(([^)]*)\)/.exec(header)?.[1];
  const dtype = descr === undefined ? undefined : DTYPE_OF.get(descr);
  if (!dtype || shape === undefined) return bad(`${where}: dtype ${descr ?? '?'} is not supported`);
  if (/'fortran_order':\s*True/.test(header) && shape.includes(',') && shape.split(',').filter((part) => part.trim()).length > 1)
    bad(`${where}: Fortran order is not supported`);
  const dims = shape
    .split(',')
    .map((part) => part.trim())
    .filter(Boolean)
    .map(Number);
  const data = viewBytes(dtype, bytes.subarray(start + headerLength));
  if (data.length !== elementCount(dims, where, 'read')) bad(`${where}: shape (${shape}) does not fit ${data.length} elements`);
  return { dtype, dims, data };
}

export function writeNpy(tensor: Tensor): Uint8Array {
  const descr = DESCR[tensor.dtype] ?? bad(`${tensor.dtype} has no .npy form`);
  const dims = tensor.dims.length === 1 ? `${tensor.dims[0]},` : tensor.dims.join(', ');
  const text = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${dims}), }`;
  const padded = `${text}${' '.repeat(63 - ((10 + text.length) % 64))}\n`;
  const head = Buffer.alloc(10);
  head.write('\x93NUMPY\x01\x00', 'latin1');
  head.writeUInt16LE(padded.length, 8);
  return Buffer.concat([head, Buffer.from(padded, 'latin1'), bytesOf(tensor.data)]);
}

const CRC = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c >>> 0;
});

function crc32(bytes: Uint8Array): number {
  let c = 0xffffffff;
  for (const byte of bytes) c = CRC[(c ^ byte) & 0xff]! ^ (c >>> 8);
  return (c ^ 0xffffffff) >>> 0;
}

/** Reads the arrays of an `.npz` archive by name, stored or deflated. */
export function readNpz(bytes: Uint8Array): Map<string, Tensor> {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = file.lastIndexOf(Buffer.from('PK\x05\x06', 'latin1'));
  if (end < 0 || end + 22 > file.length) bad('this is no .npz archive');
  const tensors = new Map<string, Tensor>();
  let unpacked = 0;
  let at = file.readUInt32LE(end + 16);
  for (let left = file.readUInt16LE(end + 10); left > 0; left--) {
    if (at + 46 > file.length || file.readUInt32LE(at) !== 0x02014b50) bad('the archive directory is damaged');
    const [method, crc, packed, size] = [
      file.readUInt16LE(at + 10),
      file.readUInt32LE(at + 16),
      file.readUInt32LE(at + 20),
      file.readUInt32LE(at + 24),
    ];
    const [nameLength, extra, comment, local] = [
      file.readUInt16LE(at + 28),
      file.readUInt16LE(at + 30),
      file.readUInt16LE(at + 32),
      file.readUInt32LE(at + 42),
    ];
    const name = file.toString('utf8', at + 46, at + 46 + nameLength).replace(/\.npy$/, '');
    if (local + 30 > file.length) bad(`array "${name}": its place is outside the archive`);
    unpacked += size;
    if (unpacked > MOST_UNPACKED_BYTES)
      throw new EngineError('E_LIMIT', 'read', `array "${name}": the archive unpacks to more than ${MOST_UNPACKED_BYTES} bytes`);
    const start = local + 30 + file.readUInt16LE(local + 26) + file.readUInt16LE(local + 28);
    if (start > file.length || packed > file.length - start) bad(`array "${name}" is cut off`);
    const raw = file.subarray(start, start + packed);
    const content =
      method === 0 ? raw : method === 8 ? inflate(raw, size, name) : bad(`array "${name}": compression ${method} is not supported`);
    if (content.length !== size || crc32(content) !== crc) bad(`array "${name}" is damaged`);
    tensors.set(name, readNpy(content, `array "${name}"`));
    at += 46 + nameLength + extra + comment;
  }
  return tensors;
}

function inflate(raw: Uint8Array, size: number, name: string): Uint8Array {
  try {
    return inflateRawSync(raw, { maxOutputLength: Math.max(size, 1) });
  } catch (cause) {
    throw new EngineError('E_PARSE', 'read', `array "${name}" cannot be unpacked to the ${size} bytes it declares`, { cause });
  }
}

/** Writes arrays as a deflated `.npz` archive. */
export function writeNpz(tensors: Iterable<readonly [string, Tensor]>): Uint8Array {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  let count = 0;
  for (const [name, tensor] of tensors) {
    const content = writeNpy(tensor);
    const packed = deflateRawSync(content);
    const file = Buffer.from(`${name}.npy`);
    const fields = Buffer.alloc(26);
    fields.writeUInt16LE(20, 0);
    fields.writeUInt16LE(0x0800, 2);
    fields.writeUInt16LE(8, 4);
    fields.writeUInt16LE(0x21, 8);
    fields.writeUInt32LE(crc32(content), 10);
    fields.writeUInt32LE(packed.length, 14);
    fields.writeUInt32LE(content.length, 18);
    fields.writeUInt16LE(file.length, 22);
    const local = Buffer.concat([Buffer.from('PK\x03\x04', 'latin1'), fields, file, packed]);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(offset, 10);
    directory.push(Buffer.concat([Buffer.from('PK\x01\x02\x14\x00', 'latin1'), fields, tail, file]));
    parts.push(local);
    offset += local.length;
    count++;
  }
  const central = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(count, 8);
  end.writeUInt16LE(count, 10);
  end.writeUInt32LE(central.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...parts, central, end]);
}
