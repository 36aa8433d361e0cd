import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { EngineError, LIMITS } from '@neural-engine/core';
import type { Graph } from '../graph';
import { verifyGraph } from '../verify';
import type { IrConfig } from './config';
import { readConstants } from './constants';
import { type OpenFile, openRegular, readInto } from './open-file';
import { liftOriginal } from './original/lift';
import { parseConfig } from './parse-config';
import { weightsFile } from './save-files';
import { isNative, nativeToGraph } from './to-graph';
import { digestOf, type Weights, weightsInFile, weightsInMemory } from './weights';

/** The parts of an IR that are in memory. */
export interface IrSource {
  readonly config: string;
  readonly weights: Uint8Array;
}

/**
 * Reads an IR folder or its parts: files of this project and of three versions of the original. The files of a folder may be links into one
 * other folder, as a hub's cache has them.
 *
 * @throws {EngineError} E_NOT_FOUND, E_PATH, E_IO the files; E_IR with the line of conf.yaml; E_IR_MISMATCH parts that do not belong together;
 * E_UNSUPPORTED operators without a counterpart, all of them.
 */
export async function readIr(source: string | IrSource): Promise<Graph> {
  if (typeof source === 'string') return readFolder(source);
  const config = parseConfig(source.config);
  return checkedGraph(config, weightsInMemory(source.weights));
}

function checkedGraph(config: IrConfig, weights: Weights): Graph {
  checkDigest(config, weights);
  return toGraph(config, weights);
}

/** The graph of parsed parts. @throws {EngineError} as {@link readIr}, of what is in the files. */
export const irToGraph = (config: IrConfig, weights: Uint8Array): Graph => toGraph(config, weightsInMemory(weights));

function toGraph(config: IrConfig, weights: Weights): Graph {
  const constants = readConstants(config, weights);
  try {
    const graph = isNative(config) ? nativeToGraph(config, constants) : liftOriginal(config, constants);
    verifyGraph(graph, { code: 'E_IR', stage: 'ir' });
    return graph;
  } catch (error) {
    throw faultOfFile(error);
  }
}

/** A node that does not fit its operands is a fault of the file, by whichever check it was found. */
function faultOfFile(error: unknown): unknown {
  if (!EngineError.isInstance(error) || !['E_MODEL', 'E_SHAPE', 'E_QUANT'].includes(error.code)) return error;
  const { message, where } = error;
  return new EngineError('E_IR', 'ir', message, { cause: error, ...(where === undefined ? {} : { where }) });
}

function checkDigest({ extra }: IrConfig, weights: Weights): void {
  if (!extra) return;
  if (extra.weightsBytes !== weights.byteLength) {
    throw new EngineError(
      'E_IR_MISMATCH',
      'ir',
      `conf.yaml was saved with ${extra.weightsBytes} bytes of weights, model.bin has ${weights.byteLength}`,
    );
  }
  if (digestOf(weights) !== extra.weightsDigest) {
    throw new EngineError(
      'E_IR_MISMATCH',
      'ir',
      'model.bin is damaged or belongs to another conf.yaml: its digest is not the one conf.yaml was saved with',
    );
  }
}

async function readFolder(directory: string): Promise<Graph> {
  const names = await readdir(directory).catch((cause: unknown) => {
    throw new EngineError('E_NOT_FOUND', 'ir', `"${directory}" is no folder that can be read`, { where: directory, cause });
  });
  const configs = names.filter((name) => name.endsWith('.yaml'));
  const configName = configs.includes('conf.yaml') ? 'conf.yaml' : configs.length === 1 ? configs[0]! : undefined;
  if (!configName) throw new EngineError('E_NOT_FOUND', 'ir', `"${directory}" holds no conf.yaml`, { where: directory });
  const file = await openRegular(join(directory, configName), LIMITS.yamlBytes, 'anywhere');
  const config = parseConfig(await withFile(file, async () => new TextDecoder().decode(readInto(new Uint8Array(file.size), file, 0))));
  const path = await weightsFile(directory, config.extra?.weightsDigest);
  const links = file.linkedFolder === undefined ? 'nowhere' : { folder: file.linkedFolder };
  return withFile(await openRegular(path, LIMITS.weightBytes, links), async (weights) => {
    const before = await weights.handle.stat();
    const graph = checkedGraph(config, weightsInFile(weights));
    const after = await weights.handle.stat();
    if (after.mtimeMs !== before.mtimeMs || after.size !== weights.size)
      throw new EngineError('E_IO', 'ir', 'model.bin changed while it was read', { where: 'model.bin' });
    return graph;
  });
}

async function withFile<Result>(file: OpenFile, work: (file: OpenFile) => Promise<Result>): Promise<Result> {
  try {
    return await work(file);
  } finally {
    await file.handle.close();
  }
}
