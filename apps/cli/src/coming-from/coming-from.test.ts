import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { demoModelDirectory } from '@neural-engine/demo-model';
import { isa } from '@neural-engine/kernels';
import { readModel, writeModel } from '@neural-engine/onnx';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encoderModel } from '../../../../tooling/models/encoder';
import { run, type Surroundings } from '../__fixtures__/run';
import { readNpy } from '../npz';
import { readEnvironment } from './environment';

const SHAPE = {
  family: 'distilbert',
  layers: 1,
  hidden: 64,
  heads: 2,
  ffn: 128,
  vocabulary: 30522,
  positions: 512,
  sparsity: 0.8,
  seed: 5,
} as const;

// Laid out as the original's repository holds it.
const folder = mkdtempSync(join(tmpdir(), 'ne-original-'));
const ir = join(folder, 'sparse_int8_ir');
const pair = [`--config=${ir}/conf.yaml`, `--weight=${ir}/model.bin`];
const within = (extra: Surroundings = {}): Surroundings => ({
  cwd: folder,
  ...extra,
  env: { NE_CACHE_DIR: join(folder, 'cache'), ...extra.env },
});
const engine = (env: Record<string, string> = {}, prefix: string[] = [], args: string[] = []) =>
  run('neural_engine', [...pair, '--batch_size=2', '--iterations=4', '--w=1', '--seq_len=16', ...args], within({ env, prefix }));
const LINES = /^ Batch Size is 2\n Latency is \d+\.\d+ ms\n Throughput is \d+\.\d+\n$/;

