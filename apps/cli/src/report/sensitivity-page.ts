import type { Histogram, LayerReport, Range, Sensitivity, ValueReport } from '@neural-engine/quantizer';
import { escapeHtml, page } from './page';

const percent = (share: number, digits = 1): string => `${(100 * share).toFixed(digits)}%`;
const short = (value: number): string => String(Number(value.toPrecision(4)));

const STYLE = `
:root{--bar:#3b7dd8;--less:#7fbf7f;--cut:#d1495b;--lost:#d1495b1f}
@media(prefers-color-scheme:dark){:root{--bar:#6aa5f0;--less:#5f9f5f;--cut:#ff8090;--lost:#ff809026}}
figcaption{max-width:330px}svg text{font-size:11px;fill:var(--dim)}
.b{fill:var(--bar)}.n{fill:var(--less)}.l{fill:var(--lost)}.c{stroke:var(--cut);stroke-width:1.5}.a{stroke:var(--line)}
`;

const ROW = 18;
const LABELS = 380;

/** Share of the output noise that goes with each layer, most first. */
function shareBars(layers: readonly LayerReport[]): string {
  const ranked = [...layers].sort((a, b) => b.noiseShare - a.noiseShare);
  const most = Math.max(1e-9, ...ranked.map(({ noiseShare }) => Math.abs(noiseShare)));
  const bars = ranked.map(({ layer, noiseShare }, i) => {
    const width = (Math.abs(noiseShare) / most) * 420;
    const y = i * ROW;
    const name = layer.length > 56 ? `…${layer.slice(-55)}` : layer;
    return `<text x="${LABELS - 8}" y="${y + 13}" text-anchor="end">${escapeHtml(name)}</text><rect class="${noiseShare < 0 ? 'n' : 'b'}" x="${LABELS}" y="${y + 3}" width="${width.toFixed(1)}" height="${ROW - 6}"/><text x="${(LABELS + 6 + width).toFixed(1)}" y="${y + 13}">${percent(noiseShare)}</text>`;
  });
  const height = ranked.length * ROW;
  return `<svg class="shares" role="img" aria-label="share of the output noise by layer" viewBox="0 0 880 ${height}" width="880" height="${height}">${bars.join('')}</svg>`;
}

const [WIDTH, HEIGHT, BARS] = [330, 110, 110];

/** Counts on a logarithmic scale, what lies outside the cut shaded, its ends as lines. */
function histogramSvg({ name, histogram, cut }: ValueReport): string {
  const { from, to, counts } = coarse(histogram, BARS);
  const x = (value: number): number => (to > from ? ((value - from) / (to - from)) * WIDTH : 0);
  const most = Math.log1p(Math.max(...counts));
  const bars = counts.map((count, i) => {
    if (count === 0) return '';
    const height = most === 0 ? 0 : (Math.log1p(count) / most) * HEIGHT;
    return `<rect class="b" x="${((i * WIDTH) / BARS).toFixed(1)}" y="${(HEIGHT - height).toFixed(1)}" width="${(WIDTH / BARS - 0.4).toFixed(1)}" height="${height.toFixed(1)}"/>`;
  });
  const ends = [Math.max(0, Math.min(WIDTH, x(cut.min))), Math.max(0, Math.min(WIDTH, x(cut.max)))] as const;
  const shade = (at: number, width: number): string =>
    width > 0.5 ? `<rect class="l" x="${at.toFixed(1)}" y="0" width="${width.toFixed(1)}" height="${HEIGHT}"/>` : '';
  const line = (at: number): string => `<line class="c" x1="${at.toFixed(1)}" x2="${at.toFixed(1)}" y1="0" y2="${HEIGHT}"/>`;
  const label = (value: number, at: number, anchor: string): string =>
    `<text x="${at}" y="${HEIGHT + 14}" text-anchor="${anchor}">${short(value)}</text>`;
  return `<svg class="histogram" role="img" aria-label="${escapeHtml(`histogram of ${name}`)}" viewBox="0 0 ${WIDTH} ${HEIGHT + 18}" width="${WIDTH}" height="${HEIGHT + 18}">${bars.join('')}${shade(0, ends[0])}${shade(ends[1], WIDTH - ends[1])}<line class="a" x1="0" x2="${WIDTH}" y1="${HEIGHT}" y2="${HEIGHT}"/>${ends.map(line).join('')}${label(from, 0, 'start')}${label(to, WIDTH, 'end')}</svg>`;
}

/** Joins bins into `bars` equal parts of the observed range. */
function coarse(histogram: Histogram, bars: number): { from: number; to: number; counts: number[] } {
  const { first, end } = histogram.span;
  const counts = new Array<number>(bars).fill(0);
  for (let bin = first; bin < end; bin++) counts[Math.floor(((bin - first) * bars) / (end - first))]! += histogram.counts[bin]!;
  return { from: histogram.edge(first), to: histogram.edge(end), counts };
}

const rangeText = ({ min, max }: Range): string => `${short(min)} … ${short(max)}`;

function figure(value: ValueReport): string {
  const lost = value.clipped > 0 ? `, ${percent(value.clipped, 3)} clipped` : '';
  const caption = `${value.role}: codes span ${rangeText(value.cut)} of ${rangeText(value.histogram)}, ${value.snr.toFixed(1)} dB${lost}`;
  return `<figure>${histogramSvg(value)}<figcaption>${escapeHtml(caption)}</figcaption></figure>`;
}

/**
 * A self-contained page (no script, nothing loaded): what each layer's 8-bit form costs the outputs, as bars and as a table, and the
 * histogram of every value with the range that was chosen for it.
 */
export function sensitivityPage(title: string, sensitivity: Sensitivity, layers: readonly LayerReport[]): string {
  const rows = layers.map(({ layer, op, noiseShare, snrWithout, values }, i) => {
    const worst = values.reduce((low, { snr }) => Math.min(low, snr), 200);
    const cells = [op === 'Attention' ? 'attention' : 'product', percent(noiseShare), snrWithout.toFixed(2), worst.toFixed(1)];
    return `<tr><td class="l"><a href="#l${i}">${escapeHtml(layer)}</a></td>${cells.map((cell) => `<td>${cell}</td>`).join('')}</tr>`;
  });
  const sections = layers.map(
    ({ layer, values }, i) => `<section id="l${i}"><h2>${escapeHtml(layer)}</h2>${values.map(figure).join('')}</section>`,
  );
  const subtitle = `With all ${layers.length} layers in int8 the outputs have ${sensitivity.snr.toFixed(2)} dB of signal to noise.`;
  const body = `<p class="dim">A bar is the share of that noise which goes when one layer stays f32; green where it grows.</p>
${shareBars(layers)}
<div class="scroll"><table><thead><tr><th class="l">layer</th><th>kind</th><th>noise share</th><th>dB without it</th><th>worst value, dB</th></tr></thead><tbody>${rows.join('')}</tbody></table></div>
<p class="dim">Histograms count on a logarithmic scale. Red lines are the ends of the range that 256 codes span; what lies outside becomes its ends.</p>
${sections.join('\n')}`;
  return page(title, subtitle, body, STYLE);
}
