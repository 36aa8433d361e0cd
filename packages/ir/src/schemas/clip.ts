import type { Tensor } from '@neural-engine/core';
import type { OpSchema } from '../schema';
import { fromNumbers, isBig, numbersOf } from './cells';
import { onnx, slots } from './define';
import { elementsOf, input, known, likeFirst } from './support';

const clip = onnx('Clip', {
  summary: 'Each element within [min, max].',
  inputs: slots('input: T=number', 'min?: T', 'max?: T'),
  outputs: slots('output: T'),
  infer: (context) => {
    for (const index of [1, 2]) {
      const shape = context.inputs[index]?.shape;
      if (shape?.some((dim) => typeof dim === 'number' && dim !== 1)) context.fail('E_SHAPE', `input ${index} must hold one element`);
    }
    return likeFirst(context);
  },
  evaluate: ([x, min, max]) => {
    if (isBig(x!.dtype)) {
      const [low, high] = [min?.data[0], max?.data[0]] as [bigint | undefined, bigint | undefined];
      const clipped = (x!.data as BigInt64Array).map((value) => {
        const raised = low !== undefined && value < low ? low : value;
        return high !== undefined && raised > high ? high : raised;
      });
      return [{ dtype: x!.dtype, dims: x!.dims, data: clipped }];
    }
    const low = min ? numbersOf(min)[0]! : Number.NEGATIVE_INFINITY;
    const high = max ? numbersOf(max)[0]! : Number.POSITIVE_INFINITY;
    // The upper bound wins where the two cross, as ONNX says; NaN stays NaN.
    return [
      fromNumbers(
        x!.dtype,
        x!.dims,
        Array.from(numbersOf(x!), (value) => Math.min(Math.max(value, low), high)),
      ),
    ];
  },
});

const dropout = onnx('Dropout', {
  summary: 'The input unchanged, with a mask of all true (inference form).',
  inputs: slots('data: T=float', 'ratio?: float', 'training_mode?: bool'),
  outputs: slots('output: T', 'mask?: bool'),
  attributes: { seed: { type: 'int' } },
  infer: (context) => {
    const training = elementsOf(context.inputs[2]);
    if (context.inputs[2] && training?.[0] !== 0) context.fail('E_UNSUPPORTED', 'training mode');
    const { dtype, shape } = input(context, 0);
    return [known(dtype, shape), known('bool', shape)].slice(0, context.outputCount);
  },
  evaluate: ([x], _, outputs) => {
    const mask: Tensor = { dtype: 'bool', dims: x!.dims, data: new Uint8Array(x!.data.length).fill(1) };
    return [x!, mask].slice(0, outputs.length);
  },
});

/** Bounds, and what is idle outside of training. */
export const CLIP_SCHEMAS: readonly OpSchema[] = [clip, dropout];
