import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type TypedArray, tensor } from '@neural-engine/core';
import { loadTokenizer, type QuestionAnsweringPipeline, questionAnswering, type RunModel } from '@neural-engine/text';
import { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import { beforeAll, describe, expect, it } from 'vitest';
import { readClassification } from './datasets/classification';
import { readSquad } from './datasets/squad';
import { evaluateQuestionAnswering } from './evaluate-question-answering';

const demo = fileURLToPath(new URL('../../demo-model', import.meta.url));
const shared = process.env['NE_SHARED'] ?? fileURLToPath(new URL('../../../../shared', import.meta.url));

function sharedData(path: string): string | undefined {
  const file = `${shared}/${path}`;
  if (existsSync(file)) return file;
  console.warn(`skipped: ${file} is absent (set NE_SHARED to the data folder)`);
  return undefined;
}

/** The demo model in ONNX Runtime: the pipelines do not care whose engine runs. */
async function demoPipeline(): Promise<QuestionAnsweringPipeline> {
  const session = await InferenceSession.create(`${demo}/files/model.onnx`);
  const run: RunModel = async (feeds) => {
    const inputs = Object.entries(feeds).map(([name, { data, dims }]) => [name, new OrtTensor('int64', data as BigInt64Array, [...dims])]);
    const outputs = await session.run(Object.fromEntries(inputs) as Record<string, OrtTensor>);
    return Object.fromEntries(
      Object.entries(outputs).map(([name, { data, dims }]) => [name, tensor('f32', [...dims], data as TypedArray)]),
    );
  };
  return questionAnswering({ run, inputNames: session.inputNames, tokenizer: await loadTokenizer(`${demo}/files`) });
}

describe('the demo model in ONNX Runtime', () => {
  let pipeline: QuestionAnsweringPipeline;
  beforeAll(async () => {
    pipeline = await demoPipeline();
  });

  it('answers most of its own samples', async () => {
    const { examples } = await readSquad(`${demo}/samples/samples.json`);
    const { f1, exactMatch, total } = await evaluateQuestionAnswering({ examples, pipeline });
    expect(total).toBe(24);
    expect(f1).toBeCloseTo(88.29, 1);
    expect(exactMatch).toBeCloseTo(83.33, 1);
  });

  it('finds an answer far into a long text, where it says it is', async () => {
    const { examples } = await readSquad(`${demo}/samples/samples.json`);
    const contexts = [...new Set(examples.map(({ context }) => context))];
    const context = [...contexts.slice(1), ...contexts.slice(1), contexts[0]].join(' ');
    const { answer, start, end, score } = await pipeline.answer('Who built the lighthouse at Gull Point?', context);
    expect(answer).toBe('Martha Keane');
    expect(context.slice(start, end)).toBe(answer);
    expect(start).toBeGreaterThan(context.length - contexts[0]!.length);
    expect(score).toBeGreaterThan(0.1);
    expect(score).toBeLessThanOrEqual(1);
  });

  const dev = sharedData('data/squad/dev-v1.1.json');
  it.skipIf(dev === undefined)('has the figures of the reference on the first 200 questions of SQuAD', { timeout: 300_000 }, async () => {
    const { examples } = await readSquad(dev!);
    expect(examples.length).toBe(10_570);
    const { f1, exactMatch } = await evaluateQuestionAnswering({ examples, pipeline, limit: 200 });
    expect(f1).toBeCloseTo(71.16, 1);
    expect(exactMatch).toBeCloseTo(58.5, 1);
  });
});

describe('the published data', () => {
  const calibration = sharedData('data/squad/calibration-512.json');
  it.skipIf(calibration === undefined)('for calibration is read whole', async () => {
    expect((await readSquad(calibration!)).examples.length).toBe(512);
  });

  const sst2 = sharedData('data/sst2/dev.tsv');
  it.skipIf(sst2 === undefined)('of SST-2 is read whole', async () => {
    const { examples } = await readClassification(sst2!, { task: 'sst2' });
    expect(examples.length).toBe(872);
    expect(examples.filter(({ label }) => label === 1).length).toBe(444);
  });
});
