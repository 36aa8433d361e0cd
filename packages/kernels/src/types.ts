import type { TypedArray } from '@neural-engine/core';
import type { ComputeDType, ProgramSpec } from './program-spec';

/**
 * How a linear weight is stored. `sparse4x1` keeps only blocks of 4 outputs × 1 input that hold a non-zero. `tiled` and `compressed4x1` are
 * the same two for AMX, s8 only; without it they give the same numbers, slowly.
 */
export type WeightFormat = 'dense' | 'sparse4x1' | 'tiled' | 'compressed4x1';

/** Which way round a source matrix lies: `mk` is `[M, K]` (outputs first), `km` is `[K, N = M]` (inputs first). */
export type WeightOrder = 'mk' | 'km';

/**
 * One entry of a weight set. Its index in the list is what a program's steps name.
 *
 * `tensor` entries are raw row-major constants (tables, biases, scales). `linear_f32` takes f32 [M, K], `linear_u8s8` takes s8 [M, K],
 * `linear_bf16` the bits of bf16 [M, K]; they are packed for the kernels. The data is read during packing only and may be released afterwards.
 */
export type WeightSpec =
  | { readonly kind: 'tensor'; readonly dtype: ComputeDType; readonly dims: readonly number[]; readonly data: TypedArray }
  | {
      readonly kind: 'linear_f32';
      readonly format: WeightFormat;
      readonly m: number;
      readonly k: number;
      readonly order: WeightOrder;
      readonly data: Float32Array;
    }
  | {
      readonly kind: 'linear_u8s8';
      readonly format: WeightFormat;
      readonly m: number;
      readonly k: number;
      readonly order: WeightOrder;
      readonly data: Int8Array;
    }
  | {
      readonly kind: 'linear_bf16';
      readonly format: WeightFormat;
      readonly m: number;
      readonly k: number;
      readonly order: WeightOrder;
      readonly data: Uint16Array;
    };

/** What is known of an entry after packing: `sizeBytes` is what it occupies. */
export type WeightEntry =
  | { readonly kind: 'tensor'; readonly dtype: ComputeDType; readonly dims: readonly number[]; readonly sizeBytes: number }
  | {
      readonly kind: 'linear_f32' | 'linear_u8s8' | 'linear_bf16';
      readonly format: WeightFormat;
      readonly m: number;
      readonly k: number;
      readonly sizeBytes: number;
    };

export interface PackOptions {
  /** Write the packed weights here and map the file (its folder is made with mode 0700). Without it the weights stay in memory. */
  readonly file?: string;
  /** Any text to keep with the weights, such as the lowered graph. */
  readonly meta?: string;
  /** Keep a private copy in memory rather than a shared mapping of the file. */
  readonly copyWeights?: boolean;
  /** After writing, remove the oldest packed files of the folder until all together hold at most this many bytes. */
  readonly cacheBytes?: number;
}

export interface OpenOptions {
  /** Keep a private copy in memory rather than a shared mapping of the file. */
  readonly copyWeights?: boolean;
  /** Also check the digest of all data, which reads the whole file. */
  readonly verify?: boolean;
}

export interface SessionOptions {
  /** Threads that compute. Default: `NE_NUM_THREADS`, else the physical cores this process may use, within cpuset and cgroup quota. */
  readonly threads?: number;
  /** Logical CPUs to pin the threads to, one each, in turn. Default: threads are not pinned. */
  readonly cores?: readonly number[];
  /** NUMA node that the session's memory comes from. Default: the system's choice. */
  readonly node?: number;
  /** Ask for huge pages for the session's memory. Default true. */
  readonly hugePages?: boolean;
}

export interface RunOptions {
  /** Measure every step. Costs a few per cent. */
  readonly profile?: boolean;
  /** Ends the run at the next region, or takes it out of the queue; the promise then rejects with E_ABORTED. */
  readonly signal?: AbortSignal;
}

/** Where a run's time went. All times in nanoseconds. */
export interface RunProfile {
  /** From the moment a pool thread took the run to its end. */
  readonly wallNs: number;
  /** From `run` to the moment a pool thread took it. */
  readonly queueNs: number;
  /** Rows or tokens that each space of the program had. */
  readonly spaceRows: readonly number[];
  readonly regions: readonly RegionProfile[];
}

