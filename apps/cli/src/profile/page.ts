import type { Row } from '../output/table';
import { htmlTable } from '../report/html-table';
import { escapeHtml, page } from '../report/page';
import { PROFILE_COLUMNS, type ProfileResult } from './profile';
import { WHAT_IF } from './what-if';

/** Where the time goes, by kernel and by layer, and what more zeros would bring; a page that loads nothing. */
export function profilePage(title: string, { rows, facts }: ProfileResult): string {
  const total = rows.reduce((sum, row) => sum + Number(row['ms']), 0);
  const byKernel = new Map<string, number>();
  for (const row of rows) byKernel.set(String(row['kernel']), (byKernel.get(String(row['kernel'])) ?? 0) + Number(row['ms']));
  const kernels = [...byKernel].sort(([, a], [, b]) => b - a);
  const ifs = WHAT_IF.map(
    (zeros) => `${rows.reduce((sum, row) => sum + Number(row[`at${zeros * 100}`]), 0).toFixed(2)} ms at ${zeros * 100}%`,
  );
  const cost = (facts.wallMs / facts.unprofiledMs - 1) * 100;
  const body = `<p>${facts.wallMs.toFixed(2)} ms a run (median of ${facts['iterations']}); without profiling ${facts.unprofiledMs.toFixed(2)} ms${cost > 0 ? `, so profiling costs ${cost.toFixed(1)}%` : ''}.
If every weight had more zero 4x1 blocks, an estimate: ${ifs.join(', ')}.</p>
<h2>By kernel</h2>${kernelBars(kernels, total)}
<h2>By layer</h2>${htmlTable(PROFILE_COLUMNS, rows, isHeavy(rows))}
<p class="dim">ms: time of all threads in a layer, divided by their number. GMAC/s counts every multiply-add as if no weight were zero; % of CPU counts only those that are done, against the rate of their instruction that was measured in this process. MiB: weight and activations, once each. “ms at 70%”: what the layer would take with that share of zero 4x1 blocks.</p>`;
  return page(
    `Profile of ${title}`,
    `${facts['cpu']}, ${facts['tier']}, ${facts['threads']} thread${facts['threads'] === 1 ? '' : 's'}, ${facts['batch']} × ${facts['seqLen']} tokens`,
    body,
  );
}

function kernelBars(kernels: readonly (readonly [string, number])[], total: number): string {
  const most = kernels[0]?.[1] ?? 1;
  const lines = kernels.map(
    ([name, ms]) =>
      `<tr><td class="l">${escapeHtml(name)}</td><td>${ms.toFixed(3)} ms</td><td>${((ms / total) * 100).toFixed(1)}%</td><td class="l"><span class="bar" style="width:${((ms / most) * 28).toFixed(2)}rem"></span></td></tr>`,
  );
  return `<div class="scroll"><table><tbody>${lines.join('')}</tbody></table></div>`;
}

/** The layers that take most. */
function isHeavy(rows: readonly Row[]): (row: Row) => boolean {
  const limit = [...rows].sort((a, b) => Number(b['ms']) - Number(a['ms'])).slice(0, 3);
  return (row) => limit.includes(row);
}
