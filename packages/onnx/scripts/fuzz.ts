/**
 * Mutates ONNX files and feeds them to the decoder and checker, until the time is over or something other than a typed
 * error comes out.
 *
 *   npx tsx --conditions=source scripts/fuzz.ts --seconds 60 [--seed 1] [--corpus FOLDER] [--plant]
 *
 * `--plant` takes the bound on nesting away; the run then succeeds when the fuzzer notices. Ends with 0 where all is as it should be, else with 1 and the input in base64.
 */
import { parseArgs } from 'node:util';
import { describeFailure, fuzz } from '../src/testing/fuzz';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string' },
    corpus: { type: 'string' },
    plant: { type: 'boolean', default: false },
  },
});

const seed = values.seed === undefined ? Date.now() % 2 ** 31 : Number(values.seed);
console.log(`seed ${seed}`);
const report = fuzz({ seconds: Number(values.seconds), seed, plant: values.plant, ...(values.corpus ? { corpus: values.corpus } : {}) });
const codes = [...report.outcomes].sort(([, a], [, b]) => b - a).map(([code, count]) => `${code} ${count}`);
console.log(`${report.runs} inputs from ${report.seeds} seeds in ${report.seconds.toFixed(1)} s: ${codes.join(', ')}`);
if (report.failure !== undefined) console.log(describeFailure(report.failure));
const passed = values.plant ? report.failure !== undefined : report.failure === undefined;
if (values.plant) console.log(passed ? 'the planted defect was found' : 'the planted defect was NOT found');
process.exitCode = passed ? 0 : 1;