export interface RegionProfile {
  /** Units that were run. */
  readonly units: number;
  /** `steps[step][thread]`: time of that thread in that step, over all its units. */
  readonly steps: readonly (readonly number[])[];
  /** `barrier[thread]`: time that thread waited for the others at the end. */
  readonly barrier: readonly number[];
}

/** One logical CPU and what it shares with others; the numbers only tell cores, sockets, nodes and caches apart. */
export interface Cpu {
  /** As in an affinity mask. */
  readonly number: number;
  /** Physical core. */
  readonly core: number;
  /** Socket. */
  readonly package: number;
  /** NUMA node. */
  readonly node: number;
  /** L3 cache. */
  readonly l3: number;
}

/** What this CPU and this process can do. */
export interface IsaReport {
  /** Highest tier that kernels use: `scalar`, `avx2`, `avx512_vnni` or `amx`; `NE_MAX_CPU_ISA` caps it. */
  readonly tier: string;
  /** Every tier this CPU runs, lowest first. */
  readonly tiers: readonly string[];
  /** Instruction sets found, of those that matter here. */
  readonly features: readonly string[];
  /** As the CPU names itself. */
  readonly cpu: string;
  /** Bytes per core of L1 data and L2, bytes per cluster of L3; 0 where unknown. */
  readonly caches: { readonly l1d: number; readonly l2: number; readonly l3: number };
  /** Logical CPUs in this process's affinity mask. */
  readonly allowedCpus: readonly number[];
  /** One logical CPU for each physical core in the mask. */
  readonly physicalCpus: readonly number[];
  /** Each logical CPU in the mask, ascending. */
  readonly cpus: readonly Cpu[];
  /** CPUs' worth of time the cgroup grants, or null without a quota. */
  readonly quota: number | null;
  /** Threads a session has unless told otherwise. */
  readonly defaultThreads: number;
}

/** A form of an s8 weight that this CPU has a kernel for. */
export interface LinearCandidate {
  readonly format: WeightFormat;
  /** As in `WeightSet.kernels`. */
  readonly kernel: string;
  /** Estimated cycles of one product with all panels; meant to be compared with each other only. */
  readonly cycles: number;
}

/** What `timeFormats` measures. */
export interface TimeOptions {
  /** Outputs. */
  readonly m: number;
  /** Inputs. */
  readonly k: number;
  readonly order: WeightOrder;
  readonly formats: readonly WeightFormat[];
  /** Panels of 64 tokens of one product, 1 to 4. */
  readonly panels: number;
}

/** The speed of one instruction on registers. */
export interface InstructionRate {
  /** As the assembler spells it, with its registers' width: `vpdpbusd zmm`, `vpmaddwd ymm` (with its additions), `tdpbusd tmm` (with its loads). */
  readonly instruction: string;
  /** 10⁹ multiply-adds a second on one core. */
  readonly gmacs: number;
}

export interface PackSparseOptions {
  readonly block: '4x1';
  /** Outputs: rows of the weight. */
  readonly m: number;
  /** Inputs: columns of the weight. */
  readonly k: number;
}

/**
 * Epilogue of a single integer product. f32: `y = acc · scale[m] + bias[m]`; u8: the same, plus `zero`, rounded to nearest even,
 * saturated to 0…255; s32: the plain sum, and `scale`, `bias` and `zero` must be absent.
 */
export interface ProductOptions {
  /** Columns of the activation `[K, N]`. */
  readonly n: number;
  readonly out: 'f32' | 's32' | 'u8';
  /** One number for all rows or one per row. Default 1. */
  readonly scale?: number | Float32Array;
  /** Per row. Default 0. */
  readonly bias?: Float32Array;
  /** For `u8`. Default 0. */
  readonly zero?: number;
  /** Where to put `[M, N]`; must not share memory with the activation. Default: a fresh array. */
  readonly dst?: Float32Array | Int32Array | Uint8Array;
}

/** The text of a program: an object, or JSON that was made before. */
export type ProgramSource = ProgramSpec | string;
