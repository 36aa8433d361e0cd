import { appendText } from '../files';
import { latencyStatistics } from '../output/statistics';

/**
 * Where a script's lines go: stdout, and a log file that keeps time and level, as the original's logger did.
 *
 * @throws {EngineError} E_CANTCREAT, E_SPACE, E_IO the file cannot be written: at once, and not with the first line.
 */
export function lineLogger(logFile: string): (line: string) => void {
  appendText(logFile, '');
  return (line) => {
    process.stdout.write(`${line}\n`);
    appendText(logFile, `${new Date().toISOString().replace('T', ' ').slice(0, 23)} - INFO - NEURAL-ENGINE--EXAMPLES - ${line}\n`);
  };
}

/** The original's lines of a performance run. Latencies are milliseconds of a run; what is printed is per sample, as there. */
export function performanceLines(latenciesMs: readonly number[], batch: number, seqLen: number): string[] {
  const { p50, p90, p99, mean } = latencyStatistics(latenciesMs.map((value) => value / batch));
  return [
    `Batch size = ${batch}`,
    `Sequence length = ${seqLen}`,
    `P50 Latency: ${p50.toFixed(3)} ms`,
    `P90 Latency: ${p90.toFixed(3)} ms`,
    `P99 Latency: ${p99.toFixed(3)} ms`,
    `Average Latency: ${mean.toFixed(3)} ms`,
    `Throughput: ${(1000 / mean).toFixed(3)} samples/sec`,
  ];
}
