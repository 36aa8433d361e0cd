import { type CompileOptions, compile } from '@neural-engine/compiler';
import { EngineError } from '@neural-engine/core';
import { type Graph, readIr } from '@neural-engine/ir';
import { decodeModel, readModel } from '@neural-engine/onnx';
import {
  type KernelChoice,
  Model,
  type ModelOptions,
  Pool,
  type PoolOptions,
  type Port,
  type Session,
  type SessionOptions,
} from '@neural-engine/runtime';
import { checkPolicy } from '@neural-engine/sparsity';
import { cacheDirectory, cachedFile, cacheLimit, isFrom, originOf, packedKey } from './cache';
import { embeddingRows } from './embedding-rows';
import { type Located, locate, type ModelSource } from './source';

export interface LoadOptions extends Omit<ModelOptions, 'packedOrigin' | 'onPackedFailure'>, CompileOptions {
  /** Keep packed weights in this folder; false keeps them in memory only. Default: the user's cache folder. */
  readonly cache?: string | false;
  /**
   * Keep packed weights in this file, and take them from it where it was packed from this very model under these options. A model that is given
   * in memory is packed anew by each load.
   */
  readonly packedFile?: string;
  /** Compare packed weights with their checksum, which reads all of them. Default: only what kernels rely on is checked. */
  readonly verify?: boolean;
}

/** Reads and compiles any source to a graph of engine operators. An IR folder is compiled already. */
export async function compileModel(source: ModelSource, options: CompileOptions = {}): Promise<Graph> {
  return compileLocated(locate(source), options);
}

/** A graph has its roundings already. */
function checkRounding(located: Located, { rounding }: CompileOptions): void {
  if (rounding !== 'file' || (located.kind !== 'ir' && located.kind !== 'graph')) return;
  throw new EngineError('E_USAGE', 'compile', 'rounding is chosen when an ONNX model is compiled; this one is compiled already', {
    where: 'rounding',
  });
}

async function compileLocated(located: Located, options: CompileOptions): Promise<Graph> {
  checkRounding(located, options);
  switch (located.kind) {
    case 'graph':
      return located.graph;
    case 'ir':
      return readIr(located.directory);
    case 'onnx':
      return compile(located.model, options);
    case 'bytes':
      return compile(decodeModel(located.bytes), options);
    case 'onnx-file':
      return compile(await readModel(located.file), options);
  }
}

/** A loaded model: immutable, shared by all of its sessions. */
export class LoadedModel {
  constructor(
    readonly runtime: Model,
    private readonly located: Located,
    private readonly options: CompileOptions,
    /** The weights came ready packed from the cache. */
    readonly warm: boolean,
    private readonly packed: string | undefined,
  ) {}

  /** The file that its packed weights are mapped from, which `Model.fromPacked` opens too; undefined where they are kept in memory. */
  get packedFile(): string | undefined {
    return this.runtime.weights.mapped ? this.packed : undefined;
  }

  /** What {@link Session.run} takes, in order. */
  get inputs(): readonly Port[] {
    return this.runtime.inputs;
  }

  /** What {@link Session.run} gives, in order. */
  get outputs(): readonly Port[] {
    return this.runtime.outputs;
  }

  /** Which kernel each weight got, and why. */
  get kernels(): readonly KernelChoice[] {
    return this.runtime.kernels;
  }

  /** The folder the model came from: where its tokenizer is looked for. */
  get directory(): string | undefined {
    return 'directory' in this.located ? this.located.directory : undefined;
  }

  /** Rows of the word embedding: every token id must be smaller. Undefined for models without one. */
  get vocabularySize(): number | undefined {
    return embeddingRows(this.runtime.prepared.graph);
  }

  /** The compiled graph, with its constants. Read again from the source: a warm load does not need it. */
  graph(): Promise<Graph> {
    return compileLocated(this.located, this.options);
  }

  session(options: SessionOptions = {}): Promise<Session> {
    return this.runtime.session(options);
  }

  /** Several sessions behind one bounded queue, each on cores of its own. */
  pool(options: PoolOptions = {}): Promise<Pool> {
    return Pool.open(this.runtime, options);
  }
}

