import { describe, expect, it } from 'vitest';
import { expectSameOutputs, expectUnchanged, type GraphBuilder, graphOf, opsOf, reasonsOf, run } from '../__fixtures__/build-graph';
import { fuseGelu, fuseGeluTanh } from './fuse-gelu';

type Build = (b: GraphBuilder, x: string) => string;

const erfTerm: Build = (b, x) => b.op('Add', [b.op('Erf', [b.op('Div', [x, b.scalar(Math.SQRT2)])]), b.scalar(1)]);
const erf: Build = (b, x) => b.op('Erf', [b.op('Mul', [x, b.scalar(Math.SQRT1_2)])]);

const spellings: [string, Build][] = [
  ['(x · e) · ½', (b, x) => b.op('Mul', [b.op('Mul', [x, erfTerm(b, x)]), b.scalar(0.5)])],
  ['½ · (e · x)', (b, x) => b.op('Mul', [b.scalar(0.5), b.op('Mul', [erfTerm(b, x), x])])],
  ['(x · ½) · e', (b, x) => b.op('Mul', [b.op('Mul', [x, b.scalar(0.5)]), erfTerm(b, x)])],
  ['x · (½ · e)', (b, x) => b.op('Mul', [x, b.op('Mul', [b.scalar(0.5), erfTerm(b, x)])])],
  ['(x · e) / 2', (b, x) => b.op('Div', [b.op('Mul', [x, erfTerm(b, x)]), b.scalar(2)])],
  ['1 + erf(x · 1/√2)', (b, x) => b.op('Mul', [b.op('Mul', [x, b.op('Add', [b.scalar(1), erf(b, x)])]), b.scalar(0.5)])],
  ['x · (½ · erf + ½)', (b, x) => b.op('Mul', [x, b.op('Add', [b.op('Mul', [erf(b, x), b.scalar(0.5)]), b.scalar(0.5)])])],
  ['½ · (x + x · erf)', (b, x) => b.op('Mul', [b.op('Add', [x, b.op('Mul', [x, erf(b, x)])]), b.scalar(0.5)])],
];

const SLOPE = Math.sqrt(2 / Math.PI);
const tanhTerm = (b: GraphBuilder, inner: string): string => b.op('Add', [b.op('Tanh', [inner]), b.scalar(1)]);
const cubic: Build = (b, x) => b.op('Add', [x, b.op('Mul', [b.op('Pow', [x, b.scalar(3)]), b.scalar(0.044715)])]);
const cubicByProduct: Build = (b, x) => b.op('Add', [x, b.op('Mul', [b.scalar(0.044715), b.op('Mul', [x, b.op('Mul', [x, x])])])]);
const factored: Build = (b, x) => b.op('Add', [b.scalar(1), b.op('Mul', [b.op('Mul', [x, b.scalar(0.044715)]), x])]);

const tanhSpellings: [string, Build][] = [
  ['x³ by Pow', (b, x) => b.op('Mul', [b.op('Mul', [x, b.scalar(0.5)]), tanhTerm(b, b.op('Mul', [cubic(b, x), b.scalar(SLOPE)]))])],
  [
    'x³ by products',
    (b, x) => b.op('Mul', [b.op('Mul', [x, tanhTerm(b, b.op('Mul', [b.scalar(SLOPE), cubicByProduct(b, x)]))]), b.scalar(0.5)]),
  ],
  [
    'x · slope · (1 + 0.044715 x²)',
    (b, x) => b.op('Mul', [b.op('Mul', [x, b.scalar(0.5)]), tanhTerm(b, b.op('Mul', [b.op('Mul', [x, b.scalar(SLOPE)]), factored(b, x)]))]),
  ],
];

const withInput = (build: Build) => graphOf((b) => build(b, b.input('x', 'f32', ['batch', 'seq', 8])));

describe('fuseGelu', () => {
  it.each(spellings)('fuses %s', (_, build) => {
    const before = withInput(build);
    const after = run(fuseGelu, before);
    expect(opsOf(after)).toEqual(['Gelu']);
    expect(after.nodes[0]!.attributes).toEqual({ approximate: 'none' });
    expectSameOutputs(before, after);
  });

  it('takes √2 as exporters round it', () => {
    const before = withInput((b, x) => {
      const term = b.op('Add', [b.op('Erf', [b.op('Div', [x, b.scalar(Number('1.41421'))])]), b.scalar(1)]);
      return b.op('Mul', [b.op('Mul', [x, term]), b.scalar(0.5)]);
    });
    expect(opsOf(run(fuseGelu, before))).toEqual(['Gelu']);
  });

  it('leaves a product of two different inputs alone', () => {
    const graph = graphOf((b) => {
      const x = b.input('x', 'f32', [4]);
      const y = b.input('y', 'f32', [4]);
      return b.op('Mul', [b.op('Mul', [y, erfTerm(b, x)]), b.scalar(0.5)]);
    });
    expectUnchanged(fuseGelu, graph);
  });

  it('leaves a product by another constant alone', () => {
    expectUnchanged(
      fuseGelu,
      withInput((b, x) => b.op('Mul', [b.op('Mul', [x, erfTerm(b, x)]), b.scalar(0.51)])),
    );
  });

  it('leaves a Gelu alone whose erf is a graph output, and says so', () => {
    const graph = graphOf((b) => {
      const x = b.input('x', 'f32', [4]);
      const e = b.op('Erf', [b.op('Div', [x, b.scalar(Math.SQRT2)])]);
      return [b.op('Mul', [b.op('Mul', [x, b.op('Add', [e, b.scalar(1)])]), b.scalar(0.5)]), e];
    });
    expectUnchanged(fuseGelu, graph);
    expect(reasonsOf(fuseGelu, graph)).toEqual(['"Erf_1" inside the match is a graph output']);
  });

  it('declines another dtype with the reason', () => {
    const graph = graphOf((b) => {
      const x = b.input('x', 'f64', [4]);
      const d = (value: number) => b.constant({ dtype: 'f64', dims: [], data: Float64Array.of(value) });
      return b.op('Mul', [b.op('Mul', [x, b.op('Add', [b.op('Erf', [b.op('Div', [x, d(Math.SQRT2)])]), d(1)])]), d(0.5)]);
    });
    expect(reasonsOf(fuseGelu, graph)).toEqual(['x is f64, not f32']);
  });
});

describe('fuseGeluTanh', () => {
  it.each(tanhSpellings)('fuses the form with %s', (_, build) => {
    const before = withInput(build);
    const after = run(fuseGeluTanh, before);
    expect(opsOf(after)).toEqual(['Gelu']);
    expect(after.nodes[0]!.attributes).toEqual({ approximate: 'tanh' });
    expectSameOutputs(before, after);
  });

  it('leaves another cubic coefficient alone', () => {
    const graph = withInput((b, x) => {
      const inner = b.op('Mul', [b.op('Add', [x, b.op('Mul', [b.op('Pow', [x, b.scalar(3)]), b.scalar(0.0447)])]), b.scalar(SLOPE)]);
      return b.op('Mul', [b.op('Mul', [x, b.scalar(0.5)]), tanhTerm(b, inner)]);
    });
    expectUnchanged(fuseGeluTanh, graph);
  });
});
