import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import type { AtomicFile } from '@neural-engine/core';
import { fail, quote } from '../errors';
import type { OnnxModel, OnnxTensor } from '../types';

/** A range of the data file, before the file has a name. */
export interface Placement {
  offset: number;
  length: number;
}

/** Readers map files by pages; ONNX advises to begin each tensor at one. */
const ALIGNMENT = 4096;

/** The initializers that leave the model file, each at the next page. */
export function placeTensors(model: OnnxModel, thresholdBytes: number): Map<OnnxTensor, Placement> {
  const places = new Map<OnnxTensor, Placement>();
  let end = 0;
  for (const tensor of model.graph.initializers.values()) {
    if (tensor.dtype === 'string' || tensor.byteLength < thresholdBytes) continue;
    const offset = Math.ceil(end / ALIGNMENT) * ALIGNMENT;
    places.set(tensor, { offset, length: tensor.byteLength });
    end = offset + tensor.byteLength;
  }
  return places;
}

/** Writes the placed tensors one after the other and returns the digest of the file, in hexadecimal. */
export async function writeTensors(places: ReadonlyMap<OnnxTensor, Placement>, file: AtomicFile): Promise<string> {
  const hash = createHash('sha256');
  const append = async (bytes: Uint8Array): Promise<void> => {
    for (let at = 0; at < bytes.byteLength; at += 2 ** 30) hash.update(bytes.subarray(at, at + 2 ** 30));
    await file.write(bytes);
  };
  for (const [tensor, { offset }] of places) {
    await append(new Uint8Array(offset - file.size));
    await append(tensor.bytes());
  }
  return hash.digest('hex');
}

/** The name of a data file that no other model of the folder is given. @param digest of its content, in hexadecimal. */
export const defaultDataName = (path: string, digest: string): string => `${basename(path)}-${digest.slice(0, 16)}.data`;

/** @throws {EngineError} E_USAGE the name is not that of a file beside the model, or the model's own. */
export function checkDataName(name: string, modelName: string): void {
  if (name === '' || name === '.' || name === '..' || /[/\\\0:]/.test(name)) {
    fail('E_USAGE', 'usage', 'externalData.location', `${quote(name)} is not the name of a file beside the model`);
  }
  if (name === modelName) fail('E_USAGE', 'usage', 'externalData.location', 'is the name of the model itself');
}
