// Runs each command of the original's README, in order, on the embedded model laid out as its repository holds it, and checks the lines and
// the files that each leaves for the next.
// Usage: node tooling/original-readme.mjs [--fast]      --fast: few iterations and questions.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const fast = process.argv.includes('--fast');
const folder = mkdtempSync(join(tmpdir(), 'ne-readme-'));
/** Commands of this project, by the module that holds each. */
const entries = { ne: 'main', neural_engine: 'neural-engine' };
const tsx = import.meta.resolve('tsx');

/** Runs a command from its sources in the folder; its stdout must match, and the files must be there afterwards. */
function step(title, line, expected, files = []) {
  const words = line.split(' ').filter(Boolean);
  const at = words.findIndex((word) => word in entries);
  const env = Object.fromEntries(words.filter((word, i) => i < at && /^[A-Za-z_]+=/.test(word)).map((word) => word.split('=')));
  const prefix = words.slice(Object.keys(env).length, at);
  const main = JSON.stringify(new URL(`../apps/cli/src/${entries[words[at]]}.ts`, import.meta.url).href);
  const program = `import { run } from ${main}; await run(${JSON.stringify(words.slice(at + 1))});`;
  const [file, ...args] = [...prefix, process.execPath, '--conditions=source', '--import', tsx, '--input-type=module', '-e', program];
  const { status, stdout, stderr } = spawnSync(file, args, {
    cwd: folder,
    encoding: 'utf8',
    env: { ...process.env, NE_CACHE_DIR: join(folder, 'cache'), ...env },
  });
  const missing = files.filter((name) => !existsSync(join(folder, name)));
  const ok = status === 0 && expected.test(stdout) && missing.length === 0;
  console.log(`${ok ? '✓' : '✗'} ${title}\n  ${line}`);
  for (const text of stdout.trimEnd().split('\n').filter(Boolean)) console.log(`    ${text}`);
  if (!ok) console.log(`  exit code ${status}; expected ${expected}${missing.map((name) => `; no ${name}`).join('')}\n${stderr}`);
  return ok;
}

const number = '[\\d.]+';
const executor = ['P50 Latency', 'P90 Latency', 'P99 Latency', 'Average Latency'].map((name) => `${name}: ${number} ms\\n`).join('');
const performanceLines = new RegExp(
  `^Start executor \\.{6}\\nEnd executor \\.{6}\\nBatch size = \\d+\\nSequence length = \\d+\\n${executor}Throughput: ${number} samples/sec\\n$`,
);
const accuracyLines = new RegExp(
  `^Load dataset \\.{6}\\nLoad metric \\.{6}\\nStart engine \\.{6}\\nPost process \\.{6}\\nCompute metrics \\.{6}\\nF1 Accuracy: ${number}\\nExact Match: ${number}\\n$`,
);
const nativeLines = new RegExp(`^ Batch Size is 8\\n Latency is ${number} ms\\n Throughput is ${number}\\n$`);
const instanceLines =
  /^(Process \d+ on cores .* succeeded with exit code 0: .*\n)+Throughput of \d+ instances: .*\nBenchmark process status: SUCCESS\n$/;

// The folder as the original's repository holds it: prepare_dataset.py and prepare_model.sh have run.
const packageOf = (path) => join(root, 'packages/demo-model', path);
cpSync(packageOf('files'), join(folder, 'model_and_tokenizer'), { recursive: true });
cpSync(packageOf('files/model.onnx'), join(folder, 'model_and_tokenizer/fp32-model.onnx'));
rmSync(join(folder, 'model_and_tokenizer/model.onnx'));
mkdirSync(join(folder, 'data'));
cpSync(packageOf('samples/samples.json'), join(folder, 'data/dev-v1.1.json'));

const runs = fast ? '--warm_up=1 --iteration=4' : '--warm_up=10 --iteration=100';
const native = fast ? '--iterations=4 --w=1' : '--iterations=100 --w=10';
const quiet = 'GLOG_minloglevel=2';
// The README writes `numactl -C 0-<n-1>`; taskset sets the same mask and is part of every Linux.
const pinned = process.platform === 'linux' ? 'taskset -c 0 ' : '';
const results = [
  ...['fp32', 'int8', 'bf16', 'dynamic_int8'].map((precision) =>
    step(
      `run script, ${precision}`,
      `ne run-pipeline --model=Intel/distilbert-base-uncased-squadv1.1-sparse-80-1X4-block --dataset=squad --precision=${precision} --mode=latency --sequence_len=128 --batch_size=1 ${runs}`,
      performanceLines,
      [
        `model_and_tokenizer/${precision === 'dynamic_int8' ? 'fp32' : precision}-model.onnx`,
        'bert_large.log-latency.log',
        'all_latency/bert_large.log-latency.log.npy',
      ],
    ),
  ),
  step(
    'transposed export',
    'ne export-transpose-ir --input_model=./model_and_tokenizer/int8-model.onnx --output_dir=./sparse_int8_ir',
    /^$/,
    ['sparse_int8_ir/conf.yaml', 'sparse_int8_ir/model.bin'],
  ),
  step(
    'accuracy',
    `${quiet} ne run-executor --input_model=./sparse_int8_ir --tokenizer_dir=./model_and_tokenizer --mode=accuracy --dataset_name=squad --batch_size=8${fast ? ' --max_eval_samples=4' : ''}`,
    accuracyLines,
  ),
  step(
    'accuracy, by its defaults: int8-model.onnx as it is',
    `${quiet} ne run-executor --batch_size=8${fast ? ' --max_eval_samples=4' : ''}`,
    accuracyLines,
    ['executor.log'],
  ),
  step(
    'performance, as the Python script',
    `${quiet} ne run-executor --input_model=./sparse_int8_ir --mode=performance --batch_size=1 --seq_len=128 ${runs}`,
    performanceLines,
  ),
  step(
    'performance, as the native binary',
    `${quiet} OMP_NUM_THREADS=1 DNNL_MAX_CPU_ISA=AVX512_CORE_AMX UNIFIED_BUFFER=1 ${pinned}neural_engine --batch_size=8 ${native} --seq_len=128 --config=./sparse_int8_ir/conf.yaml --weight=./sparse_int8_ir/model.bin`,
    nativeLines,
  ),
  step(
    'throughput of many instances',
    `ne run-pipeline --precision=int8 --mode=throughput --batch_size=8 --sequence_len=128 ${runs}`,
    instanceLines,
  ),
];
rmSync(folder, { recursive: true, force: true });
const failed = results.filter((ok) => !ok).length;
console.log(failed === 0 ? `all ${results.length} commands print their lines` : `${failed} of ${results.length} commands failed`);
process.exit(failed === 0 ? 0 : 1);
