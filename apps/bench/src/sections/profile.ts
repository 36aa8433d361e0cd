import { load } from '@neural-engine/engine';
import { BASE } from '../../../../tooling/models/encoder';
import type { Context, SectionSpec } from '../context';
import { bodyFeeds } from '../feeds';
import { barOf } from '../goals';
import { median } from '../race';
import type { Row, Section } from '../record';
import { stepTimes } from '../step-times';

/** Where the time of a body goes: products, attention, the rest. */
async function timeByStep({ quick, models, step }: Context): Promise<Section[]> {
  const session = await (await load(await models.bodyInt8(0.8), { cache: models.cache })).session({ threads: 1 });
  const rows: Row[] = [];
  for (const seqLen of [128, 384]) {
    step(`shares of time, ${seqLen} tokens`);
    const feeds = bodyFeeds({ batch: 1, seqLen }, BASE.hidden);
    const runs: Map<string, number>[] = [];
    for (let i = 0; i < (quick ? 12 : 60); i++) {
      const { profile, program } = await session.profile(feeds);
      const spent = stepTimes(profile, program).set('all', profile.wallNs);
      if (i >= 2) runs.push(spent);
    }
    const share = (op: string): number => median(runs.map((spent) => (100 * (spent.get(op) ?? 0)) / spent.get('all')!));
    const others = [...new Set(runs.flatMap((spent) => [...spent.keys()]))].filter((op) => op !== 'all' && op !== 'linear_i8');
    rows.push({
      what: `time outside sparse products, ${seqLen} tokens`,
      measured: 100 - share('linear_i8'),
      unit: '%',
      detail: others.map((op) => `${op} ${share(op).toFixed(1)}`).join(', '),
      ...barOf(`outside ${seqLen}`),
    });
  }
  await session.close();
  return [{ title: 'Where the time goes: DistilBERT-base body, 80% zeros, int8, batch 1, one core', rows }];
}

export const profileSection: SectionSpec = {
  name: 'profile',
  about: 'time outside the sparse products',
  runs: [{ pinned: true, run: timeByStep }],
};
