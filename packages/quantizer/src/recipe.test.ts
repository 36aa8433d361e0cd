import { evaluateGraph, type Graph } from '@neural-engine/ir';
import { describe, expect, it } from 'vitest';
import { exact, feeds, sample } from './__fixtures__/sample';
import {
  calibrate,
  calibrationGraph,
  parseRecipe,
  printRecipe,
  type QuantizedPrecision,
  quantizeDynamic,
  quantizeGraph,
  type Recipe,
  select,
  toBf16Graph,
} from './index';

describe('recipes', () => {
  it('give the same graph after a round trip through their file', async () => {
    const recipe: Recipe = { method: 'mse', heads: true, between: 'bf16', layers: { out_node: 'fp32', mid_node: 'int8' } };
    const again = parseRecipe(printRecipe(recipe));
    expect(again).toEqual(recipe);
    const { ranges } = await calibrate(sample(), { samples: [feeds(0)], run: exact, recipe });
    expect(quantizeGraph(sample(), ranges, again)).toEqual(quantizeGraph(sample(), ranges, recipe));
  });
  it('put products in bf16 between int8 ones, but not attention', async () => {
    const recipe: Recipe = { layers: { y_node: 'bf16' } };
    const { ranges } = await calibrate(sample(), { samples: [feeds(0)], run: exact, recipe });
    const graph = quantizeGraph(sample(), ranges, recipe);
    const dtypeOf = (name: string) => graph.constant(graph.nodes.find((node) => node.name === name)!.inputs[1])!.dtype;
    expect([dtypeOf('y_node'), dtypeOf('mid_node')]).toEqual(['bf16', 's8']);
    expect(() => quantizeGraph(sample(), ranges, { layers: { attention: 'bf16' } })).toThrow(
      expect.objectContaining({
        code: 'E_UNSUPPORTED',
        where: 'attention',
        message: expect.stringMatching(/no kernel .* as fp32 it runs/),
      }),
    );
  });
  it('round what lies between products, but neither outputs nor what attention reads', async () => {
    const { ranges } = await calibrate(sample(), { samples: [feeds(0)], run: exact });
    const roundedOf = (graph: Graph): string[] =>
      graph.nodes.filter(({ attributes }) => attributes['rounding'] === 'bf16').map(({ name }) => name);
    const between = { between: 'bf16' } as const;
    const graphs = [quantizeGraph(sample(), ranges, between), quantizeDynamic(sample(), between), toBf16Graph(sample(), between)];
    for (const graph of graphs) expect(roundedOf(graph)).toEqual(['out_node']);
    expect(roundedOf(quantizeGraph(sample(), ranges, { between: 'fp32' }))).toEqual([]);
  });
  it('refuse what cannot lie between products', () => {
    expect(() => select(sample(), { between: 'BF16' as 'bf16' })).toThrow(
      expect.objectContaining({ code: 'E_USAGE', message: 'between is "BF16", none of fp32, bf16' }),
    );
  });
  it('observe a model that rounds already as it is: behind its activations', () => {
    const source = sample();
    const rounding = source.nodes.find(({ name }) => name === 'mid_node')!;
    rounding.attributes = { ...rounding.attributes, rounding: 'bf16' };
    const [want, got] = [source, calibrationGraph(source)].map((graph) => evaluateGraph(graph, feeds(3)));
    for (const name of ['mid', 'y']) expect(got!.get(name)).toEqual(want!.get(name));
  });
  it('name the layers of a bf16 model as what they are', () => {
    const dtypes = (recipe: Recipe): (string | undefined)[] => {
      const graph = toBf16Graph(sample(), recipe);
      return graph.nodes.filter(({ op }) => op === 'InnerProduct').map(({ inputs }) => graph.constant(inputs[1])?.dtype);
    };
    const all = Object.fromEntries(sample().nodes.map(({ name, op }) => [name, op === 'Attention' ? 'fp32' : 'bf16'] as const));
    expect(dtypes({ layers: all })).toEqual(Array(6).fill('bf16'));
    expect(dtypes({ layers: { ...all, mid_node: 'fp32' } }).filter((dtype) => dtype === 'f32')).toHaveLength(1);
  });
  it.each<[QuantizedPrecision, Recipe['layers'], RegExp]>([
    ['bf16', { mid_node: 'int8' }, /product "mid_node" of a bf16 model in int8: nothing is observed/],
    ['bf16', { attention: 'int8' }, /needs ranges from calibration/],
    ['bf16', { attention: 'bf16' }, /no kernel/],
    ['dynamic-int8', { attention: 'int8' }, /needs ranges from calibration/],
    ['dynamic-int8', { attention: 'bf16' }, /no kernel/],
  ])('refuse what a %s model cannot have: %j', (precision, layers, message) => {
    expect(() => select(sample(), { layers: layers! }, precision)).toThrow(
      expect.objectContaining({ code: 'E_UNSUPPORTED', message: expect.stringMatching(message) }),
    );
  });
  it('write layers that are kept as fp32', () => {
    expect(parseRecipe(printRecipe({ keep: ['a'] })).layers).toEqual({ a: 'fp32' });
  });
  it.each([
    ['no JSON', '{', 'E_PARSE', 'JSON'],
    ['a list', '[]', 'E_USAGE', '"recipe": 1'],
    ['an unknown key', '{"recipe":1,"layer":{}}', 'E_USAGE', '"layer"'],
    ['an unknown precision', '{"recipe":1,"layers":{"a":"int4"}}', 'E_USAGE', '"a" is "int4"'],
    ['an unknown method', '{"recipe":1,"method":"best"}', 'E_USAGE', '"best"'],
    ['an unknown dtype between products', '{"recipe":1,"between":"f16"}', 'E_USAGE', 'between "f16" is none of fp32, bf16'],
  ])('refuse %s', (_, text, code, message) => {
    expect(() => parseRecipe(text, 'r.json')).toThrow(expect.objectContaining({ code, message: expect.stringContaining(message) }));
  });
  it('name a layer that the model lacks', () => {
    expect(() => quantizeGraph(sample(), new Map(), { layers: { nobody: 'int8' } })).toThrow(
      expect.objectContaining({ code: 'E_USAGE', message: expect.stringContaining('"nobody"') }),
    );
  });
});
