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
import { cacheLimit, packedFileFor } from './cache';
import { embeddingRows } from './embedding-rows';
import { type Located, locate, type ModelSource } from './source';

export interface LoadOptions extends ModelOptions, CompileOptions {
  /** Keep packed weights in this folder; false keeps them in memory only. Default: the user's cache folder. */
  readonly cache?: string | false;
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

/**
 * Loads a model so that sessions can run it.
 *
 * The first load of a file compiles it and packs its weights into the cache; later loads, also of other processes, map the packed file.
 * @throws {EngineError} E_NOT_FOUND, E_PARSE, E_MODEL, E_LIMIT, E_PATH what is wrong with the file; E_UNSUPPORTED all that cannot run; E_ISA no native binary;
 * E_USAGE a pattern switch that names no pass, or a rounding asked of a model that is compiled already.
 */
export async function load(source: ModelSource, options: LoadOptions = {}): Promise<LoadedModel> {
  const located = locate(source);
  checkRounding(located, options);
  const cached = options.packedFile === undefined ? packedFileOf(located, options) : undefined;
  const packedFile = options.packedFile ?? cached;
  if (packedFile) {
    const packed = await Model.fromPacked(packedFile, options);
    if (packed) return new LoadedModel(packed, located, options, true, packedFile);
  }
  const graph = await compileLocated(located, options);
  const model = await Model.fromGraph(graph, {
    ...options,
    ...(packedFile ? { packedFile } : {}),
    // A folder of the caller's own is left alone.
    ...(cached ? { packedFolderBytes: options.packedFolderBytes ?? cacheLimit() } : {}),
  });
  return new LoadedModel(model, located, options, false, packedFile);
}

function packedFileOf(located: Located, options: LoadOptions): string | undefined {
  if (options.cache === false) return undefined;
  const variant = JSON.stringify([options.patternSwitch ?? {}, options.rounding ?? 'fused']);
  const files = located.kind === 'onnx-file' ? [located.file] : located.kind === 'ir' ? [located.config, located.weights] : undefined;
  return files && packedFileFor(files, { ...options, variant }, options.cache);
}
