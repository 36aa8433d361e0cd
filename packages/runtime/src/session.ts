import { allocate, type Dims, EngineError, elementCount, type Tensor, type TypedArray } from '@neural-engine/core';
import { inferShapes, shapeDataInputs } from '@neural-engine/ir';
import type { NativeSession, Program, RunProfile } from '@neural-engine/kernels';
import { bindFeeds, type Feeds } from './feeds';
import { kernels } from './kernels';
import type { Model } from './model';
import type { ConcreteValue } from './plan/concrete';
import { planLayers } from './plan/plan';

export interface SessionOptions {
  /** Threads that compute; default: the physical cores within cpuset and cgroup quota. */
  readonly threads?: number;
  /** Logical CPUs to pin the threads to, one each. */
  readonly cores?: readonly number[];
  /** NUMA node that activations lie on. */
  readonly node?: number;
  /** Ask for huge pages for activations. Default true. */
  readonly hugePages?: boolean;
  /** Plans kept for further runs with the same input shapes. Default 32. */
  readonly planCache?: number;
}

export interface RunOptions {
  /** Ends the run between two regions, or takes it out of the queue; the promise rejects with E_ABORTED. */
  readonly signal?: AbortSignal;
  /** Where to put outputs; each must have exactly the output's length and dtype. Others are fresh. */
  readonly outputs?: Readonly<Record<string, TypedArray>>;
  /** Values inside the model to return beside the outputs. */
  readonly taps?: readonly string[];
}

/** A run and where its time went. */
export interface Profiled {
  readonly outputs: Record<string, Tensor>;
  readonly profile: RunProfile;
  readonly program: Program;
  /** The model's node that each step of the program belongs to, `[region][step]`. */
  readonly layers: readonly (readonly string[])[];
}

/** A plan: a native program for one set of input shapes. */
interface Planned {
  readonly program: Program;
  readonly layers: readonly (readonly string[])[];
  readonly outputs: readonly { name: string; dtype: Tensor['dtype']; dims: Dims }[];
}

/**
 * Runs a model. Any number of runs may be queued; each is computed off the main thread, in order, by this session's threads.
 *
 * Close it when done; closing waits for queued runs.
 */
export class Session implements AsyncDisposable {
  private readonly native: NativeSession;
  private readonly plans = new Map<string, Planned>();
  private readonly limit: number;
  private readonly pending = new Set<Promise<unknown>>();
  private closed = false;
  /** Positions of inputs whose elements decide shapes. */
  private readonly shapeData: ReadonlySet<number>;

  constructor(
    readonly model: Model,
    options: SessionOptions = {},
  ) {
    this.limit = options.planCache ?? 32;
    const { graph } = model.prepared;
    this.shapeData = new Set(shapeDataInputs(graph).map((name) => graph.inputs.indexOf(name)));
    this.native = new (kernels().NativeSession)({
      ...(options.threads === undefined ? {} : { threads: options.threads }),
      ...(options.cores === undefined ? {} : { cores: options.cores }),
      ...(options.node === undefined ? {} : { node: options.node }),
      ...(options.hugePages === undefined ? {} : { hugePages: options.hugePages }),
    });
  }

  /** Threads that compute, after what the system granted. */
  get threads(): number {
    return this.native.threads;
  }

  /** The NUMA node that activations lie on: the one asked for, unless the system refused. */
  get node(): number | undefined {
    return this.native.node;
  }

  /**
   * Computes the outputs for `feeds`.
   *
   * @returns a tensor for each output (and tap), row-major; positions that the mask hides hold zeros or values without meaning.
   * @throws {EngineError} E_REQUEST feeds that contradict the model, sequences beyond its positions, token ids beyond the vocabulary, outputs and taps that there are not; E_LIMIT shapes too large; E_ABORTED; E_USAGE the session is closed.
   */
  async run(feeds: Feeds, options: RunOptions = {}): Promise<Record<string, Tensor>> {
    const { outputs } = await this.execute(feeds, options, false);
    return outputs;
  }

  /** As {@link run}, and where the time went. Measuring costs a few per cent. */
  async profile(feeds: Feeds, options: RunOptions = {}): Promise<Profiled> {
    const { outputs, profile, program, layers } = await this.execute(feeds, options, true);
    return { outputs, profile: profile!, program, layers };
  }

  /** Makes the program for these feeds without running it: what the first run with new shapes does. */
  plan(feeds: Feeds, taps: readonly string[] = []): Program {
    return this.planFor(bindFeeds(this.model.inputs, feeds), taps).program;
  }

