import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encoder } from '../__fixtures__/encoder';
import { expectSameGraph } from '../__fixtures__/same-graph';
import { encodeOriginalIr } from './original/encode';
import { readIr } from './read-ir';
import { updateHash } from './weights';
import { encodeIr, writeIr } from './write-ir';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ne-weights-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('weights beyond what one array or one call holds', () => {
  it('are read where they lie, past 4 GiB too', async () => {
    const { config: sealed, weights } = encodeOriginalIr(encoder({}));
    // As the original writes it: without a digest, which would take seconds.
    const config = sealed.slice(0, sealed.indexOf('neural_engine:'));
    const far = 5 * 2 ** 30;
    writeFileSync(
      join(folder, 'conf.yaml'),
      config.replace(/location: \[(\d+), /g, (_, at) => `location: [${Number(at) + far}, `),
    );
    // A sparse file: the five GiB before the weights take no room.
    const file = await open(join(folder, 'model.bin'), 'w');
    await file.write(Buffer.concat(weights), 0, undefined, far);
    await file.close();
    expectSameGraph(await readIr(folder), await readIr({ config, weights: Buffer.concat(weights) }));
  });

  it('are refused by their size before they are read', async () => {
    await writeIr(encoder({}), folder, { force: true });
    truncateSync(join(folder, 'model.bin'), 5 * 2 ** 30);
    await expect(readIr(folder)).rejects.toMatchObject({
      code: 'E_IR_MISMATCH',
      message: expect.stringContaining('model.bin has 5368709120'),
    });
  });

  it('have the digest of their pieces', () => {
    const bytes = Uint8Array.from({ length: 10 }, (_, i) => i);
    const hash = createHash('sha256');
    updateHash(hash, bytes, 3);
    expect(hash.digest('hex')).toBe(createHash('sha256').update(bytes).digest('hex'));
  });

  it('are refused where constants overlap over and over', async () => {
    const constants = Array.from({ length: 8 }, (_, i) => `        c${i}: {dtype: s8, shape: [60], location: [${i}, 60]}\n`).join('');
    const config = `model:\n  name: m\n  operator:\n    input_data:\n      type: Input\n      output:\n${constants}`;
    await expect(readIr({ config, weights: new Uint8Array(68) })).rejects.toMatchObject({
      code: 'E_IR_MISMATCH',
      message: expect.stringContaining('overlap'),
    });
  });
});

describe('a folder of links', () => {
  /** conf.yaml and model.bin as blobs; the folder holds links to the targets. */
  function linked(config: string, weights: string): string {
    const { config: text, weights: parts } = encodeIr(encoder({}));
    for (const name of ['blobs', 'elsewhere', 'snapshot']) mkdirSync(join(folder, name));
    writeFileSync(join(folder, 'blobs', '1111'), text);
    for (const name of ['blobs/2222', 'elsewhere/2222', 'snapshot/plain']) writeFileSync(join(folder, name), Buffer.concat(parts));
    writeFileSync(join(folder, 'snapshot', 'plain.txt'), text);
    symlinkSync(config, join(folder, 'snapshot', 'conf.yaml'));
    symlinkSync(weights, join(folder, 'snapshot', 'model.bin'));
    return join(folder, 'snapshot');
  }

  it('is read where both lead into one folder, as in a hub’s cache', async () => {
    expectSameGraph(await readIr(linked('../blobs/1111', '../blobs/2222')), encoder({}));
  });
  it.each([
    ['into another folder', '../elsewhere/2222', 'E_PATH'],
    ['to nothing', '../blobs/3333', 'E_IR_MISMATCH'],
    ['to a folder', '../blobs/.', 'E_PATH'],
  ])('Y11 is refused where the weights lead %s', async (_, weights, code) => {
    await expect(readIr(linked('../blobs/1111', weights))).rejects.toMatchObject({ code });
  });
  it('Y11 is refused where the weights alone are a link', async () => {
    await writeIr(encoder({}), folder, { force: true });
    writeFileSync(join(folder, 'secret'), '');
    rmSync(join(folder, 'model.bin'));
    symlinkSync('secret', join(folder, 'model.bin'));
    await expect(readIr(folder)).rejects.toMatchObject({ code: 'E_PATH', message: expect.stringContaining('model.bin is a link') });
  });
});
