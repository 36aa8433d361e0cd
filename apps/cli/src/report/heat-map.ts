import {
  BLOCKS,
  type BlockName,
  cornerGrid,
  type DensityGrid,
  densityGrid,
  type WeightReport,
  type WeightView,
} from '@neural-engine/sparsity';
import { escapeHtml, page } from './page';

/** What an engine runs a weight on. */
export interface KernelReport {
  /** As the engine names it. */
  readonly kernel: string;
  /** Whether it leaves blocks of zeros out. */
  readonly sparse: boolean;
  /** One clause that says why, fit to be printed. */
  readonly reason: string;
  /** Speed over the best dense kernel; 1 where the weight runs dense. */
  readonly gain: number;
  /** Bytes that the packed form saves over the weight as it is stored. */
  readonly savedBytes: number;
}

/** One weight of the page. */
export interface HeatMapEntry {
  readonly name: string;
  readonly weight: WeightView;
  readonly report: WeightReport;
  /** What an engine decided, where one was asked: shown in place of the report's decision, which is then named where it differs. */
  readonly chosen?: KernelReport;
}

/** What a weight runs on: an engine's choice, else what its zeros decide. */
function kernelOf({ report, chosen }: HeatMapEntry): KernelReport {
  const { decision, expectedGain, savedBytes } = report;
  return chosen ?? { kernel: ruleName(decision.sparse), ...decision, gain: expectedGain, savedBytes };
}

const ruleName = (sparse: boolean): string => (sparse ? 'sparse 4x1' : 'dense');

/** Density 0 is the page's background, 1 the darkest blue; equal neighbours in a row become one rectangle. */
function gridSvg(grid: DensityGrid, width: number, title: string): string {
  const cell = width / grid.cols;
  const rects: string[] = [];
  for (let row = 0; row < grid.rows; row++) {
    for (let col = 0; col < grid.cols; ) {
      const level = Math.round(grid.density[row * grid.cols + col]! * 16);
      let end = col + 1;
      while (end < grid.cols && Math.round(grid.density[row * grid.cols + end]! * 16) === level) end++;
      if (level > 0) rects.push(`<path d="M${col} ${row}h${end - col}v1h-${end - col}z" class="d${level}"/>`);
      col = end;
    }
  }
  const height = (cell * grid.rows).toFixed(0);
  return `<svg role="img" aria-label="${escapeHtml(title)}" viewBox="0 0 ${grid.cols} ${grid.rows}" width="${width}" height="${height}" shape-rendering="crispEdges">${rects.join('')}</svg>`;
}

/** Level 1 of 16 is the lightest. */
const blue = (level: number): string => `hsl(214 80% ${(92 - level * 4.2).toFixed(0)}%)`;
const STYLE = `
figure svg{border:1px solid var(--line)}figure svg.bars{border:0}svg.bars text{font-size:11px;fill:var(--dim)}
.key{display:inline-flex;gap:2px;vertical-align:middle}.key i{width:14px;height:14px;display:block;border:1px solid var(--line)}
${Array.from({ length: 16 }, (_, i) => `.d${i + 1}{fill:${blue(i + 1)};background:${blue(i + 1)}}`).join('')}
`;

const percent = (ratio: number): string => `${(ratio * 100).toFixed(1)}%`;
const kilobytes = (bytes: number): string => `${(bytes / 1000).toFixed(0)} kB`;

/** Zero ratios of each block shape as bars; the pattern is the dark one. */
function ratioBars({ ratios, pattern }: WeightReport): string {
  const bars = (Object.keys(BLOCKS) as BlockName[]).map((name, i) => {
    const y = i * 18;
    return `<text x="34" y="${y + 12}" text-anchor="end">${name}</text><rect x="40" y="${y + 2}" width="${(ratios[name] * 120).toFixed(1)}" height="12" class="d${name === pattern ? 14 : 6}"/><text x="${(46 + ratios[name] * 120).toFixed(1)}" y="${y + 12}">${percent(ratios[name])}</text>`;
  });
  return `<svg class="bars" role="img" aria-label="zero blocks by shape" viewBox="0 0 215 ${bars.length * 18}" width="215" height="${bars.length * 18}">${bars.join('')}</svg>`;
}

function sentence(entry: HeatMapEntry): string {
  const { weight, report } = entry;
  const { decision, pattern } = report;
  const { kernel, sparse, reason, gain, savedBytes } = kernelOf(entry);
  const zeros = pattern === null ? 'no zeros to speak of' : pattern === '1x1' ? 'zeros are scattered' : `zeros come in ${pattern} blocks`;
  const won = sparse ? `; about ${gain.toFixed(1)}× the dense kernel's speed to expect, ${kilobytes(savedBytes)} saved` : '';
  const rule = decision.sparse === sparse ? '' : ` Its zeros alone would decide for ${ruleName(decision.sparse)}: ${decision.reason}.`;
  return `${weight.out} × ${weight.in}, ${zeros}. Runs on ${kernel}: ${reason}${won}.${rule}`;
}

/**
 * A self-contained page (no script, nothing loaded): a list of the weights, then for each how dense each part of it is, its first 64 × 64
 * elements, where 4x1 blocks show as upright bars, and its zeros by block shape. Rows are output channels, columns inputs.
 */
export function heatMapPage(title: string, entries: readonly HeatMapEntry[]): string {
  const sparse = entries.map(kernelOf).filter((choice) => choice.sparse);
  const saved = sparse.reduce((sum, { savedBytes }) => sum + savedBytes, 0);
  const list = entries.map((entry, i) => {
    const { name, report } = entry;
    const { kernel, sparse, gain } = kernelOf(entry);
    const cells = [percent(report.ratios['1x1']), percent(report.ratios['4x1']), escapeHtml(kernel), sparse ? `${gain.toFixed(1)}×` : ''];
    return `<tr><td class="l"><a href="#w${i}">${escapeHtml(name)}</a></td>${cells.map((cell) => `<td>${cell}</td>`).join('')}</tr>`;
  });
  const sections = entries.map((entry, i) => {
    const { name, weight, report } = entry;
    const whole = gridSvg(densityGrid(weight), 420, `density of ${name}`);
    const corner = gridSvg(cornerGrid(weight), 256, `first elements of ${name}`);
    return `<section id="w${i}"><h2>${escapeHtml(name)}</h2><p class="dim">${escapeHtml(sentence(entry))}</p>
<figure>${whole}<figcaption>density of the whole weight</figcaption></figure><figure>${corner}<figcaption>first 64 × 64 elements</figcaption></figure><figure>${ratioBars(report)}<figcaption>share of zero blocks by shape</figcaption></figure></section>`;
  });
  const key = `<span class="key">${[1, 4, 8, 12, 16].map((level) => `<i class="d${level}"></i>`).join('')}</span>`;
  const subtitle = `${sparse.length} of ${entries.length} weights run on the sparse kernels and save ${kilobytes(saved)}${entries.some(({ chosen }) => chosen) ? '' : ' as int8'}.`;
  const body = `<p class="dim">Rows are output channels, columns inputs; ${key} from few to many non-zeros.</p>
<div class="scroll"><table><thead><tr><th class="l">weight</th><th>zeros</th><th>4x1 zeros</th><th>kernel</th><th>gain</th></tr></thead><tbody>${list.join('')}</tbody></table></div>
${sections.join('\n')}`;
  return page(title, subtitle, body, STYLE);
}