  async close(): Promise<void> {
    this.closed = true;
    await Promise.allSettled([...this.pending]);
    this.plans.clear();
    this.native.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  private async execute(feeds: Feeds, options: RunOptions, measure: boolean) {
    if (this.closed) throw new EngineError('E_USAGE', 'run', 'the session is closed');
    if (options.signal?.aborted)
      throw new EngineError('E_ABORTED', 'run', 'aborted before the run began', { cause: options.signal.reason });
    const inputs = bindFeeds(this.model.inputs, feeds);
    const { program, layers, outputs: ports } = this.planFor(inputs, options.taps ?? []);
    for (const name of Object.keys(options.outputs ?? {}))
      if (!ports.some((port) => port.name === name)) throw unknown(`output "${name}": the run has none; it has`, ports, name);
    const results = ports.map(({ name, dtype, dims }): Tensor => {
      const length = elementCount(dims, name, 'plan');
      const given = options.outputs?.[name];
      const data = given ?? allocate(dtype, length, `output "${name}"`);
      if (given && (given.length !== length || given.constructor !== allocate(dtype, 0).constructor)) {
        throw new EngineError(
          'E_REQUEST',
          'run',
          `output "${name}": expected ${length} elements of ${dtype}, got ${given.length} in ${given.constructor.name}`,
          { where: name },
        );
      }
      return { dtype, dims, data };
    });
    const running = this.native.run(
      program,
      inputs.map((tensor) => tensor.data),
      results.map((tensor) => tensor.data),
      { ...(options.signal ? { signal: options.signal } : {}), ...(measure ? { profile: true } : {}) },
    );
    this.pending.add(running);
    try {
      const profile = await running;
      return {
        outputs: Object.fromEntries(ports.map(({ name }, i) => [name, results[i]!])),
        profile: profile ?? undefined,
        program,
        layers,
      };
    } finally {
      this.pending.delete(running);
    }
  }

  private planFor(inputs: readonly Tensor[], taps: readonly string[]): Planned {
    const whole = this.masksFirst(inputs);
    const key = `${whole ? 'whole|' : ''}${inputs.map((tensor, i) => tensor.dims.join('x') + (this.shapeData.has(i) ? `=${tensor.data.join()}` : '')).join(';')}|${taps.join('|')}`;
    const found = this.plans.get(key);
    if (found) {
      // Most recently used last.
      this.plans.delete(key);
      this.plans.set(key, found);
      return found;
    }
    const { prepared } = this.model;
    const values = this.infer(inputs);
    const computed = new Set([...prepared.graph.inputs, ...prepared.nodes.flatMap(({ writes }) => writes)]);
    for (const tap of taps)
      if (!computed.has(tap) && !values.get(tap)?.constant)
        throw unknown(
          `tap "${tap}": no step of the model computes it; they compute`,
          [...computed].map((name) => ({ name })),
          tap,
        );
    const { program: spec, layers } = planLayers(prepared, values, { threads: this.threads, taps, whole });
    const planned: Planned = {
      program: new (kernels().Program)(spec, this.model.weights),
      layers,
      outputs: spec.outputs.map(({ name, dtype, dims }) => ({ name, dtype, dims })),
    };
    this.plans.set(key, planned);
    if (this.plans.size > this.limit) this.plans.delete(this.plans.keys().next().value!);
    return planned;
  }

  /** Whether a first token that the model reads is masked. */
  private masksFirst(inputs: readonly Tensor[]): boolean {
    const { graph, components } = this.model.prepared;
    return components.some(({ pack, readsFirst, mask }) => {
      const tensor = pack && readsFirst ? inputs[graph.inputs.indexOf(mask!)] : undefined;
      const [rows, length] = (tensor?.dims ?? [0, 0]) as [number, number];
      for (let row = 0; length > 0 && row < rows; row++) if (Number(tensor!.data[row * length]) === 0) return true;
      return false;
    });
  }

  private infer(inputs: readonly Tensor[]): ReadonlyMap<string, ConcreteValue> {
    const { graph, tensors } = this.model.prepared;
    const known = new Map([...this.shapeData].map((i) => [graph.inputs[i]!, inputs[i]!]));
    const bindings = Object.fromEntries(graph.inputs.map((name, i) => [name, inputs[i]!.dims]));
    const values = new Map<string, ConcreteValue>(asRequest(() => inferShapes(graph, bindings, known)));
    // Constants too large for shape arithmetic lie with the weights; the graph still knows their dims.
    for (const name of tensors.keys()) {
      const { dtype, shape } = graph.value(name);
      if (!values.has(name)) values.set(name, { name, dtype, dims: shape as Dims });
    }
    return values;
  }
}

/** Shapes fitted over symbols when the model was loaded: where they do not now, the dims of the feeds are to blame. */
function asRequest<Result>(infer: () => Result): Result {
  try {
    return infer();
  } catch (error) {
    if (!EngineError.isInstance(error) || error.code !== 'E_SHAPE') throw error;
    const { message, where } = error;
    throw new EngineError('E_REQUEST', 'run', message, { ...(where === undefined ? {} : { where }), cause: error });
  }
}

/** Names that a message lists; further ones are counted. */
const LISTED = 8;

function unknown(message: string, ports: readonly { name: string }[], where: string): EngineError {
  const names = ports.slice(0, LISTED).map(({ name }) => `"${name}"`);
  const more = ports.length > LISTED ? ` and ${ports.length - LISTED} more` : '';
  return new EngineError('E_REQUEST', 'run', `${message} ${names.join(', ')}${more}`, { where });
}
