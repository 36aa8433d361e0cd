import { describe, expect, it } from 'vitest';
import { expectSameOutputs, expectUnchanged, type GraphBuilder, graphOf, opsOf, reasonsOf, run, runAll } from '../__fixtures__/build-graph';
import {
  absorbLayerNormBias,
  absorbLayerNormScale,
  fuseLayerNorm,
  fuseLayerNormFactored,
  lowerLayerNormalization,
  multiplyLayerNorm,
} from './fuse-layer-norm';
import { mergeDuplicates } from './merge-duplicates';

const ALL = [mergeDuplicates, fuseLayerNorm, fuseLayerNormFactored, lowerLayerNormalization, absorbLayerNormScale, absorbLayerNormBias];
const H = 8;

interface Parts {
  readonly x: string;
  readonly mean: string;
  readonly centred: string;
  readonly stable: string;
}

function parts(
  b: GraphBuilder,
  options: { axes?: number[]; square?: 'pow' | 'mul' | 'moments'; epsilon?: number | undefined } = {},
): Parts {
  const { axes = [-1], square = 'pow', epsilon = 1e-5 } = options;
  const x = b.input('x', 'f32', ['batch', 'seq', H]);
  const mean = b.op('ReduceMean', [x, b.ints(...axes)]);
  const centred = b.op('Sub', [x, mean]);
  const variance =
    square === 'moments'
      ? b.op('Sub', [b.op('ReduceMean', [b.op('Mul', [x, x]), b.ints(...axes)]), b.op('Mul', [mean, mean])])
      : b.op('ReduceMean', [square === 'pow' ? b.op('Pow', [centred, b.scalar(2)]) : b.op('Mul', [centred, centred]), b.ints(...axes)]);
  return {
    x,
    mean,
    centred,
    stable: 'epsilon' in options && epsilon === undefined ? variance : b.op('Add', [variance, b.scalar(epsilon)]),
  };
}

const affine = (b: GraphBuilder, norm: string): string => b.op('Add', [b.op('Mul', [norm, b.weight([H], 2)]), b.weight([H], 3)]);

