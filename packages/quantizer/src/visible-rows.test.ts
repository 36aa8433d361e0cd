import type { Tensor } from '@neural-engine/core';
import { expect, it } from 'vitest';
import { f32 } from './__fixtures__/sample';
import { visibleParts, visibleRows } from './visible-rows';

const mask: Tensor = { dtype: 's64', dims: [2, 3], data: BigInt64Array.of(1n, 1n, 0n, 1n, 0n, 0n) };

it('leaves padding out of what is observed', () => {
  const rows = visibleRows({ attention_mask: mask });
  const value = f32([2, 3, 2], [0, 1, 2, 3, 90, 91, 6, 7, 92, 93, 94, 95]);
  expect([...visibleParts(value, rows)].map((part) => [...part])).toEqual([
    [0, 1, 2, 3],
    [6, 7],
  ]);
});
it('observes all of a value that is not laid out as the mask is', () => {
  const value = f32([6, 2], new Float32Array(12));
  expect([...visibleParts(value, visibleRows({ attention_mask: mask }))]).toEqual([value.data]);
  expect([...visibleParts(value, visibleRows({ other: mask }))]).toEqual([value.data]);
});
