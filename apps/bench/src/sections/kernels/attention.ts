import { load } from '@neural-engine/engine';
import { instructionRates, rateOfKernel } from '@neural-engine/kernels';
import { BASE } from '../../../../../tooling/models/encoder';
import type { Context } from '../../context';
import { bodyFeeds } from '../../feeds';
import { barOf } from '../../goals';
import { minimum } from '../../race';
import type { Row, Section } from '../../record';
import { stepTimes } from '../../step-times';

/** The fused attention of whole bodies: scores, softmax and sums of values. */
export async function attentionShares({ quick, models, step }: Context): Promise<Section[]> {
  const session = await (await load(await models.bodyInt8(0.8), { cache: models.cache })).session({ threads: 1 });
  const rows: Row[] = [];
  for (const seqLen of [128, 384]) {
    step(`attention, ${seqLen} tokens`);
    const feeds = bodyFeeds({ batch: 1, seqLen }, BASE.hidden);
    const before = rateOfKernel('attention_i8', instructionRates());
    const times: number[] = [];
    for (let i = 0; i < (quick ? 20 : 100); i++) {
      const { profile, program } = await session.profile(feeds);
      if (i >= 2) times.push(stepTimes(profile, program).get('attention_i8')!);
    }
    const after = rateOfKernel('attention_i8', instructionRates());
    const nanoseconds = minimum(times);
    const gmacs = (BASE.layers * 2 * BASE.hidden * seqLen * seqLen) / nanoseconds;
    const peak = Math.max(before?.gmacs ?? 0, after?.gmacs ?? 0);
    const what = `${BASE.heads} heads of ${BASE.hidden / BASE.heads}, ${seqLen} tokens`;
    const micros = `${(nanoseconds / BASE.layers / 1000).toFixed(0)} µs a layer`;
    rows.push(
      peak > 0
        ? {
            what,
            measured: (100 * gmacs) / peak,
            unit: '%',
            detail: `${micros}, ${gmacs.toFixed(0)} of ${peak.toFixed(0)} GMAC/s by ${before!.instruction}`,
            ...barOf('attention share'),
          }
        : { what, measured: gmacs, unit: 'GMAC/s', detail: micros },
    );
  }
  await session.close();
  const note =
    'Multiply-adds of scores and values, softmax included in the time, as a share of the rate of `vpdpbusd` (or `vpmaddwd`) on registers in the same process. One core, inside a whole body; fastest run.';
  return [{ title: 'Fused int8 attention against the instruction rate', note, rows }];
}
