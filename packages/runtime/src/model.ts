import type { Graph } from '@neural-engine/ir';
import type { WeightSet } from '@neural-engine/kernels';
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
  /** After packing, the longest unused packed files of that folder go until all together have no more bytes. Default: all stay. */
  readonly packedFolderBytes?: number;
  /** Keep a private copy of the packed weights instead of mapping their file. */
  readonly copyWeights?: boolean;
}

const decideOptions = (options: ModelOptions): DecideOptions => ({
  ...(options.sparse ? { policy: options.sparse } : {}),
  ...(options.sparseThreshold === undefined ? {} : { threshold: options.sparseThreshold }),
});

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
    const packed = kernels().packWeights(weights, {
      meta: serializePrepared(prepared),
      ...(options.packedFile ? { file: options.packedFile } : {}),
      ...(options.packedFolderBytes === undefined ? {} : { cacheBytes: options.packedFolderBytes }),
      ...(options.copyWeights ? { copyWeights: true } : {}),
    });
    return new Model(prepared, packed);
  }

  /** Opens weights packed earlier, without the graph they came from; null when the file is absent, stale or of another version. */
  static async fromPacked(file: string, options: ModelOptions = {}): Promise<Model | null> {
    const weights = kernels().openWeights(file, options.copyWeights ? { copyWeights: true } : {});
    if (!weights) return null;
    try {
      return new Model(deserializePrepared(weights.meta), weights);
    } catch {
      return null;
    }
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
