import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { load } from '@neural-engine/engine';
import { writeModel } from '@neural-engine/onnx';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encoderModel } from '../../../../tooling/models/encoder';
import { findBrowser, openPage } from '../__fixtures__/browser';
import type { Row } from '../output/table';
import { profileCommand } from './command';
import type { ProfileResult } from './profile';
import { BARRIER } from './rows';
import { whatIf } from './what-if';

const SHAPE = {
  family: 'distilbert',
  layers: 2,
  hidden: 64,
  heads: 2,
  ffn: 128,
  vocabulary: 100,
  positions: 64,
  sparsity: 0.8,
  seed: 5,
} as const;
const folder = mkdtempSync(join(tmpdir(), 'ne-profile-'));
const files = { csv: join(folder, 'p.csv'), trace: join(folder, 'p.json'), html: join(folder, 'p.html') };
let result: ProfileResult;
const isProduct = (row: Row): boolean => /^(spmm|dense)_/.test(String(row['kernel']));

beforeAll(async () => {
  const model = join(folder, 'model.onnx');
  await writeModel(encoderModel(SHAPE), model);
  await load(model, { cache: false });
  result = await profileCommand('a <model>', { model, batch: 2, seqLen: 48, threads: 2, iterations: 4, warmup: 1, ...files });
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('a profile', () => {
  it('has a row for every layer and one for the waiting, which add up to the whole', () => {
    const names = result.rows.map((row) => String(row['layer']));
    expect(new Set(names).size).toBe(names.length);
    // Six products a layer, and the head.
    expect(result.rows.filter(isProduct)).toHaveLength(2 * 6 + 1);
    expect(names.at(-1)).toBe(BARRIER);
    expect(result.rows.reduce((sum, row) => sum + Number(row['percent']), 0)).toBeCloseTo(100);
    // What threads did and waited cannot exceed the run.
    const total = result.rows.reduce((sum, row) => sum + Number(row['ms']), 0);
    expect(total).toBeLessThan(result.facts.wallMs * 1.5);
  });
  it('counts the multiply-adds of products, and those alone that are done against the rate of the CPU', () => {
    const query = result.rows.find(isProduct)!;
    expect(Number(query['gmacs']) * Number(query['ms'])).toBeCloseTo((2 * 48 * 64 * 64) / 1e6);
    expect(query['zeros']).toBeCloseTo(0.8, 1);
    expect(String(query['kernel'])).toMatch(/^(spmm|dense)_f32/);
    const weights = 64 * 64 * 4 * 0.2;
    expect(Number(query['bytes'])).toBeGreaterThan(2 * 96 * 64 * 4 + weights);
  });
  it('estimates what more zeros would bring', () => {
    const choice = { node: 'n', weight: 'w', entry: 0, out: 64, in: 64, reason: '', gain: 1, sizeBytes: 0 };
    const sparse = { ...choice, kernel: 'spmm_f32_4x1_avx2', sparse: true, zeroRatio: 0.8 } as const;
    expect([0.7, 0.8, 0.9].map((zeros) => whatIf(10, sparse, zeros).toFixed(1))).toEqual(['15.0', '10.0', '5.0']);
    const dense = { ...choice, kernel: 'dense_f32_avx2', sparse: false, zeroRatio: 0 } as const;
    expect(whatIf(10, dense, 0.3)).toBe(10);
    expect(whatIf(10, dense, 0.9)).toBeLessThan(2.5);
    expect(whatIf(10, { ...dense, out: 2 }, 0.9)).toBe(10);
    expect(whatIf(10, undefined, 0.9)).toBe(10);
  });
});

describe('its files', () => {
  it("is a CSV of the original's three parts", () => {
    const [shapes, operators, totals] = readFileSync(files.csv, 'utf8').trim().split('\n\n');
    expect(shapes!.split('\n')[0]).toBe('weight shape,90% 4x1 perf ratio,80% 4x1 perf ratio,70% 4x1 perf ratio');
    const [header, ...lines] = operators!.split('\n');
    expect(header!.split(',')).toHaveLength(16);
    expect(lines).toHaveLength(result.rows.length);
    expect(totals).toMatch(/^total latency \(ms\),[\d.]+\ntotal at 90% \(ms\),[\d.]+,improvement,[\d.]+/);
  });
  describe('is a trace', () => {
    interface Event {
      readonly name: string;
      readonly ph: string;
      readonly pid: number;
      readonly tid: number;
      readonly ts: number;
      readonly dur: number;
      readonly args: Readonly<Record<string, unknown>>;
    }
    const read = () => JSON.parse(readFileSync(files.trace, 'utf8')) as { displayTimeUnit: string; traceEvents: Event[] };
    /** As Perfetto reads a time: nanoseconds, what is beyond cut off. */
    const ns = (microseconds: number): number => Math.trunc(microseconds * 1000);

    it('of the fields and types that the Trace Event Format asks for', () => {
      const { displayTimeUnit, traceEvents } = read();
      expect(displayTimeUnit).toBe('ms');
      for (const event of traceEvents) {
        expect(event, event.name).toMatchObject({ name: expect.stringMatching(/./), ph: expect.stringMatching(/^[XM]$/) });
        for (const id of [event.pid, event.tid]) expect(Number.isInteger(id) && id > 0).toBe(true);
        if (event.ph === 'M') expect(event.args).toEqual({ name: expect.any(String) });
        else for (const time of [event.ts, event.dur]) expect(Number.isFinite(time) && time >= 0).toBe(true);
      }
      const names = (kind: string) => traceEvents.filter(({ ph, name }) => ph === 'M' && name === kind);
      expect(names('process_name')).toHaveLength(1);
      // Each track has one name, and each name a track.
      expect(names('thread_name').map(({ tid }) => tid)).toEqual([...new Set(traceEvents.map(({ tid }) => tid))].sort((x, y) => x - y));
    });

    it('whose slices nest by the nanosecond: none of a track overlaps the next, an iteration spans its steps', () => {
      const { traceEvents } = read();
      const trackOf = (name: string): Event[] => {
        const { tid } = traceEvents.find(({ ph, args }) => ph === 'M' && args['name'] === name)!;
        return traceEvents.filter((event) => event.ph === 'X' && event.tid === tid).sort((x, y) => x.ts - y.ts);
      };
      const end = ({ ts, dur }: Event): number => ns(ts) + ns(dur);
      const iterations = trackOf('model_inference');
      expect(iterations.map((event) => event.name)).toEqual(['Iteration0', 'Iteration1', 'Iteration2', 'Iteration3']);
      for (const thread of [0, 1]) {
        const track = trackOf(`thread ${thread}`);
        expect(track.length).toBeGreaterThan(10);
        for (const [i, event] of track.slice(1).entries()) expect(ns(event.ts)).toBeGreaterThanOrEqual(end(track[i]!));
        for (const event of track)
          expect(iterations.some((iteration) => ns(event.ts) >= ns(iteration.ts) && end(event) <= end(iteration))).toBe(true);
      }
    });
  });
  it('is a page that loads nothing, escapes names, and that a browser opens', () => {
    const html = readFileSync(files.html, 'utf8');
    expect(html).not.toMatch(/src=|href=|url\(|@import|<script|<model>/);
    const browser = findBrowser();
    if (!browser) return;
    const { dom, complaints } = openPage(browser, files.html);
    expect(complaints).toEqual([]);
    expect(dom.match(/<tr/g)!.length).toBeGreaterThan(result.rows.length);
    expect(dom).toContain('a &lt;model&gt;');
  });
});
