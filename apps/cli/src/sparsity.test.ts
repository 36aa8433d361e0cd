import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { load, pruneModel } from '@neural-engine/engine';
import { encodeModel, writeModel } from '@neural-engine/onnx';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findBrowser, screenshot } from '../../../tooling/browser';
import { encoderModel } from '../../../tooling/models/encoder';
import { sparsityReport } from './sparsity';

const folder = mkdtempSync(join(tmpdir(), 'ne-sparsity-'));
const file = (name: string): string => join(folder, name);
afterAll(() => rmSync(folder, { recursive: true }));

/** An encoder whose products have exactly this share of zero 4x1 blocks; its head has two channels. */
async function encoder(sparsity: number) {
  const shape = { family: 'distilbert', layers: 1, hidden: 64, heads: 2, ffn: 128, vocabulary: 40, positions: 16 } as const;
  return (await pruneModel(encoderModel(shape), { sparsity })).model;
}
beforeAll(async () => {
  for (const percent of [69, 71]) await writeModel(await encoder(percent / 100), file(`${percent}.onnx`));
});

describe('ne sparsity', () => {
  it('decides 69% and 71% zeros differently by the rule of a threshold, with the reason', async () => {
    const decisions = await Promise.all(
      [69, 71].map(async (percent) => {
        const { rows } = await sparsityReport(file(`${percent}.onnx`), { sparse: 'threshold', threshold: '0.7' });
        return [...new Set(rows.slice(0, -1).map(({ kernel, pattern, reason }) => `${kernel}, ${pattern}: ${reason}`))];
      }),
    );
    expect(decisions).toEqual([
      [expect.stringMatching(/^dense, 4x1: 69\.0% of its 4x1 blocks are zero, below 70\.0%$/)],
      [expect.stringMatching(/^sparse 4x1, 4x1: 71\.0% of its 4x1 blocks are zero, at least 70\.0%$/)],
    ]);
  });
  it('says the same as a session does, and why a head of two channels runs dense', async () => {
    const model = await load(encodeModel(await encoder(0.71)), { sparse: 'threshold', cache: false });
    const { rows } = await sparsityReport(file('71.onnx'), { sparse: 'threshold', threshold: '0.7' });
    expect(rows.map(({ node, reason }) => ({ node, reason }))).toEqual(model.kernels.map(({ node, reason }) => ({ node, reason })));
    expect(rows.at(-1)).toMatchObject({ out: 2, kernel: 'dense', gain: 1, saved: 0, reason: '2 output channels are no multiple of 4' });
  });
  it('expects a gain and saves bytes where it decides for sparse', async () => {
    const { rows } = await sparsityReport(file('71.onnx'), { sparse: 'auto', threshold: '0.7' });
    const ffn = rows.find(({ out, in: inputs }) => out === 128 && inputs === 64)!;
    expect(ffn['gain']).toBeCloseTo(0.55 / 0.29, 1);
    expect(ffn['saved']).toBeGreaterThan(0.5 * 128 * 64);
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
