import { load } from '@neural-engine/engine';
import { BASE } from '../../../../tooling/models/encoder';
import type { Context, SectionSpec } from '../context';
import { bodyFeeds, tokenFeeds } from '../feeds';
import { barOf } from '../goals';
import { median, minimum, pairedRatio, race, timed } from '../race';
import type { Row, Section } from '../record';

/** Two cores against one, and packed sequences against padded ones. */
async function scaling({ quick, models, step }: Context): Promise<Section[]> {
  const body = await load(await models.bodyInt8(0.8), { cache: models.cache });
  const [one, two] = [await body.session({ threads: 1 }), await body.session({ threads: 2 })];
  const rows: Row[] = [];
  for (const { batch, seqLen } of [
    { batch: 1, seqLen: 128 },
    { batch: 8, seqLen: 128 },
    { batch: 8, seqLen: 384 },
  ]) {
    step(`two threads against one, batch ${batch}, ${seqLen} tokens`);
    const feeds = bodyFeeds({ batch, seqLen }, BASE.hidden);
    const times = await race(
      new Map([
        ['one', timed(() => one.run(feeds))],
        ['two', timed(() => two.run(feeds))],
      ]),
      { seconds: quick ? 2 : 8 },
    );
    rows.push({
      what: `batch ${batch}, ${seqLen} tokens`,
      measured: pairedRatio(times, 'two', 'one'),
      unit: '× one thread',
      detail: `${median(times.get('two')!).toFixed(2)} ms against ${median(times.get('one')!).toFixed(2)}; ${(minimum(times.get('one')!) / minimum(times.get('two')!)).toFixed(2)}× at best`,
      ...(batch === 8 ? barOf('two cores') : {}),
    });
  }
  await Promise.all([one.close(), two.close()]);
  return [{ title: 'Two cores over one: DistilBERT-base body, 80% zeros, int8', note: 'Threads are not pinned.', rows }];
}

async function packing({ quick, models, step }: Context): Promise<Section[]> {
  const model = await load(await models.baseInt8(), { cache: models.cache });
  const session = await model.session({ threads: 1 });
  const seqLen = 128;
  // 32 lengths of 16 to 128 tokens, by a fixed rule.
  const lengths = Array.from({ length: 32 }, (_, i) => 16 + ((i * 73) % 113));
  const shape = { batch: lengths.length, seqLen };
  step('32 sequences of 16–128 tokens, packed and padded');
  const [packed, padded] = [tokenFeeds(shape, lengths), tokenFeeds(shape)];
  const times = await race(
    new Map([
      ['packed', timed(() => session.run(packed))],
      ['padded', timed(() => session.run(padded))],
    ]),
    { seconds: quick ? 4 : 12 },
  );
  await session.close();
  const real = lengths.reduce((a, b) => a + b, 0);
  return [
    {
      title: 'Sequences packed without padding: DistilBERT-base shape, 80% zeros, int8, one core',
      rows: [
        {
          what: '32 sequences of 16–128 tokens against 32 of 128',
          measured: pairedRatio(times, 'packed', 'padded'),
          unit: '×',
          detail: `${median(times.get('packed')!).toFixed(1)} ms against ${median(times.get('padded')!).toFixed(1)}; ${real} of ${32 * seqLen} tokens are real, ${((32 * seqLen) / real).toFixed(2)}× fewer`,
          ...barOf('packing'),
        },
      ],
    },
  ];
}

export const scalingSection: SectionSpec = {
  name: 'scaling',
  about: 'two cores over one; packed sequences over padded ones',
  runs: [
    { pinned: false, run: scaling },
    { pinned: true, run: packing },
  ],
};
