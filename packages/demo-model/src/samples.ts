import { readFileSync } from 'node:fs';
import { packagePath } from './model';

/** A question about a text with its right answers; `context.slice(start, start + text.length) === text` for each. */
export interface DemoExample {
  readonly id: string;
  readonly title: string;
  readonly question: string;
  readonly context: string;
  readonly answers: readonly { readonly text: string; readonly start: number }[];
}

interface SquadFile {
  data: {
    title: string;
    paragraphs: { context: string; qas: { id: string; question: string; answers: { text: string; answer_start: number }[] }[] }[];
  }[];
}

/** 24 questions about 8 short texts, in SQuAD v1.1 format: enough for a small figure of accuracy. */
export const demoSamplesPath = (): string => packagePath('samples/samples.json');

/** 64 questions about 16 other texts of many lengths, in the same format: for calibrating int8 models. */
export const demoCalibrationPath = (): string => packagePath('samples/calibration.json');

/** What {@link demoSamplesPath} holds. */
export const demoSamples = (): DemoExample[] => read(demoSamplesPath());

/** What {@link demoCalibrationPath} holds. */
export const demoCalibration = (): DemoExample[] => read(demoCalibrationPath());

function read(path: string): DemoExample[] {
  const { data } = JSON.parse(readFileSync(path, 'utf8')) as SquadFile;
  return data.flatMap(({ title, paragraphs }) =>
    paragraphs.flatMap(({ context, qas }) =>
      qas.map(({ id, question, answers }) => ({
        id,
        title,
        question,
        context,
        answers: answers.map(({ text, answer_start }) => ({ text, start: answer_start })),
      })),
    ),
  );
}
