import { spawnSync } from 'node:child_process';
import { mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';
import { NativeSession, openWeights, Program, packWeights, type WeightSet } from './index';
import { linearProgram, linearResult, linearWeights } from './testing';

const folder = mkdtempSync(join(tmpdir(), 'ne-mapped-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const [M, K] = [16, 24];
const { matrix, bias, specs } = linearWeights(M, K);
const x = Float32Array.from({ length: 10 * K }, (_, i) => (i % 9) - 4);

async function resultOf(weights: WeightSet): Promise<Float32Array> {
  const session = new NativeSession({ threads: 1 });
  const y = new Float32Array(10 * M);
  await session.run(new Program(linearProgram(10, M, K), weights), [x], [y]);
  await session.close();
  return y;
}

it('B9: a file that is replaced while it is mapped goes on serving its old weights', async () => {
  const file = join(folder, 'replaced.neweights');
  const old = packWeights(specs, { file });
  const zero = packWeights([{ ...specs[0]!, data: new Float32Array(M * K) }, specs[1]!] as typeof specs, { file });
  expect([old.mapped, zero.mapped]).toEqual([true, true]);
  expect(await resultOf(old)).toEqual(linearResult(x, matrix, bias));
  expect(await resultOf(openWeights(file)!)).toEqual(linearResult(x, new Float32Array(M * K), bias));
});

it('B10: a byte that somebody overwrites in place is found by the next verify', () => {
  const file = join(folder, 'overwritten.neweights');
  packWeights(specs, { file });
  const at = 80;
  writeSync(openSync(file, 'r+'), Uint8Array.of(readFileSync(file)[at]! ^ 1), 0, 1, at);
  expect(() => openWeights(file, { verify: true })).toThrow(expect.objectContaining({ code: 'E_IR_MISMATCH' }));
});

it.runIf(process.platform === 'linux')(
  'B8: a file that is cut while it is mapped ends the process, and one that was copied does not',
  () => {
    const url = (name: string): string => JSON.stringify(new URL(name, import.meta.url).href);
    const script = `
    import { truncateSync } from 'node:fs';
    import { NativeSession, openWeights, packWeights, Program } from ${url('./index.ts')};
    import { linearProgram, linearWeights } from ${url('./testing.ts')};
    const file = ${JSON.stringify(join(folder, 'cut.neweights'))};
    packWeights(linearWeights(256, 256).specs, { file });
    const sets = [openWeights(file, { copyWeights: true }), openWeights(file)];
    const programs = sets.map((set) => new Program(linearProgram(8, 256, 256), set));
    const session = new NativeSession({ threads: 1 });
    truncateSync(file, 0);
    for (const program of programs) {
      await session.run(program, [new Float32Array(8 * 256)], [new Float32Array(8 * 256)]);
      console.log('ran');
    }`;
    const { stdout, stderr, signal } = spawnSync(
      process.execPath,
      ['--conditions=source', '--import', 'tsx', '--input-type=module', '-e', script],
      { encoding: 'utf8', cwd: fileURLToPath(new URL('..', import.meta.url)) },
    );
    expect([stdout, signal], stderr).toEqual(['ran\n', 'SIGBUS']);
  },
);
