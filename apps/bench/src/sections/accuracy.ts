import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { demoModelDirectory } from '@neural-engine/demo-model';
import { ne } from '../command';
import type { Context, SectionSpec } from '../context';
import { atLeast, atMost } from '../goals';
import type { Row, Section } from '../record';

const shared = process.env['NE_SHARED'] ?? fileURLToPath(new URL('../../../../../shared', import.meta.url));
const squad = (name: string): string => join(shared, 'data', 'squad', name);
const [DEV, CALIBRATION] = [squad('dev-v1.1.json'), squad('calibration-512.json')];

const TITLE = 'Accuracy: the embedded model on the SQuAD v1.1 development set';
const WHAT = {
  int8: 'static int8, every product',
  between: 'the same with bf16 between the products',
  search: 'static int8, with the fallbacks of --max-drop 0.25',
  dynamic: 'dynamic int8',
  bf16: 'bf16',
  apart: 'our Q/DQ file: ONNX Runtime and this engine apart',
  equal: 'our Q/DQ file: equal answers',
  seconds: 'ne quantize on 512 questions, 2 threads, from start to end',
} as const;
const BARS = {
  int8: atMost(0.8),
  between: atMost(0.8),
  search: atMost(0.35),
  dynamic: atMost(0.3),
  bf16: atMost(0.15),
  apart: atMost(0.25),
  equal: atLeast(97),
  seconds: atMost(60),
};
type Figure = keyof typeof WHAT;

const row = (figure: Figure, measured: number | null, unit: string, detail: string): Row => ({
  what: WHAT[figure],
  measured,
  unit,
  detail,
  bar: BARS[figure],
});

async function accuracy(context: Context): Promise<Section[]> {
  const missing = [DEV, CALIBRATION].filter((path) => !existsSync(path));
  if (missing.length > 0) {
    const detail = 'the data is absent: NE_SHARED names a folder with data/squad';
    return [{ title: TITLE, rows: (Object.keys(WHAT) as Figure[]).map((figure) => row(figure, null, '', detail)) }];
  }
  return [{ title: TITLE, note: NOTE, rows: await new Measurement(context).rows() }];
}

const NOTE =
  'F1 points below fp32 unless said. Calibrated on 512 training questions that are not in it; the search for fallbacks judges by those, too. ' +
  'The commands: `ne quantize --heads -c calibration-512.json -o MODEL`, with `-p` or `--max-drop 0.25 -d calibration-512.json` added, and ' +
  '`ne eval MODEL -d dev-v1.1.json -b 16 -t 2`.';

interface Score {
  readonly f1: number;
  readonly exactMatch: number;
  readonly answers: Readonly<Record<string, string>>;
}

class Measurement {
  private count = 0;

  constructor(private readonly context: Context) {}

  async rows(): Promise<Row[]> {
    const fp32 = await this.score('fp32', demoModelDirectory());
    const lost = (figure: Figure, score: Score, detail = ''): Row =>
      row(figure, fp32.f1 - score.f1, 'F1', `F1 ${score.f1.toFixed(2)}, EM ${score.exactMatch.toFixed(2)}${detail}`);
    const made = await this.quantize('static int8', []);
    const int8 = await this.score('static int8', made.model);
    const between = await this.score('static int8, bf16 between', (await this.quantize('int8, bf16 between', ['--between', 'bf16'])).model);
    const searched = await this.quantize('static int8 with fallbacks', ['--max-drop', '0.25', '-d', CALIBRATION]);
    const fallbacks = (searched.said['rows'] as { fallback: string }[]).slice(1).map(({ fallback }) => fallback);
    // Without fallbacks it is the same model, to the byte.
    const fellBack = fallbacks.length === 0 ? int8 : await this.score('static int8 with fallbacks', searched.model);
    const dynamic = await this.score('dynamic int8', (await this.quantize('dynamic int8', ['-p', 'dynamic-int8'])).model);
    const bf16 = await this.score('bf16', (await this.quantize('bf16', ['-p', 'bf16'])).model);
    const qdq = (await this.quantize('Q/DQ', [], '.onnx')).model;
    const [ours, theirs] = [await this.score('Q/DQ here', qdq), await this.score('Q/DQ in ONNX Runtime', qdq, 'onnxruntime')];
    const ids = Object.keys(ours.answers);
    const equal = ids.filter((id) => ours.answers[id] === theirs.answers[id]).length;
    return [
      { what: 'fp32, F1', measured: fp32.f1, unit: 'F1', detail: `EM ${fp32.exactMatch.toFixed(2)}, ${ids.length} questions` },
      lost('int8', int8),
      lost('between', between),
      lost('search', fellBack, `; ${fallbacks.length === 0 ? 'nothing had to fall back' : `in fp32: ${fallbacks.join(', ')}`}`),
      lost('dynamic', dynamic),
      lost('bf16', bf16),
      row('apart', Math.abs(ours.f1 - theirs.f1), 'F1', `here ${ours.f1.toFixed(2)}, there ${theirs.f1.toFixed(2)}`),
      row('equal', (100 * equal) / ids.length, '%', `${equal} of ${ids.length}`),
      row('seconds', made.seconds, 's', 'compiling and saving included'),
    ];
  }

  private async quantize(title: string, flags: readonly string[], ending = '') {
    this.context.step(`${title}: quantising`);
    const model = join(this.context.models.folder, `accuracy-${this.count++}${ending}`);
    const started = performance.now();
    // Heads too: every product. Dynamic and bf16 forms leave them as they are by default.
    const heads = flags.includes('-p') ? [] : ['--heads', '-c', CALIBRATION, '-t', '2'];
    const said = await ne(['quantize', demoModelDirectory(), '-o', model, ...heads, ...flags]);
    return { model, said, seconds: (performance.now() - started) / 1000 };
  }

  private async score(title: string, model: string, engine = 'neural-engine'): Promise<Score> {
    this.context.step(`${title}: answering`);
    const predictions = join(this.context.models.folder, `accuracy-${this.count++}.json`);
    const limit = this.context.quick ? ['--limit', '1000'] : [];
    const tokenizer = ['--tokenizer', demoModelDirectory()];
    const flags = ['-d', DEV, '-b', '16', '-t', '2', '-e', engine, '--predictions', predictions, ...tokenizer, ...limit];
    const file = model === demoModelDirectory() ? join(model, 'model.onnx') : model;
    const { f1, exactMatch } = (await ne(['eval', file, ...flags])) as { f1: number; exactMatch: number };
    return { f1, exactMatch, answers: JSON.parse(readFileSync(predictions, 'utf8')) as Record<string, string> };
  }
}

export const accuracySection: SectionSpec = {
  name: 'accuracy',
  about: 'what int8 and bf16 keep of F1 on SQuAD; by name only, needs NE_SHARED',
  onDemand: true,
  runs: [{ pinned: false, run: accuracy }],
};
