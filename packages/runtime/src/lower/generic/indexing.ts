import { type Tensor, zeros } from '@neural-engine/core';
import type { Rule, Rules } from './rule';

/** Kinds that index along the `axis` attribute. */
const alongAxis = (kind: string): Rule => ({
  lower(b) {
    b.step(kind, [b.x(0), b.x(1)], [b.y], { axis: b.axis(b.x(0).dims.length) });
  },
});

const gatherNd: Rule = {
  lower(b) {
    b.step('gather_nd', [b.x(0), b.x(1)], [b.y], { batch_dims: b.number('batch_dims') });
  },
};

/** Without updates there is nothing but the data. */
const scatterElements: Rule = {
  lower(b) {
    const reduction = b.text('reduction') ?? 'none';
    b.step('scatter_elements', [b.x(0), b.x(1), b.x(2)], [b.y], { axis: b.axis(b.x(0).dims.length), reduction });
  },
};

const scatterNd: Rule = {
  lower(b) {
    b.step('scatter_nd', [b.x(0), b.x(1), b.x(2)], [b.y], { reduction: b.text('reduction') });
  },
};

const oneHot: Rule = {
  lower(b) {
    b.step('one_hot', [b.x(0), b.x(2)], [b.y], { axis: b.axis(b.y.dims.length) });
  },
};

const trilu: Rule = {
  lower(b) {
    b.step('trilu', [b.x(0), b.optional(1)], [b.y], { upper: b.number('upper') === 1 });
  },
};

const eyeLike: Rule = {
  lower(b) {
    b.step('eye', [], [b.y], { k: b.number('k') });
  },
};

const constantOfShape: Rule = {
  lower(b) {
    const value = (b.attribute('value') as Tensor | undefined) ?? zeros('f32', [1]);
    b.copy(b.constant(value), { dims: b.y.dims, strides: b.y.dims.map(() => 0), offset: 0 }, b.y);
  },
};

const range: Rule = {
  lower(b) {
    b.step('range', [b.x(0), b.x(2)], [b.y]);
  },
};

/** Operators that choose, place or make elements by position. */
export const INDEXING: Rules = {
  Gather: alongAxis('gather'),
  GatherElements: alongAxis('gather_elements'),
  GatherND: gatherNd,
  ScatterElements: scatterElements,
  Scatter: scatterElements,
  ScatterND: scatterNd,
  OneHot: oneHot,
  Trilu: trilu,
  EyeLike: eyeLike,
  ConstantOfShape: constantOfShape,
  Range: range,
};
