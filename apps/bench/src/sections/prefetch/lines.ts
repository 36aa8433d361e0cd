import type { Row } from '../../record';

/** One kernel with weights from one place, prefetched some bytes ahead of their use. */
interface Measured {
  readonly kernel: string;
  readonly from: string;
  /** Of all weights that are multiplied by in turn. */
  readonly bytes: number;
  /** Bytes; 0 is no prefetch. */
  readonly ahead: number | 'next tile';
  /** Whether this is the distance that the kernel has. */
  readonly chosen: boolean;
  readonly hugePages: boolean;
  /** Of a pass over the weights. */
  readonly micros: number;
  /** Speed, as a multiple of that without prefetch. */
  readonly ratio: number;
}

/** What could not be measured, and why. */
interface Missing {
  readonly kernel: string;
  readonly from?: string;
  readonly missing: string;
}

/** A row for each line of `examples/prefetch.rs`. */
export function rowsOf(output: string): Row[] {
  const lines = output.split('\n').filter((line) => line !== '');
  return lines.map((line) => rowOf(JSON.parse(line) as Measured | Missing));
}

function rowOf(line: Measured | Missing): Row {
  const what = line.from === undefined ? line.kernel : `${line.kernel}, weights from ${line.from}`;
  const unit = '× no prefetch';
  if ('missing' in line) return { what, measured: null, unit, detail: line.missing };
  const { ahead, chosen, hugePages, micros, bytes, ratio } = line;
  const distance = ahead === 0 ? 'none' : ahead === 'next tile' ? ahead : `${ahead} bytes ahead`;
  const marks = `${chosen ? ' (chosen)' : ''}${hugePages ? ', weights in huge pages' : ''}`;
  const detail = `${(micros / 1000).toFixed(2)} ms for ${(bytes / 1e6).toFixed(1)} MB of weights`;
  return { what: `${what}: ${distance}${marks}`, measured: ratio, unit, detail };
}
