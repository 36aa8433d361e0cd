import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as ir from '@neural-engine/ir';
import { expect, it } from 'vitest';
import { sparseEncoder } from './__fixtures__/sparse-encoder';
import * as transpose from './index';

it('the example of the README runs', async () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const code = /```ts\n(.*?)```/s
    .exec(readme)![1]!
    .replace(/^import .*$/gm, '')
    .replace(': TransposeDecision', '');
  const folder = mkdtempSync(join(tmpdir(), 'ne-transpose-readme-'));
  try {
    await ir.writeIr(sparseEncoder(), join(folder, 'int8_ir'));
    const printed: string[][] = [];
    const body = `const { readIr, writeIr, writeOriginalIr } = ir; const { transposeGraph } = transpose;
      return (async () => {${code.replace(/'(\w+_ir)'/g, (_, name: string) => JSON.stringify(join(folder, name)))}})();`;
    const run = new Function('ir', 'transpose', 'console', body) as (...libraries: unknown[]) => Promise<void>;
    await run(ir, transpose, { log: (lines: string[]) => printed.push(lines) });
    expect(readdirSync(folder).sort()).toEqual(['int8_ir', 'original_sparse_ir', 'sparse_int8_ir']);
    expect(printed[0]).toContain('/0.ffn1: plain, it is excluded by name');
    expect(printed[0]).toContain('/0.ffn2: transposed, 75.0% of its 4x1 blocks are zero, at least 70.0%');
  } finally {
    rmSync(folder, { recursive: true });
  }
});
