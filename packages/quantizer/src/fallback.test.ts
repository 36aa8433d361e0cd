import { describe, expect, it } from 'vitest';
import { exact, feeds, sample } from './__fixtures__/sample';
import { calibrate, measureSensitivity, quantizeGraph, searchFallbacks } from './index';

const samples = [0, 1, 2].map(feeds);
const { ranges } = await calibrate(sample(), { samples, run: exact });

describe('measureSensitivity', () => {
  it('ranks every product and attention block by the noise that goes with it', async () => {
    const { snr, layers } = await measureSensitivity(sample(), ranges, { samples, run: exact });
    expect(layers.map(({ layer }) => layer).sort()).toEqual(
      ['attention', 'k_node', 'mid_node', 'out_node', 'q_node', 'v_node', 'y_node'].sort(),
    );
    const shares = layers.map(({ noiseShare }) => noiseShare);
    expect(shares).toEqual(shares.slice().sort((a, b) => b - a));
    expect(snr).toBeGreaterThan(20);
    expect(layers[0]!.snrWithout).toBeGreaterThan(snr);
  });
  it('puts a layer with a bad scale first: a planted defect', async () => {
    const swapped = new Map(ranges);
    // The range of one value is that of another, twenty times as wide.
    const { min, max } = ranges.get('context')!;
    swapped.set('context', { min: 20 * min, max: 20 * max });
    const [good, bad] = await Promise.all([ranges, swapped].map((each) => measureSensitivity(sample(), each, { samples, run: exact })));
    expect(bad!.snr).toBeLessThan(good!.snr - 3);
    // Attention makes these codes, the product reads them: either one's fall back mends it.
    expect(['attention', 'out_node', 'q_node', 'k_node', 'v_node']).toContain(bad!.layers[0]!.layer);
  });
  it('asks for samples', async () => {
    await expect(measureSensitivity(sample(), ranges, { samples: [], run: exact })).rejects.toMatchObject({ code: 'E_DATASET' });
  });
});

describe('searchFallbacks', () => {
  const ranked = ['y_node', 'mid_node', 'out_node'];
  const search = (needed: number, options: { maxTrials?: number } = {}) =>
    searchFallbacks(sample(), ranges, {
      ranked,
      measure: async (_, fallbacks) => fallbacks.length,
      accept: (count) => count >= needed,
      ...options,
    });
  it('stops at the first trial that holds, with the recipe that repeats it', async () => {
    const { graph, recipe, trials } = await search(1);
    expect(trials).toEqual([
      { fallbacks: [], measure: 0, accepted: false },
      { fallbacks: ['y_node'], measure: 1, accepted: true },
    ]);
    expect(recipe.layers).toEqual({ y_node: 'fp32' });
    expect(graph).toEqual(quantizeGraph(sample(), ranges, recipe));
  });
  it('gives no graph when nothing holds, or trials run out', async () => {
    expect(await search(9)).toMatchObject({ graph: undefined, trials: [{}, {}, {}] });
    expect(await search(2, { maxTrials: 2 })).toMatchObject({ graph: undefined, trials: [{}, {}] });
    await expect(search(1, { maxTrials: 0 })).rejects.toMatchObject({ code: 'E_USAGE' });
  });
});
