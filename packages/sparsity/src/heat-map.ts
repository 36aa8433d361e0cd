import type { SparseDecision } from './decide';
import { cornerGrid, type DensityGrid, densityGrid } from './density-grid';
import type { WeightView } from './measure';

/** One weight of the page. */
export interface HeatMapEntry {
  readonly name: string;
  readonly weight: WeightView;
  readonly decision: SparseDecision;
}

const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);

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

const STYLE = `
:root{color-scheme:light dark;--ink:#1c2733;--mute:#5b6b7b;--line:#d5dde5;--paper:#fff;--hue:214}
@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--mute:#9aa7b4;--line:#2c3845;--paper:#11181f}}
body{font:14px/1.45 system-ui,sans-serif;color:var(--ink);background:var(--paper);margin:2rem auto;max-width:72rem;padding:0 1rem}
h1{font-size:1.4rem;margin:0 0 .3rem}p{color:var(--mute);margin:.2rem 0 1rem}
section{border-top:1px solid var(--line);padding:1rem 0}h2{font-size:1rem;margin:0 0 .2rem;overflow-wrap:anywhere}
figure{display:inline-block;margin:.4rem 1.5rem .4rem 0;vertical-align:top}figcaption{color:var(--mute);font-size:.8rem}
svg{border:1px solid var(--line);display:block;max-width:100%}
.key{display:inline-flex;gap:2px;vertical-align:middle}.key i{width:14px;height:14px;display:block;border:1px solid var(--line)}
${Array.from({ length: 16 }, (_, i) => `.d${i + 1}{fill:hsl(214 80% ${(92 - (i + 1) * 4.2).toFixed(0)}%);background:hsl(214 80% ${(92 - (i + 1) * 4.2).toFixed(0)}%)}`).join('')}
`;

/**
 * A self-contained page (no script, nothing loaded) with two pictures a weight: how dense each part of it is, and its first 64 × 64 elements,
 * where 4x1 blocks show as upright bars. Rows are output channels, columns inputs.
 */
export function heatMapPage(title: string, entries: readonly HeatMapEntry[]): string {
  const sparse = entries.filter((entry) => entry.decision.sparse).length;
  const sections = entries.map(({ name, weight, decision }) => {
    const whole = gridSvg(densityGrid(weight), 420, `density of ${name}`);
    const corner = gridSvg(cornerGrid(weight), 256, `first elements of ${name}`);
    return `<section><h2>${escapeHtml(name)}</h2><p>${weight.out} × ${weight.in}, runs ${decision.sparse ? 'sparse 4x1' : 'dense'}: ${escapeHtml(decision.reason)}</p>
<figure>${whole}<figcaption>density of the whole weight</figcaption></figure><figure>${corner}<figcaption>first 64 × 64 elements</figcaption></figure></section>`;
  });
  const key = `<span class="key">${[1, 4, 8, 12, 16].map((level) => `<i class="d${level}"></i>`).join('')}</span>`;
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escapeHtml(title)}</title><style>${STYLE}</style></head><body>
<h1>${escapeHtml(title)}</h1><p>${sparse} of ${entries.length} weights run on the sparse kernels. Rows are output channels, columns inputs; ${key} from few to many non-zeros.</p>
${sections.join('\n')}
</body></html>
`;
}
