import { constants, type FileHandle, lstat, open, realpath } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LIMITS } from '@neural-engine/core';
import { type DecodeOptions, decodeModel, decodeWithRoot } from './decode-model';
import { fail } from './errors';
import type { ExternalRoot } from './external/open';
import { lookAlike } from './sniff';
import type { OnnxModel } from './types';

export type ReadOptions = DecodeOptions;

function toPath(source: string | URL): string {
  if (typeof source === 'string') return source;
  if (source.protocol !== 'file:') fail('E_USAGE', 'usage', source.href, 'only file: URLs can be read');
  return fileURLToPath(source);
}

/** Opens without waiting for the writer of a FIFO. */
async function openModel(path: string): Promise<FileHandle> {
  try {
    return await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') fail('E_NOT_FOUND', 'read', path, 'no such file');
    fail('E_PATH', 'read', path, `cannot be opened (${code})`, error);
  }
}

/** The whole file, as it was at one moment. @throws {EngineError} E_PATH not a plain file; E_LIMIT its size; E_IO it changed meanwhile. */
async function readWhole(handle: FileHandle, path: string, maxBytes: number): Promise<Uint8Array> {
  const before = await handle.stat({ bigint: true });
  if (!before.isFile()) fail('E_PATH', 'read', path, before.isDirectory() ? 'is a folder' : 'is not a regular file');
  if (before.size > BigInt(maxBytes)) {
    const head = new Uint8Array(512);
    await handle.read(head, 0, head.byteLength, 0);
    const other = lookAlike(head);
    if (other !== undefined) fail('E_PARSE', 'parse', path, `this is no ONNX file; it looks like ${other}`);
    fail('E_LIMIT', 'read', path, `${before.size} bytes are above the limit of ${maxBytes}`);
  }
  const bytes = new Uint8Array(Number(before.size));
  for (let done = 0; done < bytes.byteLength; ) {
    const { bytesRead } = await handle.read(bytes, done, Math.min(bytes.byteLength - done, 2 ** 30), done);
    if (bytesRead === 0) fail('E_IO', 'read', path, 'became shorter while it was being read');
    done += bytesRead;
  }
  const after = await handle.stat({ bigint: true });
  if (after.size !== before.size || after.mtimeNs !== before.mtimeNs || after.ctimeNs !== before.ctimeNs) {
    fail('E_IO', 'read', path, 'changed while it was being read');
  }
  return bytes;
}

/** Where the external data of the model at `path` may lie. */
async function rootOf(path: string, options: ReadOptions): Promise<ExternalRoot> {
  const allowHardlinks = options.allowHardlinks ?? false;
  if (options.directory !== undefined) return { folder: resolve(options.directory), allowHardlinks };
  const folder = resolve(dirname(path));
  if (!(await lstat(path)).isSymbolicLink()) return { folder, allowHardlinks };
  return { folder, linkedFolder: dirname(await realpath(path)), allowHardlinks };
}

/**
 * Reads, decodes and checks an ONNX model.
 *
 * External tensors are looked for in the model's own folder, by the rules of the package README, and read when asked for.
 *
 * @param source a path, a file: URL, or the bytes of a file (which must not change afterwards).
 * @throws {EngineError} E_NOT_FOUND, E_PATH, E_IO the file; E_PARSE, E_LIMIT, E_MODEL, … as {@link decodeModel}.
 */
export async function readModel(source: string | URL | Uint8Array, options: ReadOptions = {}): Promise<OnnxModel> {
  if (source instanceof Uint8Array) return decodeModel(source, options);
  const path = toPath(source);
  const handle = await openModel(path);
  try {
    const bytes = await readWhole(handle, path, options.limits?.onnxBytes ?? LIMITS.onnxBytes);
    return decodeWithRoot(bytes, await rootOf(path, options), options);
  } finally {
    await handle.close();
  }
}
