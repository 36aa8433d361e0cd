import { describe, expect, it } from 'vitest';
import { bool, evaluate, f32, infer, of, rounded, s8, s32, s64, shapes, u8 } from '../__fixtures__/sketch';
import type { Attributes } from '../graph';

const refused = (code: string) => expect.objectContaining({ code });
const a = f32([2, 3], [1, 2, 3, 4, 5, 6]);
const b = f32([3, 2], [1, 0, 0, 1, 1, 1]);

describe('matrix products', () => {
  it('MatMul multiplies matrices, vectors and stacks', () => {
    expect(evaluate('MatMul', [a, b])).toEqual([f32([2, 2], [4, 5, 10, 11])]);
    expect(evaluate('MatMul', [f32([3], [1, 1, 1]), b])).toEqual([f32([2], [2, 2])]);
    expect(evaluate('MatMul', [a, f32([3], [1, 0, 1])])).toEqual([f32([2], [4, 10])]);
    expect(evaluate('MatMul', [f32([2], [3, 4]), f32([2], [3, 4])])).toEqual([f32([], [25])]);
    expect(evaluate('MatMul', [f32([2, 1, 1], [2, 3]), f32([1, 2], [1, 10])])).toEqual([f32([2, 1, 2], [2, 20, 3, 30])]);
    expect(evaluate('MatMul', [f32([2, 0], []), f32([0, 2], [])])).toEqual([f32([2, 2], [0, 0, 0, 0])]);
    expect(
      shapes('MatMul', [
        ['b', 12, 's', 64],
        ['b', 12, 64, 's'],
      ]),
    ).toEqual([['b', 12, 's', 's']]);
    expect(() =>
      infer('MatMul', [
        [2, 3],
        [4, 2],
      ]),
    ).toThrow(refused('E_SHAPE'));
    expect(() => infer('MatMul', [[], [4, 2]])).toThrow(refused('E_SHAPE'));
    expect(() =>
      infer('MatMul', [
        [2, 2, 3],
        [3, 3, 2],
      ]),
    ).toThrow(refused('E_SHAPE'));
  });

  it('Gemm transposes, scales and adds', () => {
    expect(evaluate('Gemm', [a, b, f32([2], [1, 2])], { alpha: 2, beta: 3 })).toEqual([f32([2, 2], [11, 16, 23, 28])]);
    expect(evaluate('Gemm', [a, a], { transB: 1 })).toEqual([f32([2, 2], [14, 32, 32, 77])]);
    expect(evaluate('Gemm', [f32([2, 1], [1, 2]), f32([2, 1], [3, 4])], { transA: 1 })).toEqual([f32([1, 1], [11])]);
    expect(() => infer('Gemm', [[2, 3], [3, 2], [3]])).toThrow(refused('E_SHAPE'));
    expect(() =>
      infer('Gemm', [
        [2, 3],
        [2, 3],
      ]),
    ).toThrow(refused('E_SHAPE'));
  });

  it('MatMulInteger subtracts zero points', () => {
    expect(evaluate('MatMulInteger', [u8([1, 2], [10, 20]), s8([2, 1], [-3, 4]), u8([], [10])])).toEqual([s32([1, 1], [40])]);
    expect(evaluate('MatMulInteger', [u8([2, 1], [1, 2]), u8([1, 2], [3, 4]), u8([2], [1, 1]), u8([2], [0, 4])])).toEqual([
      s32([2, 2], [0, 0, 3, 0]),
    ]);
    expect(() => infer('MatMulInteger', [of('u8', [1, 1]), of('s8', [1, 1]), of('s8', [])])).toThrow(refused('E_QUANT'));
  });

  it('Einsum sums over labels', () => {
    const einsum = (equation: string, ...inputs: ReturnType<typeof f32>[]) => evaluate('Einsum', inputs, { equation })[0]!;
    expect(einsum('ij,jk->ik', a, b)).toEqual(f32([2, 2], [4, 5, 10, 11]));
    expect(einsum('ij->ji', a)).toEqual(f32([3, 2], [1, 4, 2, 5, 3, 6]));
    expect(einsum('ij->', a)).toEqual(f32([], [21]));
    expect(einsum('ii', f32([2, 2], [1, 2, 3, 4]))).toEqual(f32([], [5]));
    expect(einsum('...i,i->...', a, f32([3], [1, 1, 1]))).toEqual(f32([2], [6, 15]));
    expect(einsum('i , j', f32([2], [1, 2]), f32([2], [3, 4]))).toEqual(f32([2, 2], [3, 4, 6, 8]));
    expect(
      shapes(
        'Einsum',
        [
          ['b', 's', 768],
          [768, 12, 64],
        ],
        { equation: 'bsd,dhe->bhse' },
      ),
    ).toEqual([['b', 12, 's', 64]]);
  });

  it.each(['ij,jk', 'ij->k', 'ij->ii', 'i->i', 'ij->i,j', '...->', '(ij)'])('refuses the equation "%s" for one matrix', (equation) => {
    if (equation === '...->') expect(shapes('Einsum', [a], { equation })).toEqual([[]]);
    else expect(() => infer('Einsum', [a], { equation })).toThrow(refused('E_MODEL'));
  });

  it('an Einsum that would take forever is refused', () => {
    const long = f32([4096], new Array(4096).fill(1));
    expect(() => evaluate('Einsum', [long, long, long], { equation: 'i,j,k->' })).toThrow(refused('E_LIMIT'));
  });
});

