import { EngineError } from '@neural-engine/core';
import { readEnvironment } from './coming-from/environment';
import { benchFeeds } from './feeds';
import { endOnSignals } from './interrupt';
import { reportError } from './report-error';

/** The flags of the original's benchmark binary. `dataset` and `mode` are taken and, as there, not used. */
const DEFAULTS = { batch_size: '1', seq_len: '384', iterations: '10', w: '2', config: '', weight: '', dataset: '', mode: '' };
type Flags = Record<keyof typeof DEFAULTS, string>;

const HELP = `neural_engine --config=CONF.YAML --weight=MODEL.BIN [--batch_size=1] [--seq_len=384] [--iterations=10] [--w=2]

Measures a compiled model with full-length masks and prints batch size, latency and throughput.
--iterations counts all runs, --w of them are warm-up. OMP_NUM_THREADS sets the threads, DNNL_MAX_CPU_ISA caps the instruction sets,
ENGINE_PROFILING=1 writes profiles below ./engine_profiling, GLOG_minloglevel=1 leaves out what is said on stderr.
`;

/** Parses gflags: `--name=value`, `--name value`, one or two dashes. @throws {EngineError} E_USAGE an unknown flag. */
export function parseFlags(args: readonly string[]): Flags {
  const flags: Flags = { ...DEFAULTS };
  for (let i = 0; i < args.length; i++) {
    const match = /^--?([a-z_]+)(?:=(.*))?$/.exec(args[i]!);
    const name = match?.[1];
    if (!name || !Object.hasOwn(DEFAULTS, name))
      throw new EngineError(
        'E_USAGE',
        'usage',
        `unknown flag "${args[i]}"; there are ${Object.keys(DEFAULTS)
          .map((flag) => `--${flag}`)
          .join(', ')}`,
      );
    const value = match[2] ?? args[++i];
    if (value === undefined) throw new EngineError('E_USAGE', 'usage', `--${name} needs a value`);
    flags[name as keyof Flags] = value;
  }
  return flags;
}

function count(flags: Flags, name: keyof Flags, least: number): number {
  const value = Number(flags[name]);
  if (!Number.isInteger(value) || value < least || value > 1e7)
    throw new EngineError('E_USAGE', 'usage', `--${name}=${flags[name]}: expected a whole number from ${least} on`);
  return value;
}

/** Runs the binary's command line. Its three lines each begin with a space, as the original's do. */
export async function run(args: readonly string[]): Promise<void> {
  if (args.includes('--help') || args.includes('-h')) {
    process.stdout.write(HELP);
    return;
  }
  endOnSignals();
  try {
    const flags = parseFlags(args);
    const [batch, seqLen, iterations, warmup] = [
      count(flags, 'batch_size', 1),
      count(flags, 'seq_len', 1),
      count(flags, 'iterations', 1),
      count(flags, 'w', 0),
    ];
    if (warmup >= iterations)
      throw new EngineError('E_USAGE', 'usage', `--w=${warmup} leaves none of the ${iterations} iterations to measure`);
    if (!flags.config || !flags.weight) throw new EngineError('E_USAGE', 'usage', '--config and --weight are needed');
    const { threads, instances, profiling, log } = readEnvironment();
    const [{ loadIr }, { isa }] = await Promise.all([import('./coming-from/load-ir'), import('@neural-engine/kernels')]);
    const model = await loadIr(flags.config, flags.weight);
    const session = await model.session(threads === undefined ? {} : { threads });
    const sharing = model.runtime.weights.mapped ? `mapped, shared by every process that loads them` : 'private';
    log(
      'info',
      `${session.threads} thread${session.threads === 1 ? '' : 's'}; kernels: ${isa().tier}; weights ${sharing}${instances > 1 ? `, as INST_NUM=${instances} asks for` : ''}`,
    );
    const feeds = benchFeeds(model.inputs, { batch, seqLen, vocabulary: 100 });
    let total = 0;
    for (let i = 0; i < iterations; i++) {
      const started = performance.now();
      await session.run(feeds);
      if (i >= warmup) total += performance.now() - started;
    }
    if (profiling) {
      const { writeOriginalProfile } = await import('./coming-from/engine-profiling');
      for (const file of await writeOriginalProfile(session, model, feeds)) log('info', `profile: ${file}`);
    }
    await session.close();
    const latency = total / (iterations - warmup) / batch;
    process.stdout.write(` Batch Size is ${batch}\n Latency is ${latency.toFixed(3)} ms\n Throughput is ${(1000 / latency).toFixed(3)}\n`);
  } catch (error) {
    process.exitCode = reportError(error);
  }
}
