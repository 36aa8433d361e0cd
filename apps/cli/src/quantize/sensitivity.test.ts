import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { demoModelDirectory } from '@neural-engine/demo-model';
import { afterAll, describe, expect, it } from 'vitest';
import { count, findBrowser, screenshot } from '../../../../tooling/browser';
import { sensitivityReport } from './sensitivity';

const folder = mkdtempSync(join(tmpdir(), 'ne-sensitivity-'));
process.env['NE_CACHE_DIR'] = join(folder, 'cache');
afterAll(() => rmSync(folder, { recursive: true }));

const html = join(folder, 'page.html');
const flags = { samples: '8', threads: '2' };
const report = await sensitivityReport(demoModelDirectory(), 'the demo <model>', { ...flags, html });
const page = readFileSync(html, 'utf8');

describe('ne sensitivity', () => {
  it('ranks the products and attention blocks of the embedded model', () => {
    const { rows, facts } = report;
    expect(rows).toHaveLength(42);
    expect(rows.filter(({ op }) => op === 'attention')).toHaveLength(6);
    const shares = rows.map(({ noiseShare }) => noiseShare as number);
    expect(shares).toEqual(shares.slice().sort((a, b) => b - a));
    expect(facts.snr).toBeGreaterThan(15);
    expect(facts.warnings).toEqual([]);
    for (const { min, max, cutMin, cutMax, inputSnr } of rows) {
      expect(cutMin).toBeGreaterThanOrEqual(min as number);
      expect(cutMax).toBeLessThanOrEqual(max as number);
      expect(inputSnr).toBeGreaterThan(12);
    }
  });
  it('draws one bar a layer and one histogram a value, with nothing loaded or run', () => {
    // A value whose outlying channels are coded apart has a picture of these and one of the others.
    const apart = page.match(/channels apart/g) ?? [];
    expect(apart.length).toBeGreaterThan(0);
    expect(page.match(/class="histogram"/g)).toHaveLength(6 * 4 + 36 + 6 + apart.length);
    expect(page.match(/<section/g)).toHaveLength(42);
    expect(page).toContain('the demo &#60;model&#62;');
    expect(page).not.toMatch(/<script|src=|href="[^#]|url\(/);
  });
  it('does not replace a page', async () => {
    await expect(sensitivityReport(demoModelDirectory(), 'x', { ...flags, html })).rejects.toMatchObject({ code: 'E_CANTCREAT' });
  });
});

const browser = findBrowser();
if (!browser) console.info('the sensitivity page in a browser: not tested, no Chromium is installed');

it.skipIf(!browser)('the page shows blue histograms and red cuts in a browser', () => {
  const { width, height, pixels } = screenshot(browser!, html, { width: 1200, height: 4000, folder });
  expect([width, height]).toEqual([1200, 4000]);
  const blue = count(pixels, (r, g, b) => b > 150 && b - r > 80 && g > r);
  const red = count(pixels, (r, g, b) => r > 150 && r - b > 80 && r - g > 80);
  expect(blue).toBeGreaterThan(20_000);
  expect(red).toBeGreaterThan(1_000);
});