describe('normalisation', () => {
  it.each<[string, Attributes, number[]]>([
    ['Softmax', {}, [0.0900306, 0.244728, 0.665241, 0.0900306, 0.244728, 0.665241]],
    ['Softmax', { axis: 0 }, [0.0474259, 0.0474259, 0.0474259, 0.952574, 0.952574, 0.952574]],
    ['LogSoftmax', {}, [-2.40761, -1.40761, -0.407606, -2.40761, -1.40761, -0.407606]],
    ['Hardmax', {}, [0, 0, 1, 0, 0, 1]],
    ['LpNormalization', { p: 1 }, [0.166667, 0.333333, 0.5, 0.266667, 0.333333, 0.4]],
    ['LpNormalization', { axis: 0 }, [0.242536, 0.371391, 0.447214, 0.970142, 0.928477, 0.894427]],
    ['MeanVarianceNormalization', { axes: [1] }, [-1.22474, 0, 1.22474, -1.22474, 0, 1.22474]],
  ])('%s %j', (op, attributes, want) => expect(rounded(evaluate(op, [a], attributes)[0]!)).toEqual(want));

  it('Softmax of large and of equal numbers does not overflow', () => {
    expect(rounded(evaluate('Softmax', [f32([2], [3e38, 3e38])])[0]!)).toEqual([0.5, 0.5]);
    expect(() => infer('Softmax', [[2, 3]], { axis: 2 })).toThrow(refused('E_MODEL'));
  });

  it('LayerNormalization gives mean and deviation besides', () => {
    const [y, mean, deviation] = evaluate('LayerNormalization', [a, f32([3], [1, 2, 1]), f32([3], [0, 1, 0])], { epsilon: 0 }, 3);
    expect(rounded(y!)).toEqual([-1.22474, 1, 1.22474, -1.22474, 1, 1.22474]);
    expect(mean).toEqual(f32([2, 1], [2, 5]));
    expect(rounded(deviation!)).toEqual([1.22474, 1.22474]);
    expect(shapes('LayerNormalization', [['b', 's', 768], [768]], {}, 2)).toEqual([
      ['b', 's', 768],
      ['b', 's', 1],
    ]);
    expect(() => infer('LayerNormalization', [['b', 768], [767]])).toThrow(refused('E_SHAPE'));
  });

  it('RMSNormalization divides by the root mean square', () => {
    expect(rounded(evaluate('RMSNormalization', [f32([1, 2], [3, 4]), f32([2], [1, 10])], { epsilon: 0 })[0]!)).toEqual([
      0.848528, 11.3137,
    ]);
  });

  it('by channels: instance, group and batch', () => {
    const x = f32([1, 2, 2], [1, 3, 10, 14]);
    const [one, two] = [f32([2], [1, 1]), f32([2], [0, 5])];
    expect(rounded(evaluate('InstanceNormalization', [x, one, two], { epsilon: 0 })[0]!)).toEqual([-1, 1, 4, 6]);
    expect(rounded(evaluate('GroupNormalization', [x, one, two], { epsilon: 0, num_groups: 2 })[0]!)).toEqual([-1, 1, 4, 6]);
    expect(rounded(evaluate('BatchNormalization', [x, one, two, f32([2], [1, 10]), f32([2], [4, 16])], { epsilon: 0 })[0]!)).toEqual([
      0, 1, 5, 6,
    ]);
    expect(() => infer('GroupNormalization', [x, one, two], { num_groups: 0 })).toThrow(refused('E_MODEL'));
    expect(() => infer('InstanceNormalization', [x, f32([3], [1, 1, 1]), two])).toThrow(refused('E_SHAPE'));
    expect(() => infer('BatchNormalization', [x, one, two, one, one], { training_mode: 1 })).toThrow(refused('E_UNSUPPORTED'));
  });
});

