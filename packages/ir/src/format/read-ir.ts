import { createHash } from 'node:crypto';
import { constants as flags } from 'node:fs';
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { EngineError, LIMITS } from '@neural-engine/core';
import type { Graph } from '../graph';
import { verifyGraph } from '../verify';
import type { IrConfig } from './config';
import { readConstants } from './constants';
import { liftOriginal } from './original/lift';
import { parseConfig } from './parse-config';
import { weightsFile } from './save-files';
import { isNative, nativeToGraph } from './to-graph';

/** The parts of an IR that are in memory. */
export interface IrSource {
  readonly config: string;
  readonly weights: Uint8Array;
}

/**
 * Reads an IR folder or its parts: files of this project and of three versions of the original.
 *
 * @throws {EngineError} E_NOT_FOUND, E_PATH, E_IO the files; E_IR with the line of conf.yaml; E_IR_MISMATCH parts that do not belong together;
 * E_UNSUPPORTED operators without a counterpart, all of them.
 */
export async function readIr(source: string | IrSource): Promise<Graph> {
  const { config, weights } =
    typeof source === 'string' ? await readFiles(source) : { config: parseConfig(source.config), weights: source.weights };
  checkDigest(config, weights);
  return irToGraph(config, weights);
}

/** The graph of parsed parts. @throws {EngineError} as {@link readIr}, of what is in the files. */
export function irToGraph(config: IrConfig, weights: Uint8Array): Graph {
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

function checkDigest({ extra }: IrConfig, weights: Uint8Array): void {
  if (!extra) return;
  if (extra.weightsBytes !== weights.byteLength) {
    throw new EngineError(
      'E_IR_MISMATCH',
      'ir',
      `conf.yaml was saved with ${extra.weightsBytes} bytes of weights, model.bin has ${weights.byteLength}`,
    );
  }
  if (createHash('sha256').update(weights).digest('hex') !== extra.weightsDigest) {
    throw new EngineError(
      'E_IR_MISMATCH',
      'ir',
      'model.bin is damaged or belongs to another conf.yaml: its digest is not the one conf.yaml was saved with',
    );
  }
}

async function readFiles(directory: string): Promise<{ config: IrConfig; weights: Uint8Array }> {
  const names = await readdir(directory).catch((cause: unknown) => {
    throw new EngineError('E_NOT_FOUND', 'ir', `"${directory}" is no folder that can be read`, { where: directory, cause });
  });
  const configs = names.filter((name) => name.endsWith('.yaml'));
  const configName = configs.includes('conf.yaml') ? 'conf.yaml' : configs.length === 1 ? configs[0]! : undefined;
  if (!configName) throw new EngineError('E_NOT_FOUND', 'ir', `"${directory}" holds no conf.yaml`, { where: directory });
  const config = parseConfig(new TextDecoder().decode(await readRegular(join(directory, configName), configName, LIMITS.yamlBytes)));
  const path = await weightsFile(directory, config.extra?.weightsDigest);
  return { config, weights: await readRegular(path, 'model.bin', LIMITS.weightBytes) };
}

/** Reads a regular file that is no link, whole. */
async function readRegular(path: string, name: string, limit: number): Promise<Uint8Array> {
  const file = await open(path, flags.O_RDONLY | flags.O_NOFOLLOW | flags.O_NONBLOCK).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') throw new EngineError('E_IR_MISMATCH', 'ir', `the folder has no ${name}`, { where: name, cause });
    throw new EngineError(cause.code === 'ELOOP' ? 'E_PATH' : 'E_IO', 'ir', `${name} cannot be opened (${cause.code})`, {
      where: name,
      cause,
    });
  });
  try {
    const stats = await file.stat();
    if (!stats.isFile()) throw new EngineError('E_PATH', 'ir', `${name} is no regular file`, { where: name });
    if (stats.size > limit)
      throw new EngineError('E_LIMIT', 'ir', `${name} has ${stats.size} bytes, the limit is ${limit}`, { where: name });
    const bytes = new Uint8Array(stats.size);
    let at = 0;
    while (at < bytes.length) {
      const { bytesRead } = await file.read(bytes, at, Math.min(bytes.length - at, 1 << 30), at).catch((cause: NodeJS.ErrnoException) => {
        throw new EngineError('E_IO', 'ir', `${name} cannot be read (${cause.code})`, { where: name, cause });
      });
      if (bytesRead === 0) throw new EngineError('E_IO', 'ir', `${name} became shorter while it was read`, { where: name });
      at += bytesRead;
    }
    return bytes;
  } finally {
    await file.close();
  }
}
