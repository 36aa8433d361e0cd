import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { speedChart } from './chart';
import { type MachineFacts, markdownOf, type Row, type Section, verdict, writeRecord } from './record';

const folder = mkdtempSync(join(tmpdir(), 'ne-record-'));
afterAll(() => rmSync(folder, { recursive: true }));

const facts: MachineFacts = {
  date: '2026-01-02',
  quick: false,
  cpu: 'A CPU',
  tier: 'avx2',
  features: [],
  caches: { l1d: 0, l2: 0, l3: 0 },
  cores: 2,
  node: '20.0.0',
  commit: 'abc',
};
const row = (measured: number | null, bar: Row['bar']): Row => ({ what: 'speed', measured, unit: '×', ...(bar ? { bar } : {}) });

describe('verdict', () => {
  it.each([
    [5, { kind: '>=', floor: 3, goal: 5 }, 'met'],
    [4, { kind: '>=', floor: 3, goal: 5 }, 'floor met'],
    [2.99, { kind: '>=', floor: 3, goal: 5 }, 'missed'],
    [3, { kind: '>=', floor: 3 }, 'met'],
    [31, { kind: '<=', floor: 30 }, 'missed'],
    [30, { kind: '<=', floor: 30 }, 'met'],
    [null, { kind: '<=', floor: 30 }, ''],
    [7, undefined, ''],
  ] as const)('%s against %o is "%s"', (measured, bar, expected) => {
    expect(verdict(row(measured, bar))).toBe(expected);
  });
});

describe('a record', () => {
  const sections: Section[] = [
    {
      title: 'Speed',
      rows: [row(2, { kind: '>=', floor: 3, goal: 5 }), { ...row(null, { kind: '<=', floor: 1 }), detail: 'no such CPU' }],
      pictures: [{ name: 'speed', svg: '<svg/>' }],
    },
  ];
  it('shows bars beside figures, and misses and gaps as what they are', () => {
    const lines = markdownOf(facts, sections).split('\n');
    expect(lines).toContain('| speed | 2 × | ≥ 3 | ≥ 5 | **missed** |');
    expect(lines).toContain('| speed | not measured (no such CPU) | ≤ 1 |  |  |');
  });
  it('is kept as markdown, JSON and pictures that it names', async () => {
    const path = await writeRecord(folder, facts, sections);
    expect(path).toBe(join(folder, '2026-01-02-avx2.md'));
    expect(readFileSync(path, 'utf8')).toContain('![Speed](2026-01-02-avx2-speed.svg)');
    expect(existsSync(join(folder, '2026-01-02-avx2-speed.svg'))).toBe(true);
    expect(JSON.parse(readFileSync(join(folder, '2026-01-02-avx2.json'), 'utf8'))).toMatchObject({
      cpu: 'A CPU',
      commit: 'abc',
      sections: [{ title: 'Speed', pictures: ['2026-01-02-avx2-speed.svg'] }],
    });
    const both = await Promise.allSettled([writeRecord(folder, facts, sections), writeRecord(folder, facts, sections)]);
    expect(both.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    expect(both[1]).toMatchObject({ reason: { code: 'E_LOCKED' } });
    expect(readdirSync(folder).filter((name) => name.startsWith('.'))).toEqual([]);
  });
});

describe('speedChart', () => {
  it('draws each series through all of its points, with nothing from outside', () => {
    const svg = speedChart(
      [0, 0.5, 0.95].map((share) => ({ share, ours: 100 / (1.05 - share), dense: 90, ort: 40 })),
      'a < b',
    );
    expect(svg.match(/<circle/g)).toHaveLength(9);
    expect(svg).toContain('a &#60; b');
    expect(svg).not.toMatch(/NaN|href|<script/);
  });
});