/** Where packed weights are kept, and what they have to be made of; without a key nothing tells, and they are packed anew. */
interface Packed {
  readonly file: string;
  readonly key: string | undefined;
  /** In the cache, which a load does without where it has to. The caller's own file must be as it should be. */
  readonly cached: boolean;
}

/**
 * Loads a model so that sessions can run it.
 *
 * The first load of a file compiles it and packs its weights into the cache; later loads, also of other processes, map the packed file. A
 * cache that is damaged or cannot be written costs time, and a warning of the process that names the file.
 * @throws {EngineError} E_NOT_FOUND, E_PARSE, E_MODEL, E_LIMIT, E_PATH what is wrong with the file; E_UNSUPPORTED all that cannot run; E_ISA no native binary;
 * E_USAGE a pattern switch that names no pass, a sparse policy that does not exist, or a rounding asked of a model that is compiled already; E_PATH, E_IR_MISMATCH, E_CANTCREAT, E_SPACE, E_IO
 * what is wrong with `packedFile`.
 */
export async function load(source: ModelSource, options: LoadOptions = {}): Promise<LoadedModel> {
  const located = locate(source);
  checkRounding(located, options);
  checkPolicy(options.sparse, options.sparseThreshold);
  const packed = packedOf(located, options);
  const warm = packed?.key === undefined ? null : await openPacked(packed, packed.key, located, options);
  if (packed && warm) return new LoadedModel(warm, located, options, true, packed.file);
  const content: Located = located.kind === 'onnx-file' ? { kind: 'onnx', model: await readModel(located.file) } : located;
  // Before any external data is read, which is refused where it has changed since the model was.
  const files = content.kind === 'onnx' ? content.model.externalFiles : [];
  const origin = packed?.key === undefined ? undefined : originOf(packed.key, folderOf(located), files);
  const model = await Model.fromGraph(await compileLocated(content, options), {
    ...options,
    ...(packed ? { packedFile: packed.file } : {}),
    ...(origin === undefined ? {} : { packedOrigin: origin }),
    // A folder of the caller's own is left alone.
    ...(packed?.cached
      ? { packedFolderBytes: options.packedFolderBytes ?? cacheLimit(), onPackedFailure: warnUnwritable(packed.file) }
      : {}),
  });
  return new LoadedModel(model, located, options, false, packed?.file);
}

/** The weights packed by an earlier load; null where there are none of these files and options. */
async function openPacked({ file, cached }: Packed, key: string, located: Located, options: LoadOptions): Promise<Model | null> {
  const { copyWeights = false, verify = false } = options;
  try {
    return await Model.fromPacked(file, { copyWeights, verify, accepts: (origin) => isFrom(origin, key, folderOf(located)) });
  } catch (error) {
    if (!EngineError.isInstance(error) || error.code === 'E_ISA') throw error;
    const message = `the packed weights in "${file}" cannot be used: ${error.message}`;
    if (!cached) throw new EngineError(error.code, 'load', `${message}; remove the file, or name another`, { where: file, cause: error });
    warn(file, error.code, `${message}; they are packed again`);
    return null;
  }
}

const warnUnwritable =
  (file: string) =>
  ({ code, message }: EngineError): void =>
    warn(file, code, `${message}; every load packs them again, unless NE_CACHE_DIR names another folder`);

const warned = new Set<string>();

/** Warns once of each file. */
function warn(file: string, code: string, message: string): void {
  if (warned.has(file)) return;
  warned.add(file);
  process.emitWarning(message, { type: 'NeuralEngineWarning', code });
}

const folderOf = (located: Located): string => ('directory' in located ? located.directory : '.');

function packedOf(located: Located, options: LoadOptions): Packed | undefined {
  const directory = options.cache === false || options.packedFile !== undefined ? undefined : (options.cache ?? cacheDirectory());
  const files = located.kind === 'onnx-file' ? [located.file] : located.kind === 'ir' ? [located.config, located.weights] : undefined;
  if (options.packedFile === undefined && (directory === undefined || files === undefined)) return undefined;
  const variant = JSON.stringify([options.patternSwitch ?? {}, options.rounding ?? 'fused']);
  const key = files && packedKey(files, { ...options, variant });
  if (options.packedFile !== undefined) return { file: options.packedFile, key, cached: false };
  return { file: cachedFile(key!, directory!), key, cached: true };
}