const spellings: [string, (b: GraphBuilder) => string][] = [
  [
    'a power and a square root',
    (b) => {
      const p = parts(b);
      return affine(b, b.op('Div', [p.centred, b.op('Sqrt', [p.stable])]));
    },
  ],
  [
    'a product for the square',
    (b) => {
      const p = parts(b, { square: 'mul' });
      return affine(b, b.op('Div', [p.centred, b.op('Sqrt', [p.stable])]));
    },
  ],
  [
    'the variance by moments',
    (b) => {
      const p = parts(b, { square: 'moments' });
      return affine(b, b.op('Div', [p.centred, b.op('Sqrt', [p.stable])]));
    },
  ],
  [
    'the last axis by its number',
    (b) => {
      const p = parts(b, { axes: [2] });
      return affine(b, b.op('Div', [p.centred, b.op('Sqrt', [p.stable])]));
    },
  ],
  [
    'a root as a power of ½',
    (b) => {
      const p = parts(b);
      return affine(b, b.op('Div', [p.centred, b.op('Pow', [p.stable, b.scalar(0.5)])]));
    },
  ],
  [
    'a reciprocal',
    (b) => {
      const p = parts(b);
      return affine(b, b.op('Mul', [p.centred, b.op('Reciprocal', [b.op('Sqrt', [p.stable])])]));
    },
  ],
  [
    'a quotient of 1',
    (b) => {
      const p = parts(b);
      return affine(b, b.op('Mul', [b.op('Div', [b.scalar(1), b.op('Sqrt', [p.stable])]), p.centred]));
    },
  ],
  [
    'a power of −½',
    (b) => {
      const p = parts(b);
      return affine(b, b.op('Mul', [p.centred, b.op('Pow', [p.stable, b.scalar(-0.5)])]));
    },
  ],
  [
    'no epsilon',
    (b) => {
      const p = parts(b, { epsilon: undefined });
      return affine(b, b.op('Div', [p.centred, b.op('Sqrt', [p.stable])]));
    },
  ],
  [
    'two differences for one',
    (b) => {
      const p = parts(b);
      return affine(b, b.op('Div', [b.op('Sub', [p.x, p.mean]), b.op('Sqrt', [p.stable])]));
    },
  ],
  [
    'the factored form',
    (b) => {
      const p = parts(b, { square: 'mul' });
      const m = b.op('Mul', [b.op('Reciprocal', [b.op('Sqrt', [p.stable])]), b.weight([H], 2)]);
      return b.op('Add', [b.op('Mul', [p.x, m]), b.op('Sub', [b.weight([H], 3), b.op('Mul', [p.mean, m])])]);
    },
  ],
  [
    'the operator',
    (b) =>
      b.op('LayerNormalization', [b.input('x', 'f32', ['batch', 'seq', H]), b.weight([H], 2), b.weight([H], 3)], {
        axis: -1,
        epsilon: 1e-12,
      }),
  ],
  [
    'the operator with axis 2',
    (b) => b.op('LayerNormalization', [b.input('x', 'f32', ['batch', 'seq', H]), b.weight([H], 2), b.weight([H], 3)], { axis: 2 }),
  ],
  ['the operator without bias', (b) => b.op('LayerNormalization', [b.input('x', 'f32', ['batch', 'seq', H]), b.weight([H], 2)])],
  [
    'neither scale nor bias',
    (b) => {
      const p = parts(b);
      return b.op('Div', [p.centred, b.op('Sqrt', [p.stable])]);
    },
  ],
  [
    'a scale alone',
    (b) => {
      const p = parts(b);
      return b.op('Mul', [b.weight([H], 2), b.op('Div', [p.centred, b.op('Sqrt', [p.stable])])]);
    },
  ],
  [
    'a scale with leading ones',
    (b) => {
      const p = parts(b);
      return b.op('Mul', [b.op('Div', [p.centred, b.op('Sqrt', [p.stable])]), b.weight([1, 1, H], 2)]);
    },
  ],
  [
    'the factored form whose scale and bias have leading ones',
    (b) => {
      const p = parts(b);
      const m = b.op('Mul', [b.op('Reciprocal', [b.op('Sqrt', [p.stable])]), b.weight([1, 1, H], 2)]);
      return b.op('Add', [b.op('Mul', [p.x, m]), b.op('Sub', [b.weight([1, H], 3), b.op('Mul', [p.mean, m])])]);
    },
  ],
  [
    'the operator whose scale and bias have leading ones',
    (b) => b.op('LayerNormalization', [b.input('x', 'f32', ['batch', 'seq', H]), b.weight([1, H], 2), b.weight([1, 1, H], 3)]),
  ],
];

