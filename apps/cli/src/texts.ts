import { text as readStream } from 'node:stream/consumers';
import { EngineError } from '@neural-engine/core';
import { load, pipeline } from '@neural-engine/engine';
import { readTexts } from '@neural-engine/evaluation';
import type { TextItem } from '@neural-engine/text';
import { positiveInteger } from './context';
import { embeddingsOf } from './embeddings';
import { readText } from './files';
import { progress } from './output/progress';
import type { Column, Row } from './output/table';
import { Outputs } from './outputs';
import { tensorsToFile } from './tensor-files';

export interface TextFlags {
  readonly input?: string;
  readonly pair?: string;
  readonly tokenizer?: string;
  readonly batchSize: string;
  readonly threads?: string;
  readonly embeddings?: string;
}

export const CLASSIFY_COLUMNS: readonly Column[] = [
  { key: 'text', title: 'text', align: 'left' },
  { key: 'label', title: 'label', align: 'left' },
  { key: 'score', title: 'score', digits: 4 },
];

/** The best classes of each text, a row each. */
export async function classify(model: string, texts: readonly string[], flags: TextFlags & { topK: number }): Promise<Row[]> {
  // Flags are read before stdin is waited for.
  const options = shared(flags);
  const how = embeddingsOf(flags.embeddings);
  const items = await itemsOf(texts, flags);
  const classifier = await pipeline('text-classification', await load(model, how), options);
  const bar = progress('classifying', items.length);
  try {
    const found = await classifier.classifyAll(items, { topK: flags.topK, onProgress: ({ done }) => bar.update(done) });
    return found.flatMap((classes, i) => classes.map(({ label, score }): Row => ({ text: textOf(items[i]!), label, score })));
  } finally {
    bar.stop();
    await classifier.close();
  }
}

/** JSON lines `{ text, embedding }`, none where a file is written instead. */
export async function embed(
  model: string,
  texts: readonly string[],
  flags: TextFlags & { output?: string; pooling: string; normalize: boolean; force?: boolean },
): Promise<string[]> {
  const { output, input } = flags;
  using outputs = await Outputs.claim([{ flag: '--output', path: output }], [model, input], flags.force);
  const pooling = flags.pooling as 'mean' | 'cls';
  const options = { ...shared(flags), pooling, normalize: flags.normalize };
  const how = embeddingsOf(flags.embeddings);
  const items = await itemsOf(texts, flags);
  const embedder = await pipeline('feature-extraction', await load(model, how), options);
  const bar = progress('embedding', items.length);
  try {
    const embeddings = await embedder.embedAll(items, { onProgress: ({ done }) => bar.update(done) });
    if (output === undefined)
      return embeddings.map((embedding, i) => JSON.stringify({ text: textOf(items[i]!), embedding: Array.from(embedding) }));
    const width = embeddings[0]!.length;
    const data = new Float32Array(embeddings.length * width);
    for (const [i, embedding] of embeddings.entries()) data.set(embedding, i * width);
    const tensor = { dtype: 'f32' as const, dims: [embeddings.length, width], data };
    await outputs.save(output, () => tensorsToFile(output, { embeddings: tensor }));
    return [];
  } finally {
    bar.stop();
    await embedder.close();
  }
}

const textOf = (item: TextItem): string =>
  typeof item === 'string' ? item : item.pair === undefined ? item.text : `${item.text} │ ${item.pair}`;

function shared(flags: TextFlags) {
  return {
    batchSize: positiveInteger('--batch-size', flags.batchSize, 4096),
    ...(flags.tokenizer ? { tokenizer: flags.tokenizer } : {}),
    ...(flags.threads ? { sessionOptions: { threads: positiveInteger('--threads', flags.threads, 1024) } } : {}),
  };
}

/** Texts from arguments, a file or stdin. @throws {EngineError} E_USAGE none, or a pair for more than one. */
async function itemsOf(texts: readonly string[], { input, pair }: TextFlags): Promise<TextItem[]> {
  const items: TextItem[] = [...texts];
  if (input === '-') items.push(...lines(await readStream(process.stdin)));
  else if (input?.endsWith('.txt')) items.push(...lines(await readText(input)));
  else if (input !== undefined) items.push(...(await readTexts(input)).examples);
  if (items.length === 0) throw new EngineError('E_USAGE', 'usage', 'no texts: give them as arguments or with --input');
  if (pair === undefined) return items;
  if (items.length !== 1) throw new EngineError('E_USAGE', 'usage', `--pair goes with one text, there are ${items.length}`);
  return [{ text: textOf(items[0]!), pair }];
}

const lines = (text: string): string[] => text.split(/\r?\n/).filter((line) => line.trim() !== '');
