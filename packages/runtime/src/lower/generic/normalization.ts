import type { ConcreteValue } from '../../plan/concrete';
import { type GenericBuilder, wideFloat } from './builder';
import type { Rule, Rules } from './rule';
import { broadcast, broadcastDims, contiguous, permuted, product } from './views';

/** A parameter with exactly the given dims. */
function spread(b: GenericBuilder, parameter: ConcreteValue | undefined, dims: readonly number[]): ConcreteValue | undefined {
  if (!parameter || product(parameter.dims) === product(dims)) return parameter;
  const y = b.temporary(parameter.dtype, dims);
  b.copy(parameter, broadcast(contiguous(parameter.dims), dims), y);
  return y;
}

interface Normalization {
  /** Consecutive elements that are normalised together. */
  readonly size: number;
  readonly epsilon: number;
  readonly centered?: boolean;
  readonly scale?: ConcreteValue | undefined;
  readonly bias?: ConcreteValue | undefined;
  /** Dims in which scale and bias broadcast to x. */
  readonly parameterDims: readonly number[];
  /** Mean and inverse deviation. */
  readonly statistics?: readonly ConcreteValue[];
}

/** One `normalize` step; operands of different floats are computed in the wider one. */
function normalize(b: GenericBuilder, x: ConcreteValue, y: ConcreteValue, options: Normalization): void {
  const { scale, bias, parameterDims, statistics = [] } = options;
  const mixed = [scale, bias].some((parameter) => parameter && parameter.dtype !== x.dtype) || y.dtype !== x.dtype;
  const dtype = mixed ? wideFloat(x, scale, bias) : x.dtype;
  const ready = (parameter: ConcreteValue | undefined) => parameter && b.cast(spread(b, parameter, parameterDims)!, dtype);
  b.castInto(y, dtype, (wide) =>
    b.step('normalize', [b.cast(x, dtype), ready(scale), ready(bias)], [wide, ...statistics], {
      size: options.size,
      epsilon: options.epsilon,
      centered: options.centered ?? true,
      parameter_dims: [...parameterDims],
    }),
  );
}

const layerNormalization: Rule = {
  lower(b) {
    const [x, scale, bias] = [b.x(0), b.x(1), b.optional(2)];
    const axis = b.axis(x.dims.length);
    const statistics = x.dims.map((dim, i) => (i < axis ? dim : 1));
    const wanted = b.maybeY(1) || b.maybeY(2);
    normalize(b, x, b.y, {
      size: product(x.dims.slice(axis)),
      epsilon: b.number('epsilon'),
      scale,
      bias,
      parameterDims: broadcastDims(scale.dims, bias?.dims ?? []),
      ...(wanted && { statistics: [b.yOr(1, 'f32', statistics), b.yOr(2, 'f32', statistics)] }),
    });
  },
};

const rmsNormalization: Rule = {
  lower(b) {
    const [x, scale] = [b.x(0), b.x(1)];
    const size = product(x.dims.slice(b.axis(x.dims.length)));
    normalize(b, x, b.y, { size, epsilon: b.number('epsilon'), centered: false, scale, parameterDims: scale.dims });
  },
};

/** Scale and bias of a channel (axis 1). */
const perChannel = (dims: readonly number[]): number[] => [dims[1]!, ...dims.slice(2).map(() => 1)];

const instanceNormalization: Rule = {
  lower(b) {
    const { dims } = b.x(0);
    normalize(b, b.x(0), b.y, {
      size: product(dims.slice(2)),
      epsilon: b.number('epsilon'),
      scale: b.x(1),
      bias: b.x(2),
      parameterDims: perChannel(dims),
    });
  },
};

const groupNormalization: Rule = {
  lower(b) {
    const { dims } = b.x(0);
    normalize(b, b.x(0), b.y, {
      size: product(dims.slice(1)) / b.number('num_groups'),
      epsilon: b.number('epsilon'),
      scale: b.x(1),
      bias: b.x(2),
      parameterDims: perChannel(dims),
    });
  },
};

const batchNormalization: Rule = {
  lower(b) {
    const operands = [0, 1, 2, 3, 4].map((i) => b.x(i));
    const mixed = operands.some(({ dtype }) => dtype !== b.y.dtype);
    const dtype = mixed ? wideFloat(...operands) : b.y.dtype;
    b.castInto(b.y, dtype, (y) =>
      b.step(
        'batch_norm',
        operands.map((operand) => b.cast(operand, dtype)),
        [y],
        { epsilon: b.number('epsilon') },
      ),
    );
  },
};

/** The axes are moved to the end, normalised, and moved back. (x − mean) / (σ + 1e-9): the square of that as epsilon does the same at σ = 0. */
const meanVarianceNormalization: Rule = {
  lower(b) {
    const { dtype, dims } = b.x(0);
    const axes = (b.attribute('axes') as readonly number[]).map((axis) => (axis < 0 ? axis + dims.length : axis));
    const kept = dims.map((_, i) => i).filter((i) => !axes.includes(i));
    const perm = [...kept, ...axes];
    const moved = permuted(contiguous(dims), perm);
    const [before, after] = [b.temporary(dtype, moved.dims), b.temporary(dtype, moved.dims)];
    b.copy(b.x(0), moved, before);
    normalize(b, before, after, { size: product(axes.map((axis) => dims[axis]!)), epsilon: 1e-18, parameterDims: [] });
    const back = dims.map((_, i) => perm.indexOf(i));
    b.copy(after, permuted(contiguous(moved.dims), back), b.y);
  },
};

const lpNormalization: Rule = {
  lower(b) {
    b.step('lp_norm', [b.x(0)], [b.y], { axis: b.axis(b.x(0).dims.length), p: b.number('p') });
  },
};

/** Normalisation. */
export const NORMALIZATION: Rules = {
  LayerNormalization: layerNormalization,
  RMSNormalization: rmsNormalization,
  InstanceNormalization: instanceNormalization,
  GroupNormalization: groupNormalization,
  BatchNormalization: batchNormalization,
  MeanVarianceNormalization: meanVarianceNormalization,
  LpNormalization: lpNormalization,
};
