import { compileModel, engineRunner } from '@neural-engine/engine';
import { layerReports, measureSensitivity } from '@neural-engine/quantizer';
import { positiveInteger } from '../context';
import { progress } from '../output/progress';
import type { Column, Row } from '../output/table';
import { Outputs } from '../outputs';
import { sensitivityPage } from '../report/sensitivity-page';
import { calibrateModel, type QuantizeFlags, rankingRuns } from './quantize';

export const SENSITIVITY_COLUMNS: readonly Column[] = [
  { key: 'layer', title: 'layer', align: 'left' },
  { key: 'op', title: 'kind', align: 'left' },
  { key: 'noiseShare', title: 'noise share', digits: 3 },
  { key: 'snrWithout', title: 'dB without it', digits: 2 },
  { key: 'min', title: 'input from', digits: 3 },
  { key: 'max', title: 'to', digits: 3 },
  { key: 'cutMin', title: 'codes from', digits: 3 },
  { key: 'cutMax', title: 'to', digits: 3 },
  { key: 'inputSnr', title: 'input dB', digits: 1 },
  { key: 'clipped', title: 'clipped', digits: 6 },
];

/** Layers by what their int8 form costs, and a page with pictures where a file is named. */
export async function sensitivityReport(path: string, title: string, flags: QuantizeFlags & { html?: string; force?: boolean }) {
  using outputs = await Outputs.claim([{ flag: '--html', path: flags.html }], [path, flags.calibration, flags.recipe], flags.force);
  const graph = await compileModel(path);
  const { calibration, set, recipe } = await calibrateModel(path, graph, flags);
  const bar = progress('comparing layers', 1);
  const sensitivity = await measureSensitivity(graph, calibration.ranges, {
    samples: rankingRuns(set),
    run: engineRunner(flags.threads ? { threads: positiveInteger('--threads', flags.threads, 1024) } : {}),
    recipe,
    onProgress: (done, total) => bar.update(done / total),
  }).finally(() => bar.stop());
  const layers = layerReports(graph, calibration, sensitivity, recipe);
  await outputs.save(flags.html, () => sensitivityPage(`Sensitivity of ${title}`, sensitivity, layers));
  const rows = [...layers]
    .sort((a, b) => b.noiseShare - a.noiseShare)
    .map(({ layer, op, noiseShare, snrWithout, values }): Row => {
      const input = values[0]!;
      return {
        layer,
        op: op === 'Attention' ? 'attention' : 'product',
        noiseShare,
        snrWithout,
        min: input.histogram.min,
        max: input.histogram.max,
        cutMin: input.cut.min,
        cutMax: input.cut.max,
        inputSnr: input.snr,
        clipped: input.clipped,
      };
    });
  return { rows, facts: { schema: 'sensitivity', model: path, snr: sensitivity.snr, samples: set.count, warnings: calibration.warnings } };
}
