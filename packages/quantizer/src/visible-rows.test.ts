import type { Tensor } from '@neural-engine/core';
import { describe, expect, it } from 'vitest';
import { exact, f32, sample } from './__fixtures__/sample';
import { calibrate, measureSensitivity } from './index';
import { visibleParts, visibleRows } from './visible-rows';

const mask: Tensor = { dtype: 's64', dims: [2, 3], data: BigInt64Array.of(1n, 1n, 0n, 1n, 0n, 0n) };

it('leaves padding out of what is observed', () => {
  const rows = visibleRows({ tokens: mask }, 'tokens');
  const value = f32([2, 3, 2], [0, 1, 2, 3, 90, 91, 6, 7, 92, 93, 94, 95]);
  expect([...visibleParts(value, rows)].map((part) => [...part])).toEqual([
    [0, 1, 2, 3],
    [6, 7],
  ]);
});
it('observes all of a value that is not laid out as the mask is', () => {
  const value = f32([6, 2], new Float32Array(12));
  expect([...visibleParts(value, visibleRows({ tokens: mask }, 'tokens'))]).toEqual([value.data]);
  expect([...visibleParts(value, visibleRows({ tokens: mask }, 'other'))]).toEqual([value.data]);
});

/** The sample with an input that hides keys from its attention. */
function masked(name: string) {
  const graph = sample();
  graph.addValue({ name, dtype: 's64', shape: ['batch', 3] });
  graph.addValue({ name: 'additive', dtype: 'f32', shape: ['batch', 1, 1, 3] });
  graph.inputs.push(name);
  const at = graph.nodes.findIndex(({ op }) => op === 'Attention');
  graph.nodes.splice(at, 0, { name: 'padding', op: 'PaddingMask', inputs: [name], outputs: ['additive'], attributes: { value: -1e4 } });
  graph.nodes[at + 1]!.inputs.push('additive');
  return graph;
}

describe.each(['attention_mask', 'input_mask', 'tokens'])('padding that the input "%s" hides', (name) => {
  const padded = (filler: number) => ({
    x: f32(
      [1, 3, 16],
      Array.from({ length: 48 }, (_, i) => (i < 32 ? Math.cos(i * 1.7) : filler)),
    ),
    [name]: { dtype: 's64', dims: [1, 3], data: BigInt64Array.of(1n, 1n, 0n) } as const,
  });
  const graph = masked(name);
  it('does not change ranges', async () => {
    const [small, large] = await Promise.all([0, 1000].map((filler) => calibrate(graph, { samples: [padded(filler)], run: exact })));
    expect(large!.ranges).toEqual(small!.ranges);
  });
  it('does not change what layers are said to cost', async () => {
    const { ranges } = await calibrate(graph, { samples: [padded(0)], run: exact });
    const [small, large] = await Promise.all(
      [0, 1000].map((filler) => measureSensitivity(graph, ranges, { samples: [padded(filler)], run: exact })),
    );
    expect(large).toEqual(small);
  });
});
