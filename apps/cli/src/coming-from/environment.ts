import { EngineError } from '@neural-engine/core';

/** What the original's environment variables ask for. */
export interface Environment {
  /** Threads: OMP_NUM_THREADS. */
  readonly threads?: number;
  /** Processes that share the weights: INST_NUM. Each maps the same packed file, whether WEIGHT_SHARING is set or not. */
  readonly instances: number;
  /** ENGINE_PROFILING is set. */
  readonly profiling: boolean;
  /** Says something on stderr, unless GLOG_minloglevel is above its severity. */
  log(severity: Severity, text: string): void;
}

/** glog's: 0, 1, 2. */
export type Severity = 'info' | 'warning' | 'error';
const LEVELS: Readonly<Record<Severity, number>> = { info: 0, warning: 1, error: 2 };

/** oneDNN's names of instruction sets, and the highest tier here that stays within each. */
const TIERS: Readonly<Record<string, string>> = {
  SSE41: 'scalar',
  AVX: 'scalar',
  AVX2: 'avx2',
  AVX2_VNNI: 'avx2',
  AVX2_VNNI_2: 'avx2',
  AVX512_CORE: 'avx2',
  AVX512_CORE_VNNI: 'avx512_vnni',
  AVX512_CORE_BF16: 'avx512_vnni',
  AVX512_CORE_FP16: 'avx512_vnni',
  AVX512_CORE_AMX: 'amx',
  AVX512_CORE_AMX_FP16: 'amx',
  ALL: 'amx',
  DEFAULT: 'amx',
};

/** Switches of the original's allocators and executor, and what stands in their place. */
const REPLACED: Readonly<Record<string, string>> = {
  UNIFIED_BUFFER: 'one arena a session, planned once a shape',
  DIRECT_BUFFER: 'one arena a session, planned once a shape',
  ENGINE_ACTIVATION_MEM_COMPRESSION: 'one arena a session, planned once a shape',
  MEMORY_ALLOCATOR: 'one arena a session, planned once a shape',
  MULTI_STREAM: '--instances',
  ENGINE_PRIMITIVE_CACHE_OFF: 'plans kept by the session',
  LLGA_DISABLE: 'nothing: there is no oneDNN',
};

/**
 * Reads the original's variables and applies those that must be set before the kernels load.
 *
 * DNNL_MAX_CPU_ISA becomes NE_MAX_CPU_ISA unless that is set too. An affinity mask (numactl, taskset) needs nothing: threads are counted and
 * placed within it.
 *
 * @throws {EngineError} E_USAGE a number that is none.
 */
export function readEnvironment(env: NodeJS.ProcessEnv = process.env): Environment {
  const silent = env['GLOG_minloglevel'] === undefined ? 0 : count(env, 'GLOG_minloglevel', 0);
  const log = (severity: Severity, text: string): void => {
    if (LEVELS[severity] >= silent) process.stderr.write(`${text}\n`);
  };
  capTier(env, log);
  nameReplaced(env, log);
  return {
    ...(env['OMP_NUM_THREADS'] ? { threads: count(env, 'OMP_NUM_THREADS', 1) } : {}),
    instances: env['INST_NUM'] ? count(env, 'INST_NUM', 1) : 1,
    profiling: Boolean(env['ENGINE_PROFILING']),
    log,
  };
}

function count(env: NodeJS.ProcessEnv, name: string, least: number): number {
  // OMP_NUM_THREADS may be a list, of which the first is for the outermost level.
  const value = Number(env[name]!.split(',')[0]);
  if (!Number.isInteger(value) || value < least || value > 4096)
    throw new EngineError('E_USAGE', 'usage', `${name}=${env[name]}: expected a whole number from ${least} on`);
  return value;
}

function capTier(env: NodeJS.ProcessEnv, log: Environment['log']): void {
  const name = env['DNNL_MAX_CPU_ISA'];
  if (!name || env['NE_MAX_CPU_ISA']) return;
  const tier = TIERS[name.toUpperCase()];
  if (tier) env['NE_MAX_CPU_ISA'] = tier;
  else log('error', `DNNL_MAX_CPU_ISA=${name} is none of ${Object.keys(TIERS).join(', ')}; no instruction set is held back`);
}

/** One line for all of them; an error in glog's scale, because the README's own command sets both this and GLOG_minloglevel=2. */
function nameReplaced(env: NodeJS.ProcessEnv, log: Environment['log']): void {
  const found = Object.keys(REPLACED).filter((name) => env[name]);
  const jemalloc = /jemalloc/.test(env['LD_PRELOAD'] ?? '') ? ['LD_PRELOAD of jemalloc has nothing to gain: runs allocate nothing'] : [];
  if (found.length + jemalloc.length === 0) return;
  log('error', `without effect here: ${[...found.map((name) => `${name} (instead: ${REPLACED[name]})`), ...jemalloc].join('; ')}`);
}
