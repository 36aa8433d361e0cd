import { demoModelPath } from '@neural-engine/demo-model';
import { load } from '@neural-engine/engine';
import type { Context, SectionSpec } from '../context';
import { ortTokenFeeds, tokenFeeds } from '../feeds';
import { barOf } from '../goals';
import { openPeer } from '../models';
import { type Contestant, median, minimum, pairedRatio, race, timed } from '../race';
import type { Row, Section } from '../record';

/** The same fp32 file here, dense and sparse, and in ONNX Runtime. */
const against = (threads: number) =>
  async function fp32({ quick, models, step }: Context): Promise<Section[]> {
    const sections: Section[] = [];
    for (const [title, path] of [
      ['Embedded model, fp32', demoModelPath()],
      ['DistilBERT-base shape, 80% zeros, fp32', await models.baseOnnx()],
    ] as const) {
      step(`${title}: preparing`);
      const peer = await openPeer(path, threads);
      const sessions = await Promise.all(
        (['never', 'auto'] as const).map(
          async (sparse) =>
            [
              sparse === 'never' ? 'dense' : 'sparse',
              await (await load(path, { sparse, cache: models.cache })).session({ threads }),
            ] as const,
        ),
      );
      const rows: Row[] = [];
      for (const batch of [1, 8]) {
        for (const seqLen of [128, 384]) {
          step(`${title}: batch ${batch}, ${seqLen} tokens, ${threads} thread${threads > 1 ? 's' : ''}`);
          const feeds = tokenFeeds({ batch, seqLen });
          const theirs = ortTokenFeeds(feeds);
          const contestants = new Map<string, Contestant>(sessions.map(([name, session]) => [name, timed(() => session.run(feeds))]));
          contestants.set(
            'ort',
            timed(() => peer.run(theirs)),
          );
          const times = await race(contestants, { seconds: quick ? 2.5 : 8, atLeast: quick ? 2 : 4, calmFirst: threads > 1 });
          for (const [name] of sessions) {
            rows.push({
              what: `${name}, batch ${batch}, ${seqLen} tokens`,
              measured: pairedRatio(times, name, 'ort'),
              unit: '× ONNX Runtime fp32',
              detail: `${median(times.get(name)!).toFixed(2)} ms, at best ${minimum(times.get(name)!).toFixed(2)}; theirs ${median(times.get('ort')!).toFixed(2)}, at best ${minimum(times.get('ort')!).toFixed(2)}`,
              ...barOf('fp32'),
            });
          }
        }
      }
      for (const [, session] of sessions) await session.close();
      await peer.release();
      sections.push({ title: `${title}, ${threads === 1 ? 'one core' : `${threads} threads`}`, rows });
    }
    return sections;
  };

export const fp32: SectionSpec = {
  name: 'fp32',
  about: 'fp32 models against ONNX Runtime on the same file',
  runs: [
    { pinned: true, run: against(1) },
    { pinned: false, run: against(2) },
  ],
};
