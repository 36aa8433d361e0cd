import { describe, expect, it } from 'vitest';
import { expectSameOutputs, expectUnchanged, type GraphBuilder, graphOf, opsOf, runAll } from '../__fixtures__/build-graph';
import { absorbBf16Rounding } from './absorb-bf16-rounding';
import { absorbActivation, absorbBias, absorbResidual, lowerMatMul } from './fuse-inner-product';
import { absorbLayerNormBias, absorbLayerNormScale, multiplyLayerNorm } from './fuse-layer-norm';

const ALL = [lowerMatMul, absorbBias, absorbResidual, absorbActivation, absorbBf16Rounding];
const WIDTH = 6;
const x = (b: GraphBuilder): string => b.input('x', 'f32', ['batch', WIDTH]);
const round = (b: GraphBuilder, value: string): string => b.op('Cast', [b.op('Cast', [value], { to: 'bf16' })], { to: 'f32' });
const product = (b: GraphBuilder, value: string): string => b.op('MatMul', [value, b.weight([WIDTH, WIDTH], 3)]);
const norm = (b: GraphBuilder, value: string): string =>
  b.op('LayerNorm', [value, b.weight([WIDTH], 4), b.weight([WIDTH], 5)], { epsilon: 1e-5 });

describe('a cast to bf16 and back', () => {
  it.each<[string, (b: GraphBuilder) => string]>([
    ['a product', (b) => product(b, x(b))],
    [
      'a product with bias, residual and activation',
      (b) => {
        const input = x(b);
        return b.op('Relu', [b.op('Add', [b.op('Add', [product(b, input), b.weight([WIDTH], 2)]), input])]);
      },
    ],
    ['a LayerNorm', (b) => norm(b, x(b))],
  ])('becomes the rounding of %s', (_, build) => {
    const before = graphOf((b) => round(b, build(b)));
    const after = runAll(ALL, before);
    expect(after.nodes).toHaveLength(1);
    expect(after.nodes[0]!.attributes['rounding']).toBe('bf16');
    expectSameOutputs(before, after, { maxAbs: 1e-6 });
  });
  it('stays behind what does not round, and where the exact value is read too', () => {
    expectUnchanged(
      absorbBf16Rounding,
      graphOf((b) => round(b, b.op('Exp', [x(b)]))),
    );
    const after = runAll(
      ALL,
      graphOf((b) => {
        const exact = norm(b, x(b));
        return b.op('Sub', [exact, round(b, exact)]);
      }),
    );
    expect(opsOf(after).filter((op) => op === 'Cast')).toHaveLength(2);
  });
  it.each([
    ['Mul', absorbLayerNormScale],
    ['Add', absorbLayerNormBias],
  ] as const)('is not passed by a %s behind a LayerNorm', (name, pass) => {
    const plain = (b: GraphBuilder): string => {
      const [ones, zeros] = [1, 0].map((value) => b.constant({ dtype: 'f32', dims: [WIDTH], data: new Float32Array(WIDTH).fill(value) }));
      return b.op('LayerNorm', [x(b), ones!, zeros!], { epsilon: 1e-5 });
    };
    const before = graphOf((b) => b.op(name, [round(b, plain(b)), b.weight([WIDTH], 2)]));
    const after = runAll([absorbBf16Rounding, pass], before);
    expect(opsOf(after)).toEqual(['LayerNorm', name]);
    expectSameOutputs(before, after, { maxAbs: 1e-6 });
    // Without a rounding it is taken in.
    expect(
      opsOf(
        runAll(
          [pass],
          graphOf((b) => b.op(name, [plain(b), b.weight([WIDTH], 2)])),
        ),
      ),
    ).toEqual(['LayerNorm']);
  });
  it('goes into the LayerNorm that powers of two behind it make', () => {
    const before = graphOf((b) => {
      const rounded = round(b, norm(b, x(b)));
      const factors = b.constant({ dtype: 'f32', dims: [WIDTH], data: Float32Array.from({ length: WIDTH }, (_, i) => 2 ** (i - 2)) });
      return b.op('Sub', [b.op('Mul', [rounded, factors]), rounded]);
    });
    const after = runAll([multiplyLayerNorm, absorbBf16Rounding], before);
    expect(opsOf(after).sort()).toEqual(['LayerNorm', 'LayerNorm', 'Sub']);
    for (const node of after.nodes.filter(({ op }) => op === 'LayerNorm')) expect(node.attributes['rounding']).toBe('bf16');
    expectSameOutputs(before, after, { maxAbs: 1e-6 });
  });
  it('is not passed by what follows: a product that rounds takes in no further sum', () => {
    const before = graphOf((b) => b.op('Add', [round(b, product(b, x(b))), b.weight([WIDTH], 2)]));
    const after = runAll([...ALL, absorbBias], before);
    expect(opsOf(after)).toEqual(['InnerProduct', 'Add']);
    expectSameOutputs(before, after, { maxAbs: 1e-6 });
  });
});
