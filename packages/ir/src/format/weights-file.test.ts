import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { filledGraph } from '../__fixtures__/save-for-ever';
import { readIr } from './read-ir';
import { encodeIr, writeIr } from './write-ir';

const folder = mkdtempSync(join(tmpdir(), 'ne-weights-file-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const refused = (promise: Promise<unknown>, code: string) => expect(promise).rejects.toMatchObject({ code });

/** A configuration of one f32 [2] constant at a place in model.bin, as the original writes it: without a digest. */
const config = (...places: readonly string[]): string => `model:
  name: model
  operator:
    input_data:
      type: Input
      output:
${places.map((place, i) => `        w${i}:0:\n          dtype: fp32\n          shape: [2]\n          location: ${place}\n`).join('')}    output_data:
      type: Output
      input:
        w0:0: {}
`;
const weights = new Uint8Array(Float32Array.of(7, 1, 2, 9).buffer);

describe('model.bin', () => {
  it('B4: of another model of the same size is told by its digest', async () => {
    const [a, b] = [encodeIr(filledGraph(1)), encodeIr(filledGraph(2))];
    const bytes = Buffer.concat(b.weights);
    expect(bytes.length).toBe(Buffer.concat(a.weights).length);
    await refused(readIr({ config: a.config, weights: bytes }), 'E_IR_MISMATCH');
    await readIr({ config: b.config, weights: bytes });
  });
  it('B6: may hold a constant at any offset, also one that no aligned load could read', async () => {
    for (const offset of [0, 1, 2, 3, 4]) {
      const bytes = new Uint8Array(offset + 8);
      bytes.set(new Uint8Array(Float32Array.of(1, 2).buffer), offset);
      const graph = await readIr({ config: config(`[${offset}, 8]`), weights: bytes });
      expect([...graph.values.values()].find(({ constant }) => constant)!.constant!.data, String(offset)).toEqual(Float32Array.of(1, 2));
    }
  });
  it('B7: has no constant beyond its end, before its beginning or where sums wrap; constants may share bytes', async () => {
    for (const place of ['[12, 8]', '[9007199254740991, 8]', '[9007199254740984, 8]'])
      await refused(readIr({ config: config(place), weights }), 'E_IR_MISMATCH');
    for (const place of ['[-8, 8]', '[18446744073709551608, 8]', '[8]']) await refused(readIr({ config: config(place), weights }), 'E_IR');
    const graph = await readIr({ config: config('[4, 8]', '[8, 8]'), weights });
    expect([...graph.values.values()].flatMap(({ constant }) => (constant ? [...constant.data] : []))).toEqual([1, 2, 2, 9]);
  });
  it('B12, Y11: that is a folder, a link out of its folder or not to be read is refused', async () => {
    const path = join(folder, 'odd');
    await writeIr(filledGraph(1), path);
    const file = join(path, 'model.bin');
    if (process.getuid?.() !== 0) {
      chmodSync(file, 0);
      await refused(readIr(path), 'E_IO');
      chmodSync(file, 0o600);
    }
    renameSync(file, join(folder, 'elsewhere.bin'));
    await refused(readIr(path), 'E_IR_MISMATCH');
    symlinkSync(join(folder, 'elsewhere.bin'), file);
    await refused(readIr(path), 'E_PATH');
    rmSync(file);
    mkdirSync(file);
    await refused(readIr(path), 'E_PATH');
    rmSync(file, { recursive: true });
    writeFileSync(file, Buffer.concat(encodeIr(filledGraph(1)).weights));
    await readIr(path);
  });
});
