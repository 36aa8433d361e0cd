import { expect, it } from 'vitest';
import { quantizeTable } from './embedding-table';

it('keeps each value to half a step of its row', () => {
  const [rows, features] = [5, 7];
  const values = Float32Array.from({ length: rows * features }, (_, i) => (i < 7 ? 0 : Math.sin(i * 3.7) * 10 ** Math.floor(i / 7 - 3)));
  const { dtype, dims, data } = quantizeTable({ dtype: 'f32', dims: [rows, features], data: values });
  expect([dtype, dims]).toEqual(['u8', [5, 11]]);
  const bytes = data as Uint8Array;
  const view = new DataView(bytes.buffer);
  for (let row = 0; row < rows; row++) {
    const step = view.getFloat32(row * 11 + 7, true);
    const most = Math.max(...values.slice(row * 7, row * 7 + 7).map(Math.abs));
    expect(step).toBe(most > 0 ? Math.fround(most / 127) : 1);
    for (let i = 0; i < features; i++)
      expect(Math.abs(view.getInt8(row * 11 + i) * step - values[row * 7 + i]!)).toBeLessThanOrEqual(step * 0.50001);
  }
});
