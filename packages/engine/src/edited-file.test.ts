import { mkdtempSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeModel, makeModel, makeNode, makeTensor, makeValueInfo } from '@neural-engine/onnx';
import { afterAll, expect, it } from 'vitest';
import { load } from './index';

const folder = mkdtempSync(join(tmpdir(), 'ne-edited-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('F9: a model that is edited without a change of its size or of its time is not taken for the old one', async () => {
  const file = join(folder, 'model.onnx');
  const put = (weight: number): void => {
    writeFileSync(
      file,
      encodeModel(
        makeModel({
          nodes: [makeNode('MatMul', ['x', 'w'], ['y'])],
          inputs: [makeValueInfo('x', 'f32', ['n', 4])],
          outputs: [makeValueInfo('y', 'f32', ['n', 4])],
          initializers: [makeTensor('w', 'f32', [4, 4], new Float32Array(16).fill(weight))],
        }),
      ),
    );
    utimesSync(file, 1e9, 1e9);
  };
  const answer = async () => {
    const model = await load(file, { cache: join(folder, 'cache') });
    await using session = await model.session({ threads: 1 });
    const { y } = await session.run({ x: { dtype: 'f32', dims: [1, 4], data: new Float32Array(4).fill(1) } });
    return [model.warm, y!.data[0]];
  };
  put(1);
  const { size, mtimeMs } = statSync(file);
  expect([await answer(), await answer()]).toEqual([
    [false, 4],
    [true, 4],
  ]);
  put(2);
  expect(statSync(file)).toMatchObject({ size, mtimeMs });
  expect(await answer()).toEqual([false, 8]);
});
