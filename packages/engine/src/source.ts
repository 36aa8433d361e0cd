import { existsSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { types } from 'node:util';
import { EngineError } from '@neural-engine/core';
import type { Graph } from '@neural-engine/ir';
import type { OnnxModel } from '@neural-engine/onnx';

/** What a model can be loaded from: an `.onnx` file, an IR folder, a folder with `model.onnx`, ONNX bytes, or what the packages hold in memory. */
export type ModelSource = string | URL | Uint8Array | OnnxModel | Graph;

/** A source, recognised. */
export type Located =
  | { kind: 'onnx-file'; file: string; directory: string }
  | { kind: 'ir'; directory: string; config: string; weights: string }
  | { kind: 'bytes'; bytes: Uint8Array }
  | { kind: 'onnx'; model: OnnxModel }
  | { kind: 'graph'; graph: Graph };

/**
 * Recognises a source without reading it.
 *
 * @throws {EngineError} E_NOT_FOUND the path does not exist; E_PATH, E_IO it cannot be read; E_USAGE it is a folder without a model, naming
 * what was looked for, or no source at all.
 */
export function locate(source: ModelSource): Located {
  // Of another realm too, such as a test runner's.
  if (types.isUint8Array(source)) return { kind: 'bytes', bytes: source };
  if (typeof source === 'object' && source !== null) {
    if ('graph' in source) return { kind: 'onnx', model: source };
    // By its parts: the class of another copy of the package, such as its CommonJS form, is another.
    if ('nodes' in source && 'values' in source) return { kind: 'graph', graph: source };
  }
  const path = pathOf(source);
  if (!existsSync(path)) throw new EngineError('E_NOT_FOUND', 'load', `there is no model at "${path}"`, { where: path });
  if (!statSync(path).isDirectory()) return { kind: 'onnx-file', file: path, directory: dirname(path) };
  const names = namesIn(path);
  const configs = names.filter((name) => name.endsWith('.yaml'));
  const binaries = names.filter((name) => name.endsWith('.bin'));
  const config = names.includes('conf.yaml') ? 'conf.yaml' : configs.length === 1 ? configs[0]! : undefined;
  const weights = names.includes('model.bin') ? 'model.bin' : binaries.length === 1 ? binaries[0]! : undefined;
  if (config && weights) return { kind: 'ir', directory: path, config: join(path, config), weights: join(path, weights) };
  const onnx = names.includes('model.onnx')
    ? 'model.onnx'
    : names.filter((name) => name.endsWith('.onnx')).length === 1
      ? names.find((name) => name.endsWith('.onnx'))
      : undefined;
  if (onnx) return { kind: 'onnx-file', file: join(path, onnx), directory: path };
  throw new EngineError('E_USAGE', 'load', `"${path}" holds no model: expected conf.yaml and model.bin, or one .onnx file`, {
    where: path,
  });
}

function pathOf(source: unknown): string {
  if (typeof source === 'string' && source !== '') return source;
  if (source instanceof URL && source.protocol === 'file:') return fileURLToPath(source);
  const what =
    source instanceof URL ? source.href : typeof source === 'object' && source !== null ? source.constructor?.name : JSON.stringify(source);
  throw new EngineError(
    'E_USAGE',
    'load',
    `a model is a path, a file: URL, a Uint8Array of ONNX, an OnnxModel or a Graph; this is ${what ?? typeof source}`,
    { where: 'source' },
  );
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new EngineError(code === 'EACCES' || code === 'EPERM' ? 'E_PATH' : 'E_IO', 'load', `"${folder}" cannot be read (${code})`, {
      where: folder,
      cause,
    });
  }
}
