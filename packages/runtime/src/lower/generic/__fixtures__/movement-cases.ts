import type { DType } from '@neural-engine/core';
import type { NodeCase } from './run-node';
import { literal, random } from './tensors';

/** One dtype of each width, and bool. */
const WIDTHS: readonly DType[] = ['u8', 'f16', 'f32', 's64', 'bool'];

const s64 = (...values: number[]) => literal('s64', values);
const x = (...dims: number[]) => random('f32', dims);

const transposes: readonly (readonly [number[], number[]])[] = [
  [
    [2, 3, 4],
    [2, 0, 1],
  ],
  [
    [2, 3, 4, 5],
    [0, 2, 1, 3],
  ],
  [
    [1, 3, 1, 4],
    [2, 1, 0, 3],
  ],
  [
    [0, 3],
    [1, 0],
  ],
  [
    [70, 65],
    [1, 0],
  ],
];

const slices: readonly (readonly [number[], number[], number[], number[], number[]?])[] = [
  [
    [5, 6],
    [1, 2],
    [4, -1],
    [0, 1],
    [2, 1],
  ],
  [[5, 6], [-1], [-100], [1], [-2]],
  [[5], [3], [2 ** 53], [0]],
  [[5], [7], [9], [0]],
  [[5], [4], [-(2 ** 53)], [-1], [-1]],
  [[3, 4], [1], [2], [0], [2 ** 53 - 1]],
  [[0, 4], [0], [3], [0]],
];

const pads: readonly (readonly [number[], number[], number[]?])[] = [
  [
    [2, 3],
    [1, 0, 0, 2],
  ],
  [[3], [-1, 2]],
  [[2, 4], [1, 1], [1]],
  [[2, 4], [1, 1], [-2]],
];

