import { describe, expect, it } from 'vitest';
import { exact, feeds, sample } from './__fixtures__/sample';
import { calibrate, parseRecipe, printRecipe, quantizeGraph, type Recipe } from './index';

describe('recipes', () => {
  it('give the same graph after a round trip through their file', async () => {
    const recipe: Recipe = { method: 'mse', heads: true, layers: { out_node: 'fp32', mid_node: 'int8' } };
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
      expect.objectContaining({ code: 'E_UNSUPPORTED', message: expect.stringContaining('"attention"') }),
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
  ])('refuse %s', (_, text, code, message) => {
    expect(() => parseRecipe(text, 'r.json')).toThrow(expect.objectContaining({ code, message: expect.stringContaining(message) }));
  });
  it('name a layer that the model lacks', () => {
    expect(() => quantizeGraph(sample(), new Map(), { layers: { nobody: 'int8' } })).toThrow(
      expect.objectContaining({ code: 'E_USAGE', message: expect.stringContaining('"nobody"') }),
    );
  });
});