describe('ONNX quantisation', () => {
  const scale = f32([], [0.5]);
  it('rounds to even and saturates', () => {
    expect(evaluate('QuantizeLinear', [f32([5], [0.25, 0.75, -1, 200, 1]), scale, u8([], [1])])).toEqual([u8([5], [1, 3, 0, 255, 3])]);
    expect(evaluate('QuantizeLinear', [f32([2], [-100, 0.5]), scale, s8([], [0])])).toEqual([s8([2], [-128, 1])]);
    expect(evaluate('QuantizeLinear', [f32([2, 2], [1, 1, 1, 1]), f32([2], [1, 0.25])], { axis: 0, output_dtype: 's8' })).toEqual([
      s8([2, 2], [1, 1, 4, 4]),
    ]);
  });

  it('goes back', () => {
    expect(evaluate('DequantizeLinear', [u8([2], [1, 5]), scale, u8([], [1])])).toEqual([f32([2], [0, 2])]);
    const blocked = [s8([1, 4], [1, 2, 3, 4]), f32([1, 2], [1, 10])];
    expect(evaluate('DequantizeLinear', blocked, { block_size: 2 })).toEqual([f32([1, 4], [1, 2, 30, 40])]);
  });

  it('DynamicQuantizeLinear widens the range to hold 0', () => {
    const [y, s, z] = evaluate('DynamicQuantizeLinear', [f32([3], [0, 2, -3])], {}, 3);
    expect(y).toEqual(u8([3], [153, 255, 0]));
    expect(rounded(s!)).toEqual([0.0196078]);
    expect(z).toEqual(u8([], [153]));
    expect(evaluate('DynamicQuantizeLinear', [f32([2], [0, 0])], {}, 3)[0]).toEqual(u8([2], [0, 0]));
  });

  it('QLinearMatMul quantises the product again', () => {
    const [one, zero] = [f32([], [0.5]), u8([], [0])];
    expect(evaluate('QLinearMatMul', [u8([1, 2], [2, 4]), one, zero, u8([2, 1], [6, 8]), one, zero, one, u8([], [3])])).toEqual([
      u8([1, 1], [25]),
    ]);
  });

  it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY, 1e-40])('refuses the scale %d', (bad) => {
    expect(() => infer('QuantizeLinear', [[2], f32([], [bad])])).toThrow(refused('E_QUANT'));
    expect(() => infer('DequantizeLinear', [u8([2], [1, 2]), f32([], [bad])])).toThrow(refused('E_QUANT'));
  });

  it('refuses scales and zero points that do not lie over the data', () => {
    expect(() => infer('QuantizeLinear', [[2, 3], f32([2], [1, 1])], { axis: 1 })).toThrow(refused('E_QUANT'));
    expect(() => infer('QuantizeLinear', [[2, 3], f32([3], [1, 1, 1]), u8([2], [0, 0])])).toThrow(refused('E_QUANT'));
    expect(() => infer('QuantizeLinear', [[2, 3], f32([], [1]), s8([], [0])], { output_dtype: 'u8' })).toThrow(refused('E_QUANT'));
    expect(() => infer('DequantizeLinear', [u8([2], [1, 2]), f32([], [1]), s8([], [0])])).toThrow(refused('E_MODEL'));
  });
});

