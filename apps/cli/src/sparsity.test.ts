import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inflateSync } from 'node:zlib';
import { load, pruneModel } from '@neural-engine/engine';
import { encodeModel, writeModel } from '@neural-engine/onnx';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
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

const browser = ['chromium', 'chromium-browser', 'google-chrome'].find((name) => spawnSync(name, ['--version']).status === 0);
if (!browser) console.info('the sparsity page in a browser: not tested, no Chromium is installed');

describe.skipIf(!browser)('the page in a browser', () => {
  it('shows pictures of every weight in blue', async () => {
    const html = file('shown.html');
    await sparsityReport(file('71.onnx'), { sparse: 'auto', threshold: '0.7', html });
    const png = file('shown.png');
    const flags = [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--hide-scrollbars',
      '--window-size=1200,3600',
      `--user-data-dir=${folder}/profile`,
    ];
    const { status, stderr } = spawnSync(browser!, [...flags, `--screenshot=${png}`, `file://${html}`], {
      encoding: 'utf8',
      timeout: 50_000,
    });
    expect([status, existsSync(png)], stderr).toEqual([0, true]);
    const { width, height, pixels } = decodePng(readFileSync(png));
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

/** An 8-bit PNG without interlacing, as RGB. */
function decodePng(png: Buffer): { width: number; height: number; pixels: Uint8Array } {
  const [width, height, channels] = [png.readUInt32BE(16), png.readUInt32BE(20), png[25] === 6 ? 4 : 3];
  const parts: Buffer[] = [];
  for (let at = 8; at < png.length; at += 12 + png.readUInt32BE(at))
    if (png.toString('latin1', at + 4, at + 8) === 'IDAT') parts.push(png.subarray(at + 8, at + 8 + png.readUInt32BE(at)));
  const data = inflateSync(Buffer.concat(parts));
  const stride = width * channels;
  const lines = new Uint8Array(stride * height);
  for (let y = 0; y < height; y++) {
    const filter = data[y * (stride + 1)]!;
    for (let x = 0; x < stride; x++) {
      const left = x >= channels ? lines[y * stride + x - channels]! : 0;
      const up = y > 0 ? lines[(y - 1) * stride + x]! : 0;
      const corner = y > 0 && x >= channels ? lines[(y - 1) * stride + x - channels]! : 0;
      const guess = left + up - corner;
      const [dl, du, dc] = [Math.abs(guess - left), Math.abs(guess - up), Math.abs(guess - corner)];
      const paeth = dl <= du && dl <= dc ? left : du <= dc ? up : corner;
      lines[y * stride + x] = data[y * (stride + 1) + 1 + x]! + [0, left, up, (left + up) >> 1, paeth][filter]!;
    }
  }
  const pixels = new Uint8Array(width * height * 3);
  for (let i = 0; i < width * height; i++) pixels.set(lines.subarray(i * channels, i * channels + 3), i * 3);
  return { width, height, pixels };
}
