import { expect, it } from 'vitest';
import { rowsOf } from './lines';

const measured = { kernel: 'spmm', from: 'L3', bytes: 7e6, ahead: 1024, chosen: false, hugePages: false, micros: 18_500, ratio: 1.02 };
const lines = [
  { ...measured, ahead: 0, ratio: 1 },
  { ...measured, chosen: true },
  { ...measured, chosen: true, hugePages: true, ratio: 0.99 },
  { ...measured, kernel: 'dense_f32', ahead: 'next tile' },
  { kernel: 'dense', from: 'L2', missing: '589888 bytes of weights do not fit' },
  { kernel: 'spmm_amx', missing: 'this CPU has no amx' },
];

it('has a row for each distance, the chosen ones marked, and for each kernel that this CPU cannot run', () => {
  const rows = rowsOf(lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  expect(rows.map(({ what, measured }) => [what, measured])).toEqual([
    ['spmm, weights from L3: none', 1],
    ['spmm, weights from L3: 1024 bytes ahead (chosen)', 1.02],
    ['spmm, weights from L3: 1024 bytes ahead (chosen), weights in huge pages', 0.99],
    ['dense_f32, weights from L3: next tile', 1.02],
    ['dense, weights from L2', null],
    ['spmm_amx', null],
  ]);
  expect(rows[1]!.detail).toBe('18.50 ms for 7.0 MB of weights');
  expect(rows[5]!.detail).toBe('this CPU has no amx');
});
