import { writeFile } from 'node:fs/promises';
import { EngineError } from '@neural-engine/core';
import { demoSamplesPath } from '@neural-engine/demo-model';
import { type LoadOptions, load, locate, type ModelSource, runnerOf, tokenizerOf } from '@neural-engine/engine';
import { evaluateQuestionAnswering, readSquad } from '@neural-engine/evaluation';
import { questionAnswering, type RunModel, type Tokenizer } from '@neural-engine/text';
import { openOrt } from './bench/ort';
import { progress } from './output/progress';

export interface EvaluateOptions {
  readonly task: string;
  readonly data?: string;
  readonly limit?: number;
  readonly batchSize: number;
  readonly threads?: number;
  readonly tokenizer?: string | Tokenizer;
  readonly sparse?: LoadOptions['sparse'];
  readonly engine: string;
  readonly predictions?: string;
}

export interface EvaluationFigures {
  readonly f1: number;
  readonly exactMatch: number;
  readonly total: number;
  readonly seconds: number;
}

/** Asks every question of a data set and scores the answers as the official script does. */
export async function evaluate(source: ModelSource, options: EvaluateOptions): Promise<EvaluationFigures> {
  if (options.task !== 'squad') throw new EngineError('E_USAGE', 'usage', `--task ${options.task}: there is squad`);
  const located = locate(source);
  const tokenizer = await tokenizerOf(options.tokenizer ?? ('directory' in located ? located.directory : undefined));
  const { examples } = await readSquad(options.data ?? demoSamplesPath());
  const chosen = options.limit === undefined ? examples : examples.slice(0, options.limit);
  const { run, inputNames, close } = await openEngine(source, options);
  const bar = progress('answering', chosen.length);
  try {
    const qa = questionAnswering({ run, inputNames, tokenizer, batchSize: options.batchSize });
    const { f1, exactMatch, total, seconds, predictions } = await evaluateQuestionAnswering({
      examples: chosen,
      pipeline: qa,
      onProgress: ({ done }) => bar.update(done),
    });
    if (options.predictions) await writeFile(options.predictions, `${JSON.stringify(predictions)}\n`);
    return { f1, exactMatch, total, seconds };
  } finally {
    bar.stop();
    await close();
  }
}

async function openEngine(
  source: ModelSource,
  options: EvaluateOptions,
): Promise<{ run: RunModel; inputNames: readonly string[]; close: () => Promise<void> }> {
  if (options.engine === 'onnxruntime') {
    const located = locate(source);
    if (located.kind !== 'onnx-file') throw new EngineError('E_USAGE', 'usage', 'ONNX Runtime runs .onnx files only');
    const peer = await openOrt(located.file, options.threads ?? 1);
    return { run: (feeds) => peer.run(feeds), inputNames: peer.inputNames, close: () => peer.close() };
  }
  if (options.engine !== 'neural-engine')
    throw new EngineError('E_USAGE', 'usage', `--engine ${options.engine}: expected neural-engine or onnxruntime`);
  const model = await load(source, options.sparse ? { sparse: options.sparse } : {});
  const session = await model.session(options.threads === undefined ? {} : { threads: options.threads });
  return { run: runnerOf(session), inputNames: model.inputs.map((port) => port.name), close: () => session.close() };
}
