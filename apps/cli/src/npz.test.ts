import type { EngineError, Tensor } from '@neural-engine/core';
import { describe, expect, it } from 'vitest';
import { readNpz, writeNpz } from './npz';

const tensors: [string, Tensor][] = [
  ['input_ids', { dtype: 's64', dims: [2, 2], data: BigInt64Array.of(1n, -2n, 3n, 2n ** 60n) }],
  ['scores', { dtype: 'f32', dims: [3], data: Float32Array.of(1.5, Number.NaN, -0) }],
  ['scalar', { dtype: 'u8', dims: [], data: Uint8Array.of(7) }],
];

describe('npz', () => {
  it('gives back what was written, to the bit', () => {
    expect([...readNpz(writeNpz(tensors))]).toEqual(tensors);
  });
  it('refuses every truncation and every flipped byte, or reads the same arrays', () => {
    const file = writeNpz(tensors);
    const expected = [...readNpz(file)];
    for (let length = 0; length < file.length; length++) expect(() => readNpz(file.slice(0, length))).toThrow();
    for (let at = 0; at < file.length; at++) {
      const broken = Uint8Array.from(file); // a slice of a Buffer would share its bytes
      broken[at]! ^= 0xff;
      try {
        const read = [...readNpz(broken)];
        expect(read.map(([, tensor]) => tensor)).toEqual(
          expect.arrayContaining(read.length === expected.length ? expected.map(([, tensor]) => tensor) : []),
        );
      } catch (error) {
        expect(['E_PARSE', 'E_LIMIT', 'E_SHAPE']).toContain((error as EngineError).code);
      }
    }
  });
});
