import { describe, expect, it } from 'vitest';
import { decodeModel } from './decode-model';
import { lookAlike } from './sniff';
import { refusal } from './testing/errors';
import { concat, int, len, reluModel } from './testing/wire';

const safetensors = concat(new Uint8Array(BigUint64Array.of(48n).buffer), '{"__metadata__":{},"w":{"dtype":"F32"}}');

describe('files of other formats', () => {
  it.each([
    ['an HTML page', '<!DOCTYPE html>\n<html><head><title>404</title>'],
    ['an HTML page', '\n  <html lang="en">'],
    ['a Git LFS pointer', 'version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 12\n'],
    ['a zip archive', concat('PK', Uint8Array.of(3, 4), new Uint8Array(40))],
    ['a safetensors file', safetensors],
    ['a GGUF model', concat('GGUF', Uint8Array.of(3, 0, 0, 0), new Uint8Array(16))],
    ['a gzip file', Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0)],
    ['a Python pickle', Uint8Array.of(0x80, 2, 0x8a, 10)],
    ['an HDF5 file', Uint8Array.of(0x89, 0x48, 0x44, 0x46, 0x0d)],
    ['a TensorFlow Lite model', concat(Uint8Array.of(0x1c, 0, 0, 0), 'TFL3')],
    ['an ONNX Runtime (.ort) model', concat(Uint8Array.of(0x1c, 0, 0, 0), 'ORTM')],
    ['a JSON text', '{"model": 1}'],
  ])('P3 names %s', (name, content) => {
    expect(refusal('E_PARSE', () => decodeModel(concat(content))).message).toContain(`it looks like ${name}`);
  });

  it('P3 does not take a model for something else because of the names in it', () => {
    const names = ['TFL3', 'ORTM', '{"a":1}', '<html>', 'GGUF', 'PK\u0003\u0004'];
    for (const name of names) expect(lookAlike(concat(int(1, 8), len(2, name), reluModel()))).toBeUndefined();
    expect(lookAlike(reluModel())).toBeUndefined();
  });
});
