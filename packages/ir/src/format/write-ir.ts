import { createHash } from 'node:crypto';
import type { Graph } from '../graph';
import { FORMAT_VERSION } from './config';
import { graphToIr } from './from-graph';
import { printConfig } from './print-config';
import { saveFiles } from './save-files';

export interface WriteIrOptions {
  /** Replace what is in the folder. */
  readonly force?: boolean;
}

/** conf.yaml and the parts of model.bin that a graph is saved as. The same graph gives the same bytes. */
export function encodeIr(graph: Graph): { config: string; weights: readonly Uint8Array[]; digest: string } {
  const { config, weights, shapes } = graphToIr(graph);
  const hash = createHash('sha256');
  let size = 0;
  for (const part of weights) {
    hash.update(part);
    size += part.byteLength;
  }
  const digest = hash.digest('hex');
  const extra = { formatVersion: FORMAT_VERSION, producer: 'neural-engine', weightsDigest: digest, weightsBytes: size, shapes };
  return { config: printConfig({ ...config, extra }), weights, digest };
}

/**
 * Saves a graph as an IR folder: conf.yaml and model.bin, whole or not at all.
 *
 * @throws {EngineError} E_CANTCREAT, E_SPACE, E_IO what went wrong; what was there before is untouched.
 */
export async function writeIr(graph: Graph, directory: string, options: WriteIrOptions = {}): Promise<void> {
  const { config, weights, digest } = encodeIr(graph);
  await saveFiles(directory, config, weights, digest, options.force ?? false);
}
