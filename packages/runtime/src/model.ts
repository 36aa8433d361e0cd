import { EngineError } from '@neural-engine/core';
import type { Graph } from '@neural-engine/ir';
import type { WeightSet, WeightSpec } from '@neural-engine/kernels';
import type { DecideOptions, SparsePolicy } from '@neural-engine/sparsity';
import type { Port } from './feeds';
import { kernels } from './kernels';
import { prepare } from './prepare/prepare';
import type { KernelChoice, Prepared } from './prepare/prepared';
import { deserializePrepared, serializePrepared } from './prepare/serialize';
import { type Tuning, timeFormats, tuningOf } from './prepare/time-formats';
import { Session, type SessionOptions } from './session';

export interface ModelOptions {
  /** When weights run on the sparse kernels. Default `auto`. */
  readonly sparse?: SparsePolicy;
  /** Zero ratio for the policy `threshold`. Default 0.7. */
  readonly sparseThreshold?: number;
  /**
   * Whether 8-bit forms of a weight between which the cost model sees a tie are measured, tens of milliseconds a shape; they all give the same
   * bits. `off` chooses the same each time. Default: `NE_TUNE`, else `on`. What was chosen stays with the packed weights.
   */
  readonly tune?: Tuning;
  /** How embedding tables are packed: `int8`, one scale a row, makes them a quarter of the size and rounds them. Default `f32`. */
  readonly embeddings?: 'f32' | 'int8';
  /** Packed weights are kept in this file and shared with every process that opens it; without it they stay in memory. */
  readonly packedFile?: string;
  /** What the weights are made of, in the caller's words: kept in the packed file, for {@link FromPackedOptions.accepts}. */
  readonly packedOrigin?: string;
  /** Told why the packed file cannot be written; the weights then stay in memory. Without it that is an error. */
  readonly onPackedFailure?: (error: EngineError) => void;
  /** After packing, the longest unused packed files of that folder go until all together have no more bytes. Default: all stay. */
  readonly packedFolderBytes?: number;
  /** Keep a private copy of the packed weights instead of mapping their file. */
  readonly copyWeights?: boolean;
}

export interface FromPackedOptions extends Pick<ModelOptions, 'copyWeights'> {
  /** Whether the file is wanted, by what it was made of; default: any is. */
  readonly accepts?: (origin: string) => boolean;
  /** Compare the weights with their checksum, which reads all of them. Default: only what kernels rely on is checked. */
  readonly verify?: boolean;
}

const decideOptions = (options: ModelOptions): DecideOptions => ({
  ...(options.sparse ? { policy: options.sparse } : {}),
  ...(options.sparseThreshold === undefined ? {} : { threshold: options.sparseThreshold }),
});

/** What a file system says to a file that cannot be written. */
const UNWRITABLE = ['E_CANTCREAT', 'E_SPACE', 'E_IO', 'E_PATH'];

function packed(weights: readonly WeightSpec[], meta: string, options: ModelOptions): WeightSet {
  const { packedFile, packedFolderBytes, copyWeights, onPackedFailure } = options;
  if (!packedFile) return kernels().packWeights(weights, { meta });
  try {
    return kernels().packWeights(weights, {
      meta,
      file: packedFile,
      ...(packedFolderBytes === undefined ? {} : { cacheBytes: packedFolderBytes }),
      ...(copyWeights ? { copyWeights: true } : {}),
    });
  } catch (error) {
    if (!EngineError.isInstance(error) || !UNWRITABLE.includes(error.code)) throw error;
    const message = `packed weights cannot be kept in "${packedFile}": ${error.message}`;
    const failure = new EngineError(error.code, 'load', message, { where: packedFile, cause: error });
    if (!onPackedFailure) throw failure;
    onPackedFailure(failure);
    return kernels().packWeights(weights, { meta });
  }
}

/** A model ready to run: immutable, its packed weights shared by all of its sessions. */
export class Model {
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];

  private constructor(
    /** What preparing decided; shapes come later. */
    readonly prepared: Prepared,
    readonly weights: WeightSet,
  ) {
    const port = (name: string): Port => {
      const { dtype, shape } = prepared.graph.value(name);
      return { name, dtype, shape: shape ?? [] };
    };
    this.inputs = prepared.graph.inputs.map(port);
    this.outputs = prepared.graph.outputs.map(port);
  }

  /**
   * Chooses kernels for a graph and packs its weights.
   *
   * @throws {EngineError} E_UNSUPPORTED what no kernel can do, named; E_QUANT inconsistent quantisation; E_ISA no native binary.
   */
  static async fromGraph(graph: Graph, options: ModelOptions = {}): Promise<Model> {
    const { prepared, weights } = prepare(graph, {
      sparse: decideOptions(options),
      ...(options.embeddings ? { embeddings: options.embeddings } : {}),
      ...(tuningOf(options.tune) === 'on' ? { time: timeFormats } : {}),
    });
    return new Model(prepared, packed(weights, serializePrepared(prepared, options.packedOrigin), options));
  }

  /**
   * Opens weights packed earlier, without the graph they came from; null when the file is absent, stale, of another version or not accepted.
   *
   * @throws {EngineError} E_PATH the file is not this user's own regular file; E_IR_MISMATCH, E_SPARSE its content is damaged; E_IO.
   */
  static async fromPacked(file: string, options: FromPackedOptions = {}): Promise<Model | null> {
    const { copyWeights = false, verify = false, accepts = () => true } = options;
    const weights = kernels().openWeights(file, { copyWeights, verify });
    if (!weights) return null;
    let stored: ReturnType<typeof deserializePrepared>;
    try {
      stored = deserializePrepared(weights.meta);
    } catch {
      return null;
    }
    return accepts(stored.origin) ? new Model(stored.prepared, weights) : null;
  }

  /** Which kernel each weight got, and why. */
  get kernels(): readonly KernelChoice[] {
    const { kernels: names, entries } = this.weights;
    return this.prepared.choices.map((choice) => ({
      ...choice,
      kernel: names[choice.entry]!,
      sizeBytes: entries[choice.entry]!.sizeBytes,
    }));
  }

  /** Makes a session: memory and threads of its own over the shared weights. */
  async session(options: SessionOptions = {}): Promise<Session> {
    return new Session(this, options);
  }
}