export const MOVEMENT_CASES: readonly NodeCase[] = [
  // Constants too large to stay with the graph, before and behind another operand, alone, and as results.
  { op: 'Concat', inputs: [x(9, 9), x(1, 9)], attributes: { axis: 0 }, constants: [0] },
  { op: 'Concat', inputs: [x(1, 9), x(9, 9)], attributes: { axis: 0 }, constants: [1] },
  { op: 'Transpose', inputs: [x(9, 9)], constants: [0] },
  { op: 'Identity', inputs: [x(9, 9)], constants: [0] },
  { op: 'Gather', inputs: [x(9, 9), literal('s64', [8, 0], [2])], constants: [0] },
  ...WIDTHS.map((dtype): NodeCase => ({ op: 'Transpose', inputs: [random(dtype, [3, 4])] })),
  ...transposes.map(([dims, perm]): NodeCase => ({ op: 'Transpose', inputs: [x(...dims)], attributes: { perm } })),
  ...slices.map(
    ([dims, starts, ends, axes, steps]): NodeCase => ({
      op: 'Slice',
      inputs: [x(...dims), s64(...starts), s64(...ends), s64(...axes), ...(steps ? [s64(...steps)] : [])],
    }),
  ),
  { op: 'Slice', inputs: [x(4, 4), s64(1, 2), s64(3, 4)] },
  { op: 'Reshape', inputs: [x(2, 6), s64(3, -1)] },
  { op: 'Reshape', inputs: [x(0, 6), s64(2, 0)], attributes: { allowzero: 1 } },
  { op: 'Flatten', inputs: [x(2, 3, 4)], attributes: { axis: 2 } },
  { op: 'Squeeze', inputs: [x(1, 3, 1), s64(0)] },
  { op: 'Unsqueeze', inputs: [x(3), s64(0, -1)] },
  { op: 'Shape', inputs: [x(3, 0, 2)], attributes: { start: 1 } },
  { op: 'Size', inputs: [x(3, 2)] },
  { op: 'Expand', inputs: [x(3, 1), s64(2, 1, 4)] },
  { op: 'Expand', inputs: [x(3), s64(1)] },
  { op: 'Tile', inputs: [x(2, 3), s64(2, 3)] },
  { op: 'Tile', inputs: [x(2, 3), s64(1, 1)] },
  { op: 'Tile', inputs: [x(0, 3), s64(4, 2)] },
  { op: 'Tile', inputs: [x(2, 3), s64(0, 2)] },
  { op: 'DepthToSpace', inputs: [x(1, 8, 2, 3)], attributes: { blocksize: 2 } },
  { op: 'DepthToSpace', inputs: [x(1, 8, 2, 3)], attributes: { blocksize: 2, mode: 'CRD' } },
  { op: 'SpaceToDepth', inputs: [x(1, 2, 4, 6)], attributes: { blocksize: 2 } },
  { op: 'Split', inputs: [x(7, 2)], attributes: { num_outputs: 3 }, outputs: 3 },
  { op: 'Split', inputs: [x(2, 6), s64(1, 0, 5)], attributes: { axis: -1 }, outputs: 3 },
  { op: 'Split', inputs: [x(4)], outputs: 1 },
  ...WIDTHS.map((dtype): NodeCase => ({ op: 'Concat', inputs: [random(dtype, [2, 3]), random(dtype, [2, 1])], attributes: { axis: -1 } })),
  { op: 'Concat', inputs: [x(0, 2), x(3, 2), x(0, 2)], attributes: { axis: 0 } },
  ...['constant', 'edge', 'reflect', 'wrap'].flatMap((mode) =>
    pads.map(
      ([dims, pad, axes]): NodeCase => ({
        op: 'Pad',
        inputs: [x(...dims), s64(...pad), literal('f32', [9], []), ...(axes ? [s64(...axes)] : [])],
        attributes: { mode },
      }),
    ),
  ),
  { op: 'Pad', inputs: [random('s64', [2]), s64(1, 1)] },
  { op: 'ReverseSequence', inputs: [x(4, 3, 2), s64(4, 1, 0)], attributes: { time_axis: 0, batch_axis: 1 } },
  { op: 'ReverseSequence', inputs: [x(2, 4), s64(3, 2)], attributes: { time_axis: 1, batch_axis: 0 } },
  { op: 'Gather', inputs: [x(4, 3), literal('s64', [3, -4, 0, 1], [2, 2])] },
  { op: 'Gather', inputs: [random('u8', [2, 5]), literal('s32', [-1], [])], attributes: { axis: 1 } },
  { op: 'GatherElements', inputs: [x(3, 3), literal('s64', [1, -1, 0, 2, 0, 0], [2, 3])], attributes: { axis: -2 } },
  { op: 'GatherND', inputs: [x(2, 3, 4), literal('s64', [0, 1, -1, 2], [2, 2])] },
  { op: 'GatherND', inputs: [x(2, 3, 4), literal('s64', [1, -1], [2, 1])], attributes: { batch_dims: 1 } },
  ...['none', 'add', 'mul', 'min', 'max'].flatMap((reduction): NodeCase[] => [
    {
      op: 'ScatterElements',
      inputs: [x(3, 3), literal('s64', [1, 0, 2, 0, -1, 1], [2, 3]), random('f32', [2, 3])],
      attributes: { axis: 0, reduction },
    },
    {
      op: 'ScatterND',
      inputs: [random('s32', [4, 2]), literal('s64', [1, -1, 1], [3, 1]), random('s32', [3, 2])],
      attributes: { reduction },
    },
  ]),
  { op: 'Scatter', inputs: [x(1, 5), literal('s64', [1, 3], [1, 2]), x(1, 2)], attributes: { axis: 1 } },
  { op: 'OneHot', inputs: [literal('s64', [0, -1, 7], [3]), literal('s64', [4], []), literal('f32', [0.5, 2])] },
  { op: 'OneHot', inputs: [literal('f32', [1, 2], [2]), literal('f32', [3], [1]), literal('s32', [0, 1])], attributes: { axis: 0 } },
  { op: 'Trilu', inputs: [x(2, 3, 4)] },
  { op: 'Trilu', inputs: [random('s64', [4, 3]), literal('s64', [-1], [])], attributes: { upper: 0 } },
  { op: 'EyeLike', inputs: [x(3, 4)], attributes: { k: -1, dtype: 's64' } },
  { op: 'ConstantOfShape', inputs: [s64(2, 3)], attributes: { value: literal('s8', [7]) } },
  // Too many elements to be made while planning.
  { op: 'ConstantOfShape', inputs: [s64(70, 70)] },
  { op: 'Range', inputs: [literal('s32', [10], []), literal('s32', [-5000], []), literal('s32', [-1], [])] },
  { op: 'Range', inputs: [literal('f32', [0.5], []), literal('f32', [3000], []), literal('f32', [0.5], [])] },
];
