import { createHash } from 'node:crypto';
import type { Graph } from '../graph';
import { FORMAT_VERSION, type IrConfig, type IrExtra } from './config';
import { graphToIr } from './from-graph';
import { printConfig } from './print-config';
import { type SaveOptions, saveFiles } from './save-files';
import { updateHash } from './weights';

export type WriteIrOptions = SaveOptions;

/** The text of conf.yaml, the parts of model.bin and the digest of the latter. */
export interface EncodedIr {
  readonly config: string;
  readonly weights: readonly Uint8Array[];
  readonly digest: string;
}

/** conf.yaml and the parts of model.bin that a graph is saved as. The same graph gives the same bytes. */
export function encodeIr(graph: Graph): EncodedIr {
  const { config, weights, shapes } = graphToIr(graph);
  return sealIr(config, weights, shapes);
}

/** Adds what ties conf.yaml to its weights. */
export function sealIr(config: Omit<IrConfig, 'extra'>, weights: readonly Uint8Array[], shapes: IrExtra['shapes']): EncodedIr {
  const hash = createHash('sha256');
  let size = 0;
  for (const part of weights) {
    updateHash(hash, part);
    size += part.byteLength;
  }
  const digest = hash.digest('hex');
  const extra = { formatVersion: FORMAT_VERSION, producer: 'neural-engine', weightsDigest: digest, weightsBytes: size, shapes };
  return { config: printConfig({ ...config, extra }), weights, digest };
}

/**
 * Saves a graph as an IR folder: conf.yaml and model.bin, whole or not at all.
 *
 * @throws {EngineError} E_CANTCREAT, E_LOCKED, E_SPACE, E_IO what went wrong; what was there before is untouched.
 */
export async function writeIr(graph: Graph, directory: string, options: WriteIrOptions = {}): Promise<void> {
  const { config, weights, digest } = encodeIr(graph);
  await saveFiles(directory, config, weights, digest, options);
}
