import { isFloat } from '@neural-engine/core';
import type { Rule, Rules } from './rule';

const reduce = (name: string): Rule => ({
  lower(b) {
    const x = b.x(0);
    const rank = x.dims.length;
    const named = b.optional(1) ? b.integers(1) : [];
    const none = named.length === 0 && b.number('noop_with_empty_axes') === 1;
    const axes = named.length > 0 ? named.map((axis) => (axis < 0 ? axis + rank : axis)) : none ? [] : x.dims.map((_, i) => i);
    // Over one element these functions change nothing.
    const idle = ['sum', 'mean', 'prod', 'max', 'min'].includes(name) && axes.every((axis) => x.dims[axis] === 1);
    const dtype = name === 'log_sum_exp' && !isFloat(x.dtype) ? 'f64' : x.dtype;
    if (idle) b.view(x);
    else b.castInto(b.y, dtype, (y) => b.step('reduce', [b.cast(x, dtype)], [y], { function: name, axes }));
  },
});

const arg = (name: string): Rule => ({
  lower(b) {
    b.step('arg', [b.x(0)], [b.y], { function: name, axis: b.axis(b.x(0).dims.length), last: b.number('select_last_index') === 1 });
  },
});

const cumSum: Rule = {
  lower(b) {
    const rank = b.x(0).dims.length;
    const axis = b.integers(1)[0]!;
    if (axis < -rank || axis >= rank) b.fail('E_MODEL', `axis ${axis} is outside [${-rank}, ${rank - 1}]`);
    b.step('cumsum', [b.x(0)], [b.y], {
      axis: axis < 0 ? axis + rank : axis,
      exclusive: b.number('exclusive') === 1,
      reverse: b.number('reverse') === 1,
    });
  },
};

const topK: Rule = {
  lower(b) {
    const shape = (b.maybeY(0) ?? b.maybeY(1))?.dims ?? b.fail('E_MODEL', 'no output has a name');
    b.step('topk', [b.x(0)], [b.yOr(0, b.x(0).dtype, shape), b.yOr(1, 's64', shape)], {
      axis: b.axis(shape.length),
      largest: b.number('largest') === 1,
    });
  },
};

const softmax = (name: string): Rule => ({
  lower(b) {
    b.step('softmax', [b.x(0)], [b.y], { function: name, axis: b.axis(b.x(0).dims.length) });
  },
});

/** Operators along axes. */
export const REDUCTION: Rules = {
  ReduceSum: reduce('sum'),
  ReduceMean: reduce('mean'),
  ReduceProd: reduce('prod'),
  ReduceMax: reduce('max'),
  ReduceMin: reduce('min'),
  ReduceL1: reduce('l1'),
  ReduceL2: reduce('l2'),
  ReduceSumSquare: reduce('sum_square'),
  ReduceLogSum: reduce('log_sum'),
  ReduceLogSumExp: reduce('log_sum_exp'),
  ArgMax: arg('max'),
  ArgMin: arg('min'),
  CumSum: cumSum,
  TopK: topK,
  Softmax: softmax('softmax'),
  LogSoftmax: softmax('log_softmax'),
  Hardmax: softmax('hardmax'),
};
