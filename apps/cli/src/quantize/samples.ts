import { realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { EngineError } from '@neural-engine/core';
import { embeddingRows } from '@neural-engine/engine';
import { readTexts } from '@neural-engine/evaluation';
import type { Graph } from '@neural-engine/ir';
import type { Sample } from '@neural-engine/quantizer';
import { type Encoding, lengthBatches, type Tokenizer } from '@neural-engine/text';
import { namesIn, readBytes, statOf } from '../files';
import { readNpz } from '../npz';

export interface SampleSet {
  /** Feeds of one run each. */
  readonly runs: readonly Sample[];
  /** Texts, or tensor files. */
  readonly count: number;
  /** Bad records that were left out. */
  readonly skipped: number;
}

/** Sequences in one run, unless told otherwise. */
const BATCH = 8;

/**
 * Calibration samples from texts (SQuAD, GLUE, tsv, csv, json, jsonl), batched by length, or from .npz files: one file, or a folder of them
 * in the order of their names.
 *
 * @throws {EngineError} E_NOT_FOUND, E_DATASET, E_LIMIT what is wrong with the files; E_PATH a file of a folder that is none, or lies
 * elsewhere; E_UNSUPPORTED inputs that text cannot feed; E_TOKENIZER a tokenizer of another model.
 */
export async function readSamples(
  path: string,
  graph: Graph,
  tokenizer: () => Promise<Tokenizer>,
  options: { limit: number; onError: 'fail' | 'skip'; batch?: number },
): Promise<SampleSet> {
  const files = tensorFiles(path)?.slice(0, options.limit);
  if (files) {
    if (files.length === 0) throw new EngineError('E_DATASET', 'quantize', `"${path}" holds no .npz file`, { where: path });
    const runs: Sample[] = [];
    for (const file of files) runs.push(Object.fromEntries(readNpz(await readBytes(file))));
    return { runs, count: runs.length, skipped: 0 };
  }
  const { examples, skipped } = await readTexts(path, { onError: options.onError });
  const loaded = await tokenizer();
  const rows = embeddingRows(graph);
  if (rows !== undefined) loaded.checkEmbedding(rows);
  const encodings = examples.slice(0, options.limit).map(({ text, pair }) => encode(loaded, text, pair));
  const runs = [...lengthBatches(encodings, { inputNames: graph.inputs, padId: loaded.padId, batchSize: options.batch ?? BATCH })];
  return { runs, count: encodings.length, skipped };
}

function tensorFiles(path: string): string[] | undefined {
  const stats = statOf(path);
  if (!stats) throw new EngineError('E_NOT_FOUND', 'read', `there is nothing at "${path}"`, { where: path });
  if (!stats.isDirectory()) return path.endsWith('.npz') ? [path] : undefined;
  return namesIn(path)
    .filter((name) => name.endsWith('.npz'))
    .sort()
    .map((name) => sampleFile(path, name));
}

/** Whoever made the folder chose what lies in it: a link may not lead out of it, and a pipe would never end. */
function sampleFile(folder: string, name: string): string {
  const file = join(folder, name);
  const stats = statOf(file);
  if (!stats?.isFile() || dirname(realpathSync(file)) !== realpathSync(folder))
    throw new EngineError('E_PATH', 'read', `"${name}" of the samples in "${folder}" is no regular file in that folder`, { where: file });
  return file;
}

/** A text, or the first window of a pair: the question whole, as much of the context as fits. */
function encode(tokenizer: Tokenizer, text: string, pair: string | undefined): Encoding {
  const maxLength = Math.min(384, tokenizer.modelMaxLength ?? 384);
  if (pair === undefined) return tokenizer.encode(text, { maxLength });
  const stride = Math.max(0, Math.min(128, (maxLength - 4) >> 1));
  return tokenizer.encodeWindows(text, pair, { maxLength, stride })[0]!;
}
