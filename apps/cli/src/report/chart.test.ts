import { describe, expect, it } from 'vitest';
import { type ChartPoint, type ChartSeries, chart } from './chart';

const titles = { xTitle: 'latency', yTitle: 'throughput' };
const point = (x: number, y: number, label: string, best = false): ChartPoint => ({
  x,
  y,
  label,
  detail: label,
  ...(best ? { best } : {}),
});
/** Where texts of a label stand. */
const placesOf = (svg: string, label: string): string[] =>
  [...svg.matchAll(/<text x="([\d.]+)" y="([\d.]+)">([^<]*)<\/text>/g)]
    .filter(([, , , text]) => text === label)
    .map(([, x, y]) => `${x} ${y}`);

describe('a chart', () => {
  it('puts labels of points that coincide in places of their own, and leaves out what has no room', () => {
    const alike = (count: number): ChartSeries[] =>
      Array.from({ length: count }, (_, i) => ({ name: `series ${i}`, points: [point(1, 1, 'b8'), point(2, 2, 'b9')] }));
    expect(new Set(placesOf(chart(alike(2), titles), 'b8')).size).toBe(2);
    const crowded = chart(alike(12), titles);
    expect(crowded.match(/<circle /g)).toHaveLength(24);
    const places = placesOf(crowded, 'b8');
    expect(places.length).toBeGreaterThanOrEqual(2);
    expect(new Set(places).size).toBe(places.length);
    expect(places.length).toBeLessThan(12);
  });

  it('names the best point before all others', () => {
    const crowd = Array.from({ length: 9 }, (_, i) => point(1 + i / 1000, 1 + i / 1000, `b${i}`));
    const svg = chart([{ name: 'crowd', points: [...crowd, point(1.0045, 1.0045, 'best', true)] }], titles);
    expect(placesOf(svg, 'best')).toHaveLength(1);
    expect(svg).toContain('r="9"');
  });

  it('names every series below the plot, in as many lines as that takes', () => {
    const heightOf = (svg: string): number => Number(/viewBox="0 0 \d+ (\d+)"/.exec(svg)![1]);
    const named = (count: number) =>
      chart(
        Array.from({ length: count }, (_, i) => ({ name: `${i} instances × 4 threads`, points: [point(i + 1, 1, 'b1')] })),
        titles,
      );
    expect(heightOf(named(9))).toBeGreaterThan(heightOf(named(2)));
    for (let i = 0; i < 9; i++) {
      const [place] = placesOf(named(9), `${i} instances × 4 threads`);
      expect(Number(place!.split(' ')[1])).toBeGreaterThan(480);
      expect(Number(place!.split(' ')[1])).toBeLessThan(heightOf(named(9)));
    }
  });
});
