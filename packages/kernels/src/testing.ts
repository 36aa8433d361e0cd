import { ABI } from './load';
import type { ProgramSpec, Region } from './program-spec';
import type { WeightSpec } from './types';

/** The smallest useful program, for tests: y = W·x + b for f32 rows, from_rows → linear → to_rows. */
export function linearProgram(rows: number, m: number, k: number): ProgramSpec {
  const panels = (features: number): number => Math.ceil(rows / 64) * features * 256;
  const units: Region['units'] = { panels: { space: 0, group: 1 } };
  return {
    abi: ABI,
    inputs: [{ name: 'x', dtype: 'f32', dims: [rows, k] }],
    outputs: [{ name: 'y', dtype: 'f32', dims: [rows, m] }],
    spaces: [{ kind: 'rows', count: rows }],
    buffers: [
      { place: { input: 0 }, dtype: 'f32', layout: { rows: [rows, k] } },
      { place: { arena: 0 }, dtype: 'f32', layout: { panels: { space: 0, features: k } } },
      { place: { arena: panels(k) }, dtype: 'f32', layout: { panels: { space: 0, features: m } } },
      { place: { output: 0 }, dtype: 'f32', layout: { rows: [rows, m] } },
    ],
    arena_bytes: panels(k) + panels(m),
    scratch_bytes: 0,
    regions: [
      { units, steps: [{ op: 'from_rows', x: 0, y: 1 }] },
      { units, steps: [{ op: 'linear', weight: 0, x: 1, y: 2, bias: 1 }] },
      { units, steps: [{ op: 'to_rows', x: 2, y: 3 }] },
    ],
  };
}

/** W `[m, k]` and b `[m]` of small whole numbers, so that every order of summation gives the same f32. */
export function linearWeights(m: number, k: number): { matrix: Float32Array; bias: Float32Array; specs: WeightSpec[] } {
  const matrix = Float32Array.from({ length: m * k }, (_, i) => (i % 7) - 3);
  const bias = Float32Array.from({ length: m }, (_, i) => i);
  const specs: WeightSpec[] = [
    { kind: 'linear_f32', format: 'dense', m, k, order: 'mk', data: matrix },
    { kind: 'tensor', dtype: 'f32', dims: [m], data: bias },
  ];
  return { matrix, bias, specs };
}

/** What {@link linearProgram} must compute. */
export function linearResult(x: Float32Array, matrix: Float32Array, bias: Float32Array): Float32Array {
  const m = bias.length;
  const k = matrix.length / m;
  return Float32Array.from({ length: (x.length / k) * m }, (_, i) => {
    let sum = bias[i % m]!;
    for (let j = 0; j < k; j++) sum += x[Math.floor(i / m) * k + j]! * matrix[(i % m) * k + j]!;
    return sum;
  });
}