describe('layer normalisation', () => {
  it.each(spellings)('fuses %s', (_, build) => {
    const before = graphOf(build);
    const after = runAll(ALL, before);
    expect(opsOf(after)).toEqual(['LayerNorm']);
    expectSameOutputs(before, after, { maxAbs: 1e-4 });
  });

  it('takes epsilon from the graph', () => {
    const after = runAll(
      ALL,
      graphOf((b) => {
        const p = parts(b, { epsilon: 0.25 });
        return affine(b, b.op('Div', [p.centred, b.op('Sqrt', [p.stable])]));
      }),
    );
    expect(after.nodes[0]!.attributes).toEqual({ epsilon: 0.25 });
  });

  it('declines a mean over another axis', () => {
    const graph = graphOf((b) => {
      const p = parts(b, { axes: [1] });
      return b.op('Div', [p.centred, b.op('Sqrt', [p.stable])]);
    });
    expectUnchanged(fuseLayerNorm, graph);
    expect(reasonsOf(fuseLayerNorm, graph)).toEqual(['mean and variance are not over the last axis alone']);
  });

  it('declines an epsilon below 0, which the kernel refuses', () => {
    const graph = graphOf((b) => {
      const p = parts(b, { epsilon: -1e-5 });
      return b.op('Div', [p.centred, b.op('Sqrt', [p.stable])]);
    });
    expect(reasonsOf(fuseLayerNorm, graph)).toEqual([expect.stringMatching(/^epsilon is -/)]);
  });

  it('declines the operator over two axes', () => {
    const graph = graphOf((b) => b.op('LayerNormalization', [b.input('x', 'f32', ['batch', 3, H]), b.weight([3, H])], { axis: 1 }));
    expect(reasonsOf(lowerLayerNormalization, graph)).toEqual(['it normalises from axis 1, not the last']);
  });

  it('leaves the operator alone whose mean is read', () => {
    const graph = graphOf((b) => b.ops('LayerNormalization', [b.input('x', 'f32', [2, H]), b.weight([H])], {}, 2));
    expectUnchanged(lowerLayerNormalization, graph);
    expect(reasonsOf(lowerLayerNormalization, graph)[0]).toContain('is a graph output');
  });

  it('leaves the operator alone whose scale is computed and has leading ones', () => {
    const graph = graphOf((b) => b.op('LayerNormalization', [b.input('x', 'f32', ['batch', 'seq', H]), b.input('scale', 'f32', [1, H])]));
    expectUnchanged(lowerLayerNormalization, graph);
  });

  it('leaves a scale alone that gives the result an axis more', () => {
    const graph = graphOf((b) => {
      const p = parts(b);
      return b.op('Mul', [b.op('Div', [p.centred, b.op('Sqrt', [p.stable])]), b.weight([1, 1, 1, H], 2)]);
    });
    const after = runAll(ALL, graph);
    expect(opsOf(after)).toEqual(['LayerNorm', 'Mul']);
    expectSameOutputs(graph, after, { maxAbs: 1e-4 });
  });

  it('leaves a sum of two scaled norms as one operator each', () => {
    const graph = graphOf((b) => {
      const norm = b.op('LayerNorm', [b.input('x', 'f32', ['batch', H]), b.weight([H], 2), b.weight([H], 3)], { epsilon: 0 });
      return b.op('Mul', [norm, b.weight([H], 4)]);
    });
    expectUnchanged(absorbLayerNormScale, graph);
    expect(reasonsOf(absorbLayerNormScale, graph)).toEqual(['the LayerNorm has a scale or a bias already']);
  });

  const multiplied = (factors: number[]) => (b: GraphBuilder) => {
    const norm = b.op('LayerNorm', [b.input('x', 'f32', ['batch', H]), b.weight([H], 2), b.weight([H], 3)], { epsilon: 1e-5 });
    const product = b.op('Mul', [norm, b.constant({ dtype: 'f32', dims: [H], data: Float32Array.from(factors) })]);
    return b.op('Add', [norm, product]);
  };
  it('makes a second norm of one times powers of two, exactly', () => {
    const before = graphOf(multiplied([1, 0.5, 0.25, 2, 8, 1, 1, 2 ** -7]));
    const after = run(multiplyLayerNorm, before);
    expect(opsOf(after)).toEqual(['LayerNorm', 'LayerNorm', 'Add']);
    expectSameOutputs(before, after, { maxAbs: 0 });
  });
  it('leaves a product by other factors', () => {
    for (const factor of [3, -2, 0]) {
      const graph = graphOf(multiplied([1, 0.5, 0.25, 2, factor, 1, 1, 1]));
      expectUnchanged(multiplyLayerNorm, graph);
      expect(reasonsOf(multiplyLayerNorm, graph)).toEqual(['a factor is no power of two']);
    }
  });

  it('does not take a full tensor for a bias', () => {
    const graph = graphOf((b) => {
      const norm = b.op('LayerNorm', [
        b.input('x', 'f32', [2, H]),
        b.weight([H], 2),
        b.constant({ dtype: 'f32', dims: [H], data: new Float32Array(H) }),
      ]);
      return b.op('Add', [norm, b.weight([2, H], 4)]);
    });
    expect(reasonsOf(absorbLayerNormBias, graph)).toEqual(['the summand is not a vector over the last axis']);
    run(absorbLayerNormBias, graph);
  });
});
