import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { runInNewContext } from 'node:vm';
import { compile } from '@neural-engine/compiler';
import { Graph } from '@neural-engine/ir';
import { makeModel } from '@neural-engine/onnx';
import { afterAll, describe, expect, it } from 'vitest';
import { load } from './load';
import { locate, type ModelSource } from './source';

const folder = mkdtempSync(join(tmpdir(), 'ne-source-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** As if the package were there twice. */
const ofAnotherCopy = (graph: Graph): Graph =>
  Object.setPrototypeOf(graph, Object.create(null, Object.getOwnPropertyDescriptors(Graph.prototype))) as Graph;

describe('what a model is loaded from', () => {
  it('is bytes, also of another realm, a model in memory or a graph', () => {
    const model = makeModel({ nodes: [], inputs: [], outputs: [] });
    expect(locate(model)).toEqual({ kind: 'onnx', model });
    const graph = new Graph('empty');
    for (const each of [graph, ofAnotherCopy(new Graph('empty'))]) expect(locate(each)).toEqual({ kind: 'graph', graph: each });
    expect(compile(ofAnotherCopy(new Graph('empty'))).nodes).toEqual([]);
    for (const bytes of [new Uint8Array(1), Buffer.alloc(1), runInNewContext('new Uint8Array(1)') as Uint8Array])
      expect(locate(bytes)).toEqual({ kind: 'bytes', bytes });
  });

  it.each<[string, unknown]>([
    ['null', null],
    ['undefined', undefined],
    ['""', ''],
    ['7', 7],
    ['Object', {}],
    ['ArrayBuffer', new ArrayBuffer(8)],
    ['Float32Array', new Float32Array(2)],
    ['https://example.com/model.onnx', new URL('https://example.com/model.onnx')],
  ])('is not %s', async (what, source) => {
    await expect(load(source as ModelSource)).rejects.toMatchObject({
      code: 'E_USAGE',
      message: expect.stringContaining(`this is ${what}`),
    });
  });

  it('is not where nothing is', () => {
    expect(() => locate(pathToFileURL(join(folder, 'no.onnx')))).toThrow(expect.objectContaining({ code: 'E_NOT_FOUND' }));
  });

  it.skipIf(process.platform === 'win32')('is not in a folder that may not be read', () => {
    const closed = join(folder, 'closed');
    mkdirSync(closed);
    chmodSync(closed, 0);
    chmodSync(folder, 0o755);
    // Whoever may read everything looks as somebody who may not.
    const mayAll = process.getuid?.() === 0;
    if (mayAll) process.seteuid!(65534);
    try {
      expect(() => locate(closed)).toThrow(expect.objectContaining({ code: 'E_PATH', where: closed }));
    } finally {
      if (mayAll) process.seteuid!(0);
    }
  });
});
