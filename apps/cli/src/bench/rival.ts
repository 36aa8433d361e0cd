import { type LoadOptions, load, type Placement } from '@neural-engine/engine';
import { benchFeeds } from '../feeds';
import type { BenchCase } from './options';
import { type OrtSession, openOrt } from './ort';
import { vocabularyOf } from './vocabulary';

/** What a model is measured against, run for run. */
export type RivalOptions =
  | { readonly kind: 'onnxruntime'; readonly file: string }
  /** This engine on another model, or on the same in another way. */
  | { readonly kind: 'model'; readonly model: string; readonly load: LoadOptions };

/** A rival that is ready to run one combination. */
export interface Rival {
  run(): Promise<unknown>;
  close(): Promise<void>;
}

type Shape = Pick<BenchCase, 'batch' | 'seqLen'>;

/**
 * Opens a rival with as many threads, on the same cores.
 *
 * @param feeds  what ONNX Runtime is fed; another model makes its own, with the same seed.
 */
export async function openRival(
  rival: RivalOptions,
  feeds: Parameters<OrtSession['run']>[0],
  { batch, seqLen }: Shape,
  { threads, cores }: Placement,
): Promise<Rival> {
  if (rival.kind === 'onnxruntime') {
    const session = await openOrt(rival.file, threads);
    return { run: () => session.run(feeds), close: () => session.close() };
  }
  const other = await load(rival.model, rival.load);
  const fed = benchFeeds(other.inputs, { batch, seqLen, vocabulary: vocabularyOf(other) });
  const session = await other.session({ threads, cores });
  return { run: () => session.run(fed), close: () => session.close() };
}
