import type { TypedArray } from '@neural-engine/core';
import { calling } from './errors';
import type { NativeWeights } from './generated/binding';
import { native } from './load';
import type { OpenOptions, PackOptions, WeightEntry, WeightSpec } from './types';

/** Immutable packed weights, shared by any number of programs and sessions. */
export class WeightSet {
  /** What the entries are; a program names them by their index here. */
  readonly entries: readonly WeightEntry[];

  /** Use {@link packWeights} or {@link openWeights}. */
  constructor(
    /** For {@link Program} only. */
    readonly native: NativeWeights,
  ) {
    const table = JSON.parse(native.table) as { what: WeightEntry; bytes: number }[];
    this.entries = table.map(({ what, bytes }) => ({ ...what, sizeBytes: bytes }));
  }

  get length(): number {
    return this.entries.length;
  }

  /** Bytes of all packed weights. */
  get sizeBytes(): number {
    return this.native.sizeBytes;
  }

  /** Whether the weights are a mapping of their file that all processes share, rather than private memory. */
  get mapped(): boolean {
    return this.native.mapped;
  }

  /** The kernel that each entry runs on here, null for constants. */
  get kernels(): readonly (string | null)[] {
    return this.native.kernels.map((name) => name ?? null);
  }

  /** The text they were packed with. */
  get meta(): string {
    return this.native.meta;
  }
}

/**
 * Packs weights for the kernels: in memory, or into a file that is then opened.
 *
 * @throws {EngineError} E_USAGE a source does not hold what its spec says; E_SPARSE, E_LIMIT; E_CANTCREAT, E_SPACE, E_IO writing the file.
 */
export function packWeights(specs: readonly WeightSpec[], options: PackOptions = {}): WeightSet {
  // One source may serve several entries.
  const buffers: TypedArray[] = [];
  const numbers = new Map<TypedArray, number>();
  const described = specs.map(({ data, ...spec }) => {
    let buffer = numbers.get(data);
    if (buffer === undefined) {
      buffer = buffers.push(data) - 1;
      numbers.set(data, buffer);
    }
    return { ...spec, buffer };
  });
  return calling('load', () => new WeightSet(native().packWeights(JSON.stringify(described), buffers, options)));
}

/**
 * Opens weights that {@link packWeights} wrote; null when there is no such file, or one that was cut short or belongs to another version:
 * then they are to be packed again.
 *
 * @throws {EngineError} E_PATH the file is not this user's own regular file; E_IR_MISMATCH, E_SPARSE its content is damaged.
 */
export function openWeights(path: string, options: OpenOptions = {}): WeightSet | null {
  return calling('load', () => {
    const opened = native().openWeights(path, options);
    return opened ? new WeightSet(opened) : null;
  });
}
