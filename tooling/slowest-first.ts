import { BaseSequencer, type TestSpecification } from 'vitest/node';

/**
 * The files that take longest. Begun last, one of them keeps a processor busy while the others have nothing left to do; a fresh clone
 * does not know by itself how long each took.
 */
const SLOWEST = [
  'tooling/release/release.test.ts',
  'apps/cli/src/quantize/quantize-onnx.test.ts',
  'apps/cli/src/reliability-c.test.ts',
  'apps/cli/src/coming-from/coming-from.test.ts',
  'apps/cli/src/coming-from/docs.test.ts',
  'apps/cli/src/quantized-import.test.ts',
  'apps/cli/src/bench/bench.test.ts',
  'apps/cli/src/quantize/sensitivity.test.ts',
  'apps/cli/src/cli.test.ts',
  'packages/engine/src/soak.test.ts',
  'packages/kernels/src/process.test.ts',
  'apps/cli/src/diff.test.ts',
];

/** Vitest's order, but for the slowest files, which come first. */
export class SlowestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const at = SLOWEST.findIndex((file) => moduleId.endsWith(file));
      return at < 0 ? SLOWEST.length : at;
    };
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b));
  }
}
