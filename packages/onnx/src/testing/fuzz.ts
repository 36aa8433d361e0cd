import { EngineError } from '@neural-engine/core';
import { type DecodeOptions, decodeModel } from '../decode-model';
import { encodeModel } from '../encode/model';
import { mutateBytes } from './mutate-bytes';
import { mutateTree, nestDeeply } from './mutate-tree';
import { Random } from './random';
import { fuzzSeeds } from './seeds';

export interface FuzzOptions {
  seconds: number;
  seed: number;
  /** Takes the bound on nesting away, so that the fuzzer must find something. */
  plant?: boolean;
  /** A folder of further models to begin from. */
  corpus?: string;
}

/** An input on which the parser did not behave. */
export interface FuzzFailure {
  input: Uint8Array;
  problem: string;
}

export interface FuzzReport {
  runs: number;
  seeds: number;
  seconds: number;
  /** How often each error code, or `ok`, came out. */
  outcomes: Map<string, number>;
  failure?: FuzzFailure;
}

/** An input may take this long, whatever else the machine does. */
const HANG_MS = 2000;

/** Inputs that load become seeds themselves, so that mutations build up. */
const MOST_SEEDS = 2000;

/** What loads must also encode, and load again. */
function decodeAndReturn(bytes: Uint8Array, options: DecodeOptions): void {
  const model = decodeModel(bytes, options);
  decodeModel(encodeModel(model), options);
}

/** Most inputs are well-formed with odd contents, many are broken, a few are deep. */
function nextInput(seeds: readonly Uint8Array[], random: Random): Uint8Array {
  const [seed, other] = [random.pick(seeds), random.pick(seeds)];
  const choice = random.below(100);
  if (choice === 0) return nestDeeply(random);
  if (choice < 60) return mutateTree(seed, random, other);
  if (choice < 90) return mutateBytes(seed, random, other);
  return mutateBytes(mutateTree(seed, random, other), random, other);
}

/** Runs one input; returns the code that came out. @throws what is wrong with the parser. */
function probe(bytes: Uint8Array, options: DecodeOptions): string {
  const started = performance.now();
  let outcome = 'ok';
  try {
    decodeAndReturn(bytes, options);
  } catch (error) {
    if (!EngineError.isInstance(error) || error.code === 'E_INTERNAL') throw error;
    outcome = error.code;
  }
  const took = performance.now() - started;
  if (took > HANG_MS) throw new Error(`took ${took.toFixed(0)} ms`);
  return outcome;
}

/** Mutates and decodes until the time is over or an input misbehaves. */
export function fuzz(options: FuzzOptions): FuzzReport {
  const random = new Random(options.seed);
  const seeds = fuzzSeeds(options.corpus);
  const decodeOptions: DecodeOptions = options.plant ? { limits: { nesting: 1e6 } } : {};
  const report: FuzzReport = { runs: 0, seeds: seeds.length, seconds: 0, outcomes: new Map() };
  const started = performance.now();
  const over = () => (performance.now() - started) / 1000;
  for (; over() < options.seconds && report.failure === undefined; report.runs++) {
    const input = nextInput(seeds, random);
    try {
      const outcome = probe(input, decodeOptions);
      report.outcomes.set(outcome, (report.outcomes.get(outcome) ?? 0) + 1);
      if (outcome === 'ok' && seeds.length < MOST_SEEDS && input.byteLength < 4096) seeds.push(input);
      if (Object.keys(Object.prototype).length > 0) throw new Error('Object.prototype was changed');
    } catch (error) {
      report.failure = { input, problem: error instanceof Error ? (error.stack ?? error.message) : String(error) };
    }
  }
  report.seconds = over();
  return report;
}

/** The failure and the input that brings it about. */
export const describeFailure = ({ input, problem }: FuzzFailure): string =>
  `FAILED on ${input.byteLength} bytes: ${problem}\ninput (base64): ${Buffer.from(input).toString('base64')}`;