describe('engine operators', () => {
  it('Embeddings adds what it is given', () => {
    const ids = s64([1, 2], [1, 0]);
    const word = f32([2, 2], [1, 2, 3, 4]);
    const position = f32([3, 2], [10, 20, 30, 40, 50, 60]);
    const table = f32([2, 2], [100, 200, 300, 400]);
    expect(evaluate('Embeddings', [ids, word])).toEqual([f32([1, 2, 2], [3, 4, 1, 2])]);
    expect(evaluate('Embeddings', [ids, word, position, undefined, table])).toEqual([f32([1, 2, 2], [113, 224, 131, 242])]);
    expect(evaluate('Embeddings', [ids, word, position, s64([1, 2], [1, 0]), table])).toEqual([f32([1, 2, 2], [313, 424, 131, 242])]);
    expect(() => evaluate('Embeddings', [s64([1, 1], [2]), word])).toThrow(refused('E_MODEL'));
    expect(() => infer('Embeddings', [of('s64', [1, 4]), word, position])).toThrow(refused('E_SHAPE'));
    expect(shapes('Embeddings', [of('s64', ['b', 's']), word, position])).toEqual([['b', 's', 2]]);
  });

  it('PaddingMask is 0 where tokens are kept', () => {
    expect(evaluate('PaddingMask', [s64([1, 3], [1, 2, 0])], { value: -5 })).toEqual([f32([1, 1, 1, 3], [0, 0, -5])]);
    expect(evaluate('PaddingMask', [bool([1, 2], [1, 0])], { value: -5 })).toEqual([f32([1, 1, 1, 2], [0, -5])]);
  });

  it('InnerProduct adds bias and residual and applies an activation', () => {
    const x = f32([1, 2], [1, -2]);
    const weight = f32([2, 3], [1, 0, 1, 0, 1, 1]);
    expect(evaluate('InnerProduct', [x, weight])).toEqual([f32([1, 3], [1, -2, -1])]);
    expect(evaluate('InnerProduct', [x, weight, f32([3], [1, 1, 1])], { activation: 'relu' })).toEqual([f32([1, 3], [2, 0, 0])]);
    expect(evaluate('InnerProduct', [x, weight, undefined, f32([1, 3], [1, 1, 1])])).toEqual([f32([1, 3], [2, -1, 0])]);
    expect(evaluate('InnerProduct', [x, f32([3, 2], [1, 0, 0, 1, 1, 1])], { transposed: true })).toEqual([f32([1, 3], [1, -2, -1])]);
    expect(() =>
      infer('InnerProduct', [
        [1, 2],
        [3, 3],
      ]),
    ).toThrow(refused('E_SHAPE'));
    expect(() => infer('InnerProduct', [[1, 2], [2, 3], [2]])).toThrow(refused('E_SHAPE'));
    expect(() => infer('InnerProduct', [[1, 2], [2, 3], undefined, [1, 2]])).toThrow(refused('E_SHAPE'));
    expect(() => infer('InnerProduct', [x, weight], { activation: 'swish' })).toThrow(refused('E_MODEL'));
    expect(() => infer('InnerProduct', [x, weight], { output_dtype: 'u8' })).toThrow(refused('E_QUANT'));
  });

  it('InnerProduct with 8-bit weights scales exact integer sums', () => {
    // x: scale 255/2.55 = 100, zero point 0; weight: scale 127/1.27 = 100.
    const [low, high] = [f32([1], [0]), f32([1], [2.55])];
    const [wLow, wHigh] = [f32([1], [-1.27]), f32([1], [1.27])];
    const inputs = [u8([1, 2], [100, 50]), s8([2, 1], [100, -100]), f32([1], [1]), undefined, low, high, wLow, wHigh];
    expect(rounded(evaluate('InnerProduct', inputs)[0]!)).toEqual([1.5]);
    const quantised = [...inputs, undefined, undefined, f32([1], [0]), f32([1], [2.55])];
    expect(evaluate('InnerProduct', quantised, { output_dtype: 'u8' })).toEqual([u8([1, 1], [150])]);
    expect(() => infer('InnerProduct', inputs.slice(0, 6))).toThrow(refused('E_QUANT'));
    expect(() => infer('InnerProduct', [[1, 2], of('s8', [2, 1])])).toThrow(refused('E_QUANT'));
  });

  it('Attention weighs values by the softmax of masked scores, head by head', () => {
    // Two heads of one element each; the second key is masked away for both.
    const q = f32([1, 1, 2], [1, 1]);
    const k = f32([1, 2, 2], [1, 2, 3, 4]);
    const v = f32([1, 2, 2], [5, 6, 7, 8]);
    const mask = f32([1, 1, 1, 2], [0, -1e9]);
    expect(evaluate('Attention', [q, k, v, mask], { heads: 2, scale: 1 })).toEqual([f32([1, 1, 2], [5, 6])]);
    // Without the mask the scores differ by 2, so the second value has weight 1/(1+e^−2).
    expect(rounded(evaluate('Attention', [q, k, v], { heads: 2, scale: 1 })[0]!)).toEqual([6.76159, 7.76159]);
    expect(
      shapes(
        'Attention',
        [
          ['b', 's', 8],
          ['b', 't', 8],
          ['b', 't', 4],
          ['b', 1, 1, 't'],
        ],
        { heads: 4, scale: 1 },
      ),
    ).toEqual([['b', 's', 4]]);
    expect(() => infer('Attention', [q, k, v], { heads: 3, scale: 1 })).toThrow(refused('E_MODEL'));
    expect(() => infer('Attention', [q, k, v, f32([3], [0, 0, 0])], { heads: 2, scale: 1 })).toThrow(refused('E_SHAPE'));
    expect(() => infer('Attention', [of('s8', [1, 1, 2]), of('s8', [1, 2, 2]), of('s8', [1, 2, 2])], { heads: 2, scale: 1 })).toThrow(
      refused('E_QUANT'),
    );
  });

  it('LayerNorm normalises the last axis', () => {
    expect(rounded(evaluate('LayerNorm', [f32([1, 2], [1, 3]), f32([2], [1, 2]), f32([2], [0, 1])], { epsilon: 0 })[0]!)).toEqual([-1, 3]);
    expect(() => infer('LayerNorm', [[1, 2], [3], [2]])).toThrow(refused('E_SHAPE'));
  });

  it('Dequantize adds a bias to each feature', () => {
    const range = [f32([1], [-1]), f32([1], [1.55])];
    expect(rounded(evaluate('Dequantize', [u8([2, 2], [0, 255, 100, 100]), ...range, f32([2], [10, -10])])[0]!)).toEqual([
      9, -8.45, 10, -10,
    ]);
    expect(() => infer('Dequantize', [of('u8', [2, 3]), [1], [1], [2]])).toThrow(refused('E_SHAPE'));
  });

  it('Attention rounds scores and probabilities where it is told to', () => {
    const operands = [f32([1, 2, 1], [1, 1]), f32([1, 2, 1], [0.3, 0.7]), f32([1, 2, 1], [0, 255])];
    // Scores become 0 and 1, their probabilities 0.2689 and 0.7311, and these 0.25 and 0.75.
    const [scores, probabilities] = [{ score_range: [0, 255] }, { probability_range: [0, 63.75] }];
    const attend = (attributes: object): number => rounded(evaluate('Attention', operands, { heads: 1, scale: 1, ...attributes })[0]!)[0]!;
    expect(attend({})).toBeCloseTo(255 / (1 + Math.exp(-0.4)), 3);
    expect(attend(scores)).toBeCloseTo(255 / (1 + Math.exp(-1)), 3);
    expect(attend({ ...scores, ...probabilities })).toBeCloseTo(255 * 0.75, 3);
    for (const score_range of [[1], [1, 2], [1, -1]])
      expect(() => infer('Attention', operands, { heads: 1, scale: 1, score_range })).toThrow(refused('E_QUANT'));
  });

  it('Quantize and Dequantize use the range of the values', () => {
    const [low, high] = [f32([1], [-1]), f32([1], [1.55])];
    expect(evaluate('Quantize', [f32([4], [-1, 0, 1.55, 9]), low, high])).toEqual([u8([4], [0, 100, 255, 255])]);
    expect(rounded(evaluate('Dequantize', [u8([2], [0, 255]), low, high])[0]!)).toEqual([-1, 1.55]);
    expect(evaluate('Quantize', [f32([2], [-1.27, 1]), f32([1], [-1.27]), f32([1], [1])], { dtype: 's8' })).toEqual([s8([2], [-127, 100])]);
    expect(() => evaluate('Quantize', [f32([1], [0]), f32([1], [1]), f32([1], [0])])).toThrow(refused('E_QUANT'));
  });
});
