import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compileModel, load, pruneModel, quantize, writeIr } from '@neural-engine/engine';
import { encodeModel, writeModel } from '@neural-engine/onnx';
import type { KernelChoice } from '@neural-engine/runtime';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findBrowser, screenshot } from '../../../tooling/browser';
import { encoderModel } from '../../../tooling/models/encoder';
import { inspect } from './inspect';
import type { Row } from './output/table';
import { sparsityReport } from './sparsity';

const folder = mkdtempSync(join(tmpdir(), 'ne-sparsity-'));
const file = (name: string): string => join(folder, name);
afterAll(() => rmSync(folder, { recursive: true }));

/** An encoder whose products have exactly this share of zero 4x1 blocks; its head has two channels. */
async function encoder(sparsity: number) {
  const shape = { family: 'distilbert', layers: 1, hidden: 64, heads: 2, ffn: 128, vocabulary: 40, positions: 16 } as const;
  return (await pruneModel(encoderModel(shape), { sparsity })).model;
}
const ofKernel = ({ node, kernel, sparse, gain, reason }: Row | KernelChoice) => ({ node, kernel, sparse, gain, reason });
beforeAll(async () => {
  for (const percent of [69, 71]) await writeModel(await encoder(percent / 100), file(`${percent}.onnx`));
});

describe('ne sparsity', () => {
  it('decides 69% and 71% zeros differently by the rule of a threshold, with the reason', async () => {
    const decisions = await Promise.all(
      [69, 71].map(async (percent) => {
        const { rows } = await sparsityReport(file(`${percent}.onnx`), { sparse: 'threshold', threshold: '0.7' });
        return [...new Set(rows.slice(0, -1).map(({ sparse, rule, pattern, reason }) => `${sparse}, ${rule}, ${pattern}: ${reason}`))];
      }),
    );
    expect(decisions).toEqual([
      [expect.stringMatching(/^false, dense, 4x1: 69\.0% of its 4x1 blocks are zero, below 70\.0%$/)],
      [expect.stringMatching(/^true, sparse 4x1, 4x1: 71\.0% of its 4x1 blocks are zero, at least 70\.0%$/)],
    ]);
  });
  it('says the same as a session does, and why a head of two channels runs dense', async () => {
    const model = await load(encodeModel(await encoder(0.71)), { sparse: 'threshold', cache: false });
    const { rows, notes } = await sparsityReport(file('71.onnx'), { sparse: 'threshold', threshold: '0.7' });
    expect(rows.map(ofKernel)).toEqual(model.kernels.map(ofKernel));
    expect(notes).toEqual([]);
    expect(rows.at(-1)).toMatchObject({
      out: 2,
      kernel: expect.stringMatching(/^dense_f32_/),
      rule: 'dense',
      gain: 1,
      saved: 0,
      reason: '2 output channels are no multiple of 4',
    });
  });
  it('expects a gain and saves bytes where it decides for sparse', async () => {
    const { rows } = await sparsityReport(file('71.onnx'), { sparse: 'auto', threshold: '0.7' });
    const ffn = rows.find(({ out, in: inputs }) => out === 128 && inputs === 64)!;
    expect(ffn['gain']).toBeCloseTo(0.55 / 0.29, 1);
    // f32 as it is stored.
    expect(ffn['saved']).toBeGreaterThan(0.5 * 128 * 64 * 4);
    expect(ffn['kernel']).toMatch(/^spmm_f32_4x1_/);
  });
  it('names the kernels of int8 weights as ne inspect does, also where their zeros alone would decide otherwise', async () => {
    // Between the zeros from which the kernels' costs are for skipping and those from which the rule is.
    for (const percent of [44, 80]) {
      const graph = await compileModel(encodeModel(await encoder(percent / 100)));
      const quantized = await quantize(graph, { precision: 'dynamic-int8' });
      await writeIr(quantized.graph, file(`ir-${percent}`), { force: false });
    }
    const { rows, notes } = await sparsityReport(file('ir-44'), { sparse: 'auto', threshold: '0.7' });
    const { facts } = await inspect(file('ir-44'));
    expect(rows.map(ofKernel)).toEqual(facts.choices.map(ofKernel));
    const wide = rows.filter(({ in: inputs }) => inputs === 128);
    expect(wide).toEqual([
      expect.objectContaining({ rule: 'dense', ruleGain: 1, ruleReason: expect.stringMatching(/^44\.0% .*below 45\.0%$/) }),
    ]);
    const others = rows.filter(({ rule, sparse }) => (rule === 'sparse 4x1') !== sparse).length;
    expect(notes).toEqual(others > 0 ? [expect.stringContaining(`${others} of ${rows.length} run on another kind of kernel`)] : []);
    const many = await sparsityReport(file('ir-80'), { sparse: 'auto', threshold: '0.7' });
    const gains = many.rows.filter(({ sparse }) => sparse).map(({ gain }) => gain);
    expect(gains).toHaveLength(6);
    for (const gain of gains) expect(gain).toBeGreaterThan(1.5);
  });
  it('does not replace a page', async () => {
    const html = file('page.html');
    await sparsityReport(file('71.onnx'), { sparse: 'auto', threshold: '0.7', html });
    const again = sparsityReport(file('71.onnx'), { sparse: 'auto', threshold: '0.7', html });
    await expect(again).rejects.toMatchObject({ code: 'E_CANTCREAT' });
  });
});

const browser = findBrowser();
if (!browser) console.info('the sparsity page in a browser: not tested, no Chromium is installed');

describe.skipIf(!browser)('the page in a browser', () => {
  it('shows pictures of every weight in blue', async () => {
    const html = file('shown.html');
    await sparsityReport(file('71.onnx'), { sparse: 'auto', threshold: '0.7', html });
    const { width, height, pixels } = screenshot(browser!, html, { width: 1200, height: 3600, folder });
    expect([width, height]).toEqual([1200, 3600]);
    // Lines that hold much blue: one band of pictures for each of the seven products; the key above them holds less.
    const isBlue = (at: number): boolean => pixels[at + 2]! > 90 && pixels[at + 2]! - pixels[at]! > 60;
    let bands = 0;
    let gap = 100;
    for (let y = 0; y < height; y++) {
      let blue = 0;
      for (let x = 0; x < width; x++) if (isBlue((y * width + x) * 3)) blue++;
      if (blue > 100 && gap >= 40) bands++;
      gap = blue > 100 ? 0 : gap + 1;
    }
    expect(bands).toBe(7);
  });
});
