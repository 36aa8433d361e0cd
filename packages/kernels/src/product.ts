import { EngineError } from '@neural-engine/core';
import { calling } from './errors';
import type { NativeMatrix } from './generated/binding';
import { native } from './load';
import type { PackSparseOptions, ProductOptions } from './types';

/** An s8 weight `[M, K]`, packed for integer products with u8 activations. */
export class PackedMatrix {
  /** Use {@link packSparse} or {@link packDense}. */
  constructor(
    /** For {@link spmm} and {@link gemm} only. */
    readonly native: NativeMatrix,
  ) {}

  /** Outputs. */
  get m(): number {
    return this.native.m;
  }

  /** Inputs. */
  get k(): number {
    return this.native.k;
  }

  /** Whether only blocks that hold a non-zero are stored. */
  get sparse(): boolean {
    return this.native.sparse;
  }

  /** Share of the M·K weights that is stored and multiplied, padding included. */
  get density(): number {
    return this.native.density;
  }

  get sizeBytes(): number {
    return this.native.sizeBytes;
  }
}

/** The array type of each kind of result. */
interface Outputs {
  f32: Float32Array;
  s32: Int32Array;
  u8: Uint8Array;
}

/**
 * Packs the 4x1 blocks (4 outputs × 1 input) of a weight that hold anything but zeros.
 *
 * @param weight  s8 [M, K], outputs first; M is a multiple of 4.
 * @throws {EngineError} E_USAGE the shape or type does not fit; E_ISA no native library.
 */
export function packSparse(weight: Int8Array, options: PackSparseOptions): PackedMatrix {
  if (options.block !== '4x1') throw new EngineError('E_USAGE', 'usage', `block: expected "4x1", got ${JSON.stringify(options.block)}`);
  return pack(weight, options.m, options.k, true);
}

/**
 * Packs all of a weight.
 *
 * @param weight  s8 [M, K], outputs first.
 * @throws {EngineError} E_USAGE the shape or type does not fit; E_ISA no native library.
 */
export function packDense(weight: Int8Array, options: { readonly m: number; readonly k: number }): PackedMatrix {
  return pack(weight, options.m, options.k, false);
}

/**
 * The sparse product y = epilogue(W · x), on the calling thread.
 *
 * @param packed  W, s8 [M, K], from {@link packSparse}.
 * @param x       u8 [K, N], row-major.
 * @returns       [M, N] in the type that `options.out` names: `options.dst` or a fresh array.
 * @throws {EngineError} E_USAGE lengths or types do not fit, or `dst` shares memory with an operand.
 */
export function spmm<O extends ProductOptions>(packed: PackedMatrix, x: Uint8Array, options: O): Outputs[O['out']] {
  if (!packed.sparse) throw new EngineError('E_USAGE', 'usage', 'spmm: the weight is dense, use gemm');
  return multiply(packed, x, options);
}

/**
 * The dense product y = epilogue(W · x), on the calling thread. As {@link spmm}, for a weight from {@link packDense}.
 *
 * @throws {EngineError} as {@link spmm}.
 */
export function gemm<O extends ProductOptions>(packed: PackedMatrix, x: Uint8Array, options: O): Outputs[O['out']] {
  if (packed.sparse) throw new EngineError('E_USAGE', 'usage', 'gemm: the weight is sparse, use spmm');
  return multiply(packed, x, options);
}

function count(name: string, value: number): number {
  if (Number.isSafeInteger(value) && value >= 0 && value < 2 ** 31) return value;
  throw new EngineError('E_USAGE', 'usage', `${name}: expected a whole number, got ${value}`, { where: name });
}

function pack(weight: Int8Array, m: number, k: number, sparse: boolean): PackedMatrix {
  return new PackedMatrix(calling('load', () => native().packMatrix(weight, count('m', m), count('k', k), sparse)));
}

function multiply<O extends ProductOptions>(packed: PackedMatrix, x: Uint8Array, options: O): Outputs[O['out']] {
  const { m } = packed;
  const { out, scale = 1, zero = 0 } = options;
  const n = count('n', options.n);
  if (out === 's32' && (options.scale !== undefined || options.bias !== undefined || options.zero !== undefined)) {
    throw new EngineError('E_USAGE', 'usage', 's32 results are plain sums: scale, bias and zero do not apply');
  }
  if (out === 'f32' && options.zero !== undefined) throw new EngineError('E_USAGE', 'usage', 'f32 results have no zero point');
  const dst = options.dst ?? fresh(out, m * n);
  if (!(dst instanceof fresh(out, 0).constructor)) {
    throw new EngineError('E_USAGE', 'usage', `dst: expected ${fresh(out, 0).constructor.name} for ${out}, got ${dst.constructor.name}`);
  }
  const scales = typeof scale === 'number' ? new Float32Array(m).fill(scale) : scale;
  const bias = options.bias ?? new Float32Array(m);
  const shifted = zero === 0 ? bias : bias.map((value) => value + zero);
  calling('run', () => native().multiply(packed.native, x, n, scales, shifted, dst));
  return dst as Outputs[O['out']];
}

function fresh(out: ProductOptions['out'], length: number): Float32Array | Int32Array | Uint8Array {
  switch (out) {
    case 'f32':
      return new Float32Array(length);
    case 's32':
      return new Int32Array(length);
    case 'u8':
      return new Uint8Array(length);
    default:
      throw new EngineError('E_USAGE', 'usage', `out: expected "f32", "s32" or "u8", got ${JSON.stringify(out)}`);
  }
}