beforeAll(async () => {
  mkdirSync(join(folder, 'model_and_tokenizer'));
  mkdirSync(join(folder, 'data'));
  for (const file of ['tokenizer.json', 'tokenizer_config.json', 'vocab.txt', 'config.json'])
    cpSync(join(demoModelDirectory(), file), join(folder, 'model_and_tokenizer', file));
  const text = 'The mill was built by Martha Keane.';
  const qas = [{ id: '1', question: 'Who built the mill?', answers: [{ text: 'Martha Keane', answer_start: 22 }] }];
  writeFileSync(
    join(folder, 'data', 'dev-v1.1.json'),
    JSON.stringify({ version: '1.1', data: [{ title: 't', paragraphs: [{ context: text, qas }] }] }),
  );
  await writeModel(encoderModel(SHAPE), join(folder, 'model_and_tokenizer', 'fp32-model.onnx'));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe("the original's commands, one after the other", () => {
  const latency = (precision: string) =>
    run(
      'ne',
      ['run-pipeline', `--precision=${precision}`, '--mode=latency', '--batch_size=1', '--sequence_len=16', '--warm_up=1', '--iteration=4'],
      within(),
    );

  it.each([
    ['int8', 'QuantizeLinear'],
    ['bf16', 'MatMul'],
  ])('run-pipeline leaves the %s-model.onnx that others read, and uses it the next time', async (precision, operator) => {
    const file = join(folder, 'model_and_tokenizer', `${precision}-model.onnx`);
    for (const made of [true, false]) {
      const { code, out, err } = await latency(precision);
      expect(code, err).toBe(0);
      expect(out).toContain('Average Latency');
      expect(err.includes(`${precision} is prepared in`)).toBe(made);
    }
    expect((await readModel(file)).graph.nodes.map(({ opType }) => opType)).toContain(operator);
  });

  it('run-pipeline takes --model=NAME/OF-A-HUB for the exported file, and says where it should be', async () => {
    const args = ['run-pipeline', '--model=Intel/sparse', '--precision=fp32', '--mode=latency', '--sequence_len=16', '--warm_up=1'];
    const { code, err } = await run('ne', [...args, '--batch_size=1', '--iteration=4'], within());
    expect(code, err).toBe(0);
    const elsewhere = join(folder, 'elsewhere');
    mkdirSync(elsewhere);
    const absent = await run('ne', [...args, '--batch_size=1', '--iteration=4'], { ...within(), cwd: elsewhere });
    expect(absent).toMatchObject({ code: 66, out: '', err: expect.stringContaining('model_and_tokenizer/fp32-model.onnx') });
    expect(readdirSync(elsewhere)).toEqual([]);
  });

  it('run-pipeline lays the folder out where there is none: fp32, the precision, and the tokenizer that the next commands read', async () => {
    const empty = join(folder, 'empty');
    mkdirSync(empty);
    const args = ['--precision=bf16', '--mode=latency', '--batch_size=1', '--sequence_len=16', '--warm_up=1', '--iteration=3'];
    const { code, err } = await run('ne', ['run-pipeline', ...args], { ...within(), cwd: empty });
    expect(code, err).toBe(0);
    expect(err).toContain('is a copy of the embedded model');
    expect(readdirSync(join(empty, 'model_and_tokenizer')).sort()).toEqual([
      'bf16-model.onnx',
      'config.json',
      'fp32-model.onnx',
      'tokenizer.json',
      'tokenizer_config.json',
      'vocab.txt',
    ]);
  });

  it('run-pipeline --precision=dynamic_int8 starts from the fp32 file and leaves no other', async () => {
    const before = readdirSync(join(folder, 'model_and_tokenizer'));
    const { code, err } = await latency('dynamic_int8');
    expect(code, err).toBe(0);
    expect(readdirSync(join(folder, 'model_and_tokenizer'))).toEqual(before);
  });

  it('export-transpose-ir writes ./sparse_int8_ir, and again over it', async () => {
    for (let i = 0; i < 2; i++) {
      const { code, err } = await run('ne', ['export-transpose-ir', '--input_model=./model_and_tokenizer/int8-model.onnx'], within());
      expect(code, err).toBe(0);
    }
    expect(readdirSync(ir).sort()).toEqual(['conf.yaml', 'model.bin']);
    expect(readFileSync(join(ir, 'conf.yaml'), 'utf8')).toContain('Reorder');
  });

  it('run-executor --mode=accuracy prints its lines in order', async () => {
    const args = [
      '--input_model=./sparse_int8_ir',
      '--tokenizer_dir=./model_and_tokenizer',
      '--mode=accuracy',
      '--data_dir=./data',
      '--batch_size=8',
    ];
    const { code, out, err } = await run('ne', ['run-executor', ...args], within({ env: { GLOG_minloglevel: '2' } }));
    expect(code, err).toBe(0);
    expect(out).toMatch(
      /^Load dataset \.{6}\nLoad metric \.{6}\nStart engine \.{6}\nPost process \.{6}\nCompute metrics \.{6}\nF1 Accuracy: [\d.]+\nExact Match: [\d.]+\n$/,
    );
    expect(readFileSync(join(folder, 'executor.log'), 'utf8')).toMatch(
      /^\d{4}-\d\d-\d\d .* - INFO - NEURAL-ENGINE--EXAMPLES - Load dataset/,
    );
  });

  it('run-executor --mode=performance prints its lines and keeps the latencies', async () => {
    const args = ['--input_model=./sparse_int8_ir', '--mode=performance', '--batch_size=2', '--seq_len=16', '--warm_up=1', '--iteration=6'];
    const { code, out, err } = await run('ne', ['run-executor', ...args, '--log_file=p.log'], within());
    expect(code, err).toBe(0);
    const number = '\\d+\\.\\d{3}';
    const latencies = ['P50', 'P90', 'P99', 'Average'].map((name) => `${name} Latency: ${number} ms\n`).join('');
    expect(out).toMatch(
      new RegExp(
        `^Start executor \\.{6}\nEnd executor \\.{6}\nBatch size = 2\nSequence length = 16\n${latencies}Throughput: ${number} samples/sec\n$`,
      ),
    );
    expect(readNpy(readFileSync(join(folder, 'all_latency', 'p.log.npy'))).dims).toEqual([5]);
  });

  it('neural_engine prints its three lines, each behind a space', async () => {
    const { code, out, err } = await engine();
    expect([code, err.includes('    at ')]).toEqual([0, false]);
    expect(out).toMatch(LINES);
  });

  it('run-pipeline runs every core group of a socket, with a log for each', async () => {
    const args = [
      '--precision=int8',
      '--mode=throughput',
      '--batch_size=2',
      '--sequence_len=16',
      '--warm_up=1',
      '--iteration=5',
      '--output=logs',
      '--log_name=t',
    ];
    const { code, out, err } = await run('ne', ['run-pipeline', ...args], within());
    expect(code, err).toBe(0);
    expect(out).toMatch(/Process 0 on cores [\d,]+ succeeded with exit code 0: Throughput/);
    expect(out).toMatch(/Benchmark process status: SUCCESS\n$/);
    expect(readdirSync(join(folder, 'logs')).filter((name) => name.startsWith('t-throughput-')).length).toBeGreaterThan(0);
  });
});

describe('its environment', () => {
  it('OMP_NUM_THREADS sets the threads, an affinity mask the default, GLOG_minloglevel what is said', async () => {
    expect((await engine({ OMP_NUM_THREADS: '3' })).err).toMatch(/^3 threads/);
    expect((await engine({}, ['taskset', '-c', String(isa().allowedCpus[0])])).err).toMatch(/^1 thread;/);
    const { out, err } = await engine({ GLOG_minloglevel: '2' });
    expect(err).toBe('');
    expect(out).toMatch(LINES);
  });

  it('WEIGHT_SHARING and INST_NUM: processes map one packed file', async () => {
    const env = { WEIGHT_SHARING: '1', INST_NUM: '2' };
    await engine(env);
    const both = await Promise.all([engine(env), engine(env)]);
    for (const { code, out, err } of both) {
      expect([code, LINES.test(out)], err).toEqual([0, true]);
      expect(err).toContain('weights mapped, shared by every process that loads them, as INST_NUM=2 asks for');
    }
    expect(readdirSync(join(folder, 'cache')).filter((name) => name.endsWith('.neweights')).length).toBeGreaterThan(0);
  });

  it('DNNL_MAX_CPU_ISA caps the tier, unless NE_MAX_CPU_ISA does', () => {
    for (const [name, tier] of [
      ['AVX512_CORE_AMX', 'amx'],
      ['avx512_core_vnni', 'avx512_vnni'],
      ['AVX512_CORE', 'avx2'],
      ['SSE41', 'scalar'],
    ]) {
      const env: NodeJS.ProcessEnv = { DNNL_MAX_CPU_ISA: name };
      readEnvironment(env);
      expect(env['NE_MAX_CPU_ISA']).toBe(tier);
    }
    const own: NodeJS.ProcessEnv = { DNNL_MAX_CPU_ISA: 'AVX2', NE_MAX_CPU_ISA: 'scalar' };
    readEnvironment(own);
    expect(own['NE_MAX_CPU_ISA']).toBe('scalar');
  });

  it('DNNL_MAX_CPU_ISA reaches the kernels of neural_engine', async () => {
    const { code, err } = await engine({ DNNL_MAX_CPU_ISA: 'AVX2', ENGINE_PROFILING: '1' });
    expect(code, err).toBe(0);
    expect(err).toContain('kernels: avx2');
  });

  it('ENGINE_PROFILING writes a CSV with its columns and a trace', async () => {
    const { code, err } = await engine({ ENGINE_PROFILING: '1' });
    expect(code, err).toBe(0);
    const [csv, trace] = ['profiling_csv', 'profiling_trace'].map((name) => {
      const at = join(folder, 'engine_profiling', name);
      return readFileSync(join(at, readdirSync(at).at(-1)!), 'utf8');
    });
    const header = csv!.split('\n').find((line) => line.startsWith('operator type'))!;
    expect(header.split(',')).toHaveLength(16);
    expect(csv).toContain('total latency (ms)');
    const { traceEvents } = JSON.parse(trace!);
    expect(traceEvents.filter((event: { name: string }) => /^Iteration\d$/.test(event.name))).toHaveLength(5);
  });

  it('names what has no effect in one line of stderr, also where GLOG_minloglevel=2 leaves errors only', async () => {
    const { err } = await engine({ GLOG_minloglevel: '2', UNIFIED_BUFFER: '1', DIRECT_BUFFER: '1', LD_PRELOAD: '' });
    expect(err.trim().split('\n')).toHaveLength(1);
    expect(err).toMatch(/without effect here: UNIFIED_BUFFER \(instead: one arena .*\); DIRECT_BUFFER/);
  });

  it.each([[{ OMP_NUM_THREADS: 'many' }], [{ INST_NUM: '0' }], [{ GLOG_minloglevel: '-1' }]])('refuses %j by name', (env) => {
    expect(() => readEnvironment(env)).toThrow(
      expect.objectContaining({ code: 'E_USAGE', message: expect.stringContaining(Object.keys(env)[0]!) }),
    );
  });
});

describe('bad command lines', () => {
  it.each([
    ['neural_engine', ['--batch_size=0', ...pair], '--batch_size=0', 2],
    ['neural_engine', ['--iterations=3', '--w=3', ...pair], '--w=3', 2],
    ['neural_engine', [`--config=${ir}/absent.yaml`, pair[1]!], 'absent.yaml', 66],
    ['ne', ['run-executor', '--mode=fast'], '--mode=fast', 2],
    ['ne', ['run-executor', '--input_model=./absent', '--mode=performance'], './absent', 66],
    ['ne', ['run-pipeline', '--mode=performance'], '--mode=performance', 2],
    ['ne', ['run-pipeline', '--mode=latency', '--precision=fp16'], '--precision fp16', 2],
  ] as const)('%s %j', async (command, args, text, code) => {
    const result = await run(command, args, within());
    expect(result).toMatchObject({ code, out: '' });
    expect(result.err).toContain(text);
    expect(existsSync(join(folder, 'ir'))).toBe(false);
  });
});
