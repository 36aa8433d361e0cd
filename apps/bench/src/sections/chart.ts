import { load } from '@neural-engine/engine';
import { BASE } from '../../../../tooling/models/encoder';
import { speedChart } from '../chart';
import type { Context, SectionSpec } from '../context';
import { bodyFeeds, ortBodyFeeds } from '../feeds';
import { openBody } from '../models';
import { type Contestant, fastestOf, median, minimum, pairedRatio, race, timed } from '../race';
import type { Row, Section } from '../record';

const SHAPE = { batch: 1, seqLen: 128 };

/** Speed of the DistilBERT-base body over its share of zeros, beside ONNX Runtime, whose speed does not depend on it. */
async function speedBySparsity({ quick, models, step }: Context): Promise<Section[]> {
  const shares = quick ? [0, 0.5, 0.7, 0.8, 0.9, 0.95] : [0, 0.25, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95];
  const feeds = bodyFeeds(SHAPE, BASE.hidden);
  const theirs = ortBodyFeeds(feeds);
  const peers = await Promise.all((['dynamic', 'qdq'] as const).map(async (form) => [form, await openBody(form, BASE, 1)] as const));
  const rows: Row[] = [];
  const points: { share: number; ours: number; dense: number; ort: number }[] = [];
  for (const share of shares) {
    step(`${share * 100}% zeros: preparing`);
    const path = await models.bodyInt8(share);
    const sessions = await Promise.all(
      (['auto', 'never'] as const).map(
        async (sparse) => [sparse, await (await load(path, { sparse, cache: models.cache })).session({ threads: 1 })] as const,
      ),
    );
    step(`${share * 100}% zeros`);
    const contestants = new Map<string, Contestant>(sessions.map(([name, session]) => [name, timed(() => session.run(feeds))]));
    for (const [form, peer] of peers)
      contestants.set(
        form,
        timed(() => peer.run(theirs)),
      );
    const times = await race(contestants, { seconds: quick ? 1.5 : 5 });
    const best = fastestOf(times, ['dynamic', 'qdq']);
    const perSecond = (name: string): number => 1000 / median(times.get(name)!);
    points.push({ share, ours: perSecond('auto'), dense: perSecond('never'), ort: perSecond(best) });
    rows.push({
      what: `${share * 100}% zeros`,
      measured: pairedRatio(times, 'auto', best),
      unit: '× ONNX Runtime',
      detail: `${perSecond('auto').toFixed(1)} sequences/s (${minimum(times.get('auto')!).toFixed(2)} ms at best), dense kernels ${perSecond('never').toFixed(1)}, ONNX Runtime ${perSecond(best).toFixed(1)}`,
    });
    for (const [, session] of sessions) await session.close();
  }
  for (const [, peer] of peers) await peer.release();
  const title = 'Speed by share of zeros: DistilBERT-base body, int8, batch 1, 128 tokens, one core';
  return [{ title, rows, pictures: [{ name: 'speed-by-sparsity', svg: speedChart(points, title) }] }];
}

export const chart: SectionSpec = {
  name: 'chart',
  about: 'speed over the share of zeros, 0–95%, with a picture',
  runs: [{ pinned: true, run: speedBySparsity }],
};
