import { expect, it } from 'vitest';
import { formatTable } from './table';

const columns = [
  { key: 'name', title: 'name', align: 'left' },
  { key: 'p50', title: 'median', digits: 2 },
] as const;

it('shows a figure that there is not in each form as nothing, not as NaN', () => {
  const rows = [
    { name: 'a', p50: Number.NaN },
    { name: 'b', p50: 1.5 },
  ];
  expect(formatTable('text', columns, rows)).toBe('name  median\n────  ──────\na          –\nb       1.50');
  expect(formatTable('md', columns, rows)).toContain('| a | – |');
  expect(formatTable('csv', columns, rows)).toBe('name,p50\na,\nb,1.5');
  expect(JSON.parse(formatTable('json', columns, rows)).rows[0]).toEqual({ name: 'a', p50: null });
});
