import { expect, it } from 'vitest';
import { NativeSession, Program, packWeights } from './index';
import { linearProgram, linearResult, linearWeights } from './testing';

it('runs a program from rows to rows and gives exactly the product', async () => {
  const [rows, m, k] = [130, 17, 24];
  const { matrix, bias, specs } = linearWeights(m, k);
  const program = new Program(linearProgram(rows, m, k), packWeights(specs));
  const x = Float32Array.from({ length: rows * k }, (_, i) => ((i * 13) % 11) - 5);
  const y = new Float32Array(rows * m);
  const session = new NativeSession({ threads: 2 });
  await session.run(program, [x], [y]);
  expect(y).toEqual(linearResult(x, matrix, bias));
  await session.close();
});
