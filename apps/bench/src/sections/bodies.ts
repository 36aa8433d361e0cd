import { load, type Session, type Tensor } from '@neural-engine/engine';
import { BASE } from '../../../../tooling/models/encoder';
import type { Context, SectionSpec } from '../context';
import { bodyFeeds, ortBodyFeeds, tokenFeeds } from '../feeds';
import { barOf } from '../goals';
import { DEMO, openBody } from '../models';
import { type Contestant, fastestOf, median, minimum, pairedRatio, race, timed } from '../race';
import type { Row, Section } from '../record';

const CASES = [
  { batch: 1, seqLen: 128 },
  { batch: 8, seqLen: 128 },
  { batch: 1, seqLen: 384 },
  { batch: 8, seqLen: 384 },
] as const;

const INT8_FORMS = ['dynamic', 'qdq'] as const;
const FORM_NAMES = { dynamic: 'dynamic int8', qdq: 'QDQ int8' } as const;

interface Ours {
  readonly name: string;
  readonly session: Session;
  readonly feeds: (shape: { batch: number; seqLen: number }) => Record<string, Tensor>;
  /** Figure whose bars apply, before the case. */
  readonly figure?: string;
}

/** Whole int8 encoders against the better of ONNX Runtime's two int8 graphs of the same shape. */
const against = (threads: number) =>
  async function bodies({ quick, models, step }: Context): Promise<Section[]> {
    const open = async (path: string, sparse: 'auto' | 'never' = 'auto'): Promise<Session> =>
      (await load(path, { sparse, cache: models.cache })).session({ threads });
    const suites = [
      {
        title: 'DistilBERT-base body (6 layers, width 768), int8',
        shape: BASE,
        ours: async (): Promise<Ours[]> => [
          {
            name: '80% zeros',
            session: await open(await models.bodyInt8(0.8)),
            feeds: (shape) => bodyFeeds(shape, BASE.hidden),
            figure: 'body',
          },
          {
            name: '90% zeros',
            session: await open(await models.bodyInt8(0.9)),
            feeds: (shape) => bodyFeeds(shape, BASE.hidden),
            figure: 'body90',
          },
          {
            name: 'dense kernels',
            session: await open(await models.bodyInt8(0.8), 'never'),
            feeds: (shape) => bodyFeeds(shape, BASE.hidden),
            figure: 'dense',
          },
        ],
      },
      {
        title: 'Embedded model (6 layers, width 384), int8, with embeddings and head against a body without',
        shape: DEMO,
        ours: async (): Promise<Ours[]> => [{ name: 'embedded model', session: await open(await models.demoInt8()), feeds: tokenFeeds }],
      },
    ];
    const sections: Section[] = [];
    for (const { title, shape, ours } of suites) {
      step(`${title}: preparing`);
      const contenders = await ours();
      const peers = await Promise.all(INT8_FORMS.map(async (form) => [form, await openBody(form, shape, threads)] as const));
      const rows: Row[] = [];
      for (const { batch, seqLen } of CASES) {
        step(`${title}: batch ${batch}, ${seqLen} tokens, ${threads} thread${threads > 1 ? 's' : ''}`);
        const theirs = ortBodyFeeds(bodyFeeds({ batch, seqLen }, shape.hidden));
        const contestants = new Map<string, Contestant>();
        for (const { name, session, feeds } of contenders) {
          const fed = feeds({ batch, seqLen });
          contestants.set(
            name,
            timed(() => session.run(fed)),
          );
        }
        for (const [form, peer] of peers)
          contestants.set(
            form,
            timed(() => peer.run(theirs)),
          );
        const times = await race(contestants, { seconds: quick ? 3 : 12, atLeast: quick ? 3 : 5, calmFirst: threads > 1 });
        const best = fastestOf(times, INT8_FORMS) as (typeof INT8_FORMS)[number];
        for (const { name, figure } of contenders) {
          const mine = times.get(name)!;
          rows.push({
            what: `${name}, batch ${batch}, ${seqLen} tokens`,
            measured: pairedRatio(times, name, best),
            unit: '× ONNX Runtime',
            detail: `${median(mine).toFixed(2)} ms, at best ${minimum(mine).toFixed(2)}; ${FORM_NAMES[best]} ${median(times.get(best)!).toFixed(2)} ms, at best ${minimum(times.get(best)!).toFixed(2)}`,
            ...(threads === 1 && figure ? barOf(`${figure} ${batch}x${seqLen}`) : {}),
          });
        }
      }
      for (const { session } of contenders) await session.close();
      for (const [, peer] of peers) await peer.release();
      sections.push({
        title: `${title}, ${threads === 1 ? 'one core' : `${threads} threads`}`,
        note: 'Runs in turn; medians of paired ratios. Theirs is the faster of a dynamic and a QDQ graph with fused operators, dense.',
        rows,
      });
    }
    return sections;
  };

export const bodies: SectionSpec = {
  name: 'bodies',
  about: "whole int8 encoders against ONNX Runtime's best int8 graphs",
  runs: [
    { pinned: true, run: against(1) },
    { pinned: false, run: against(2) },
  ],
};
