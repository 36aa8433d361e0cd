import { load, type Session } from '@neural-engine/engine';
import type { Context, SectionSpec } from '../context';
import { tokenFeeds } from '../feeds';
import { type Contestant, median, minimum, pairedRatio, race, timed } from '../race';
import type { Row, Section } from '../record';

const CASES = [
  { batch: 1, seqLen: 128 },
  { batch: 8, seqLen: 128 },
] as const;

const POLICIES = { never: 'dense', auto: 'sparse' } as const;

/** One model in every precision, with dense kernels and those that are chosen, against its fp32 form with kernels of the same kind. */
async function precisions({ quick, models, step }: Context): Promise<Section[]> {
  const paths = {
    fp32: await models.baseOnnx(),
    bf16: await models.baseBf16(),
    'dynamic int8': await models.baseDynamic(),
    'static int8': await models.baseInt8(),
    'static int8 with bf16 between': await models.baseInt8('bf16'),
  };
  const rows: Row[] = [];
  for (const [sparse, kind] of Object.entries(POLICIES) as ['never' | 'auto', string][]) {
    step(`${kind}: preparing`);
    const sessions: [string, Session][] = [];
    for (const [name, path] of Object.entries(paths))
      sessions.push([name, await (await load(path, { sparse, cache: models.cache })).session({ threads: 1 })]);
    for (const shape of CASES) {
      step(`${kind}: batch ${shape.batch}, ${shape.seqLen} tokens`);
      const feeds = tokenFeeds(shape);
      const contestants = new Map<string, Contestant>(sessions.map(([name, session]) => [name, timed(() => session.run(feeds))]));
      const times = await race(contestants, { seconds: quick ? 3 : 10, atLeast: quick ? 3 : 5 });
      for (const [name] of sessions.slice(1)) {
        const mine = times.get(name)!;
        rows.push({
          what: `${name}, ${kind}, batch ${shape.batch}, ${shape.seqLen} tokens`,
          measured: pairedRatio(times, name, 'fp32'),
          unit: '× fp32',
          detail: `${median(mine).toFixed(2)} ms, at best ${minimum(mine).toFixed(2)}; fp32 ${median(times.get('fp32')!).toFixed(2)}, at best ${minimum(times.get('fp32')!).toFixed(2)}`,
        });
      }
    }
    for (const [, session] of sessions) await session.close();
  }
  const note = 'Runs in turn; medians of paired ratios. On CPUs without bf16 instructions bf16 is widened and multiplied as f32.';
  return [{ title: 'Precisions: DistilBERT-base shape, 80% zeros, one core', note, rows }];
}

export const precisionsSection: SectionSpec = {
  name: 'precisions',
  about: 'bf16, dynamic and static int8 against fp32, all ours',
  runs: [{ pinned: true, run: precisions }],
};
