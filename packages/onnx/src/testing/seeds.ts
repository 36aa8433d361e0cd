import { readFileSync, statSync } from 'node:fs';
import { makeModel, makeNode, makeTensor, makeValueInfo } from '../build';
import { encodeModel } from '../encode/model';
import { onnxFiles } from './models';
import { concat, f32, int, len, reluGraph, reluModel, tag, wire } from './wire';

/** Larger files make fewer runs a second and find nothing more. */
const LARGEST_BYTES = 20_000;
const MOST_FILES = 400;

function handmade(): Uint8Array[] {
  const branch = concat(
    wire.node('Relu', ['X'], ['T']),
    wire.value(12, 'T', [1, 'n']),
    wire.initializer('V', 7, [2], int(7, 1), int(7, 2)),
  );
  const sparse = concat(
    len(1, wire.tensor('S', 1, [2], f32(4, 1), f32(4, 2))),
    len(2, wire.tensor('', 7, [2], int(7, 0), int(7, 3))),
    int(3, 4),
  );
  const callee = concat(
    len(1, 'f'),
    len(4, 'a'),
    len(5, 'b'),
    len(10, 'local'),
    len(9, int(2, 17)),
    len(6, 'alpha'),
    len(7, len(1, 'a'), len(2, 'b'), len(4, 'Relu')),
  );
  return [
    reluModel(),
    reluModel(wire.initializer('W', 1, [2, 2], len(9, new Uint8Array(16)))),
    wire.model(
      ...reluGraph,
      wire.node('If', ['X'], ['Z'], wire.attribute('then_branch', 5, len(6, branch)), wire.attribute('axis', 2, int(3, -1))),
    ),
    reluModel(len(15, sparse), wire.value(13, 'Z', [3, 'batch', -1, null])),
    reluModel(
      wire.node('Constant', [], ['C'], wire.attribute('value', 4, len(5, wire.tensor('c', 6, [3], int(5, 1), int(5, 2), int(5, 3))))),
    ),
    reluModel(wire.initializer('E', 2, [16], wire.external({ location: 'w.bin', offset: '0', length: '16' }))),
    reluModel(wire.initializer('T', 8, [2], len(6, 'a'), len(6, 'b')), len(14, len(1, 'X'), len(2, len(1, 'SCALE_TENSOR'), len(2, 's')))),
    concat(reluModel(), len(8, len(1, 'local'), int(2, 1)), len(25, callee), len(14, len(1, 'k'), len(2, 'v')), len(20, len(1, branch))),
    concat(reluModel(len(10, 'doc')), tag(60, 3), int(61, 5), tag(60, 4)),
    reluModel(len(13, len(1, 'Q'), len(2, len(4, len(1, len(9, len(1, len(5, int(1, 8), len(2, len(1, int(1, 1))))))))))),
  ];
}

function quantized(): Uint8Array {
  const scale = makeTensor('s', 'f32', [3], Float32Array.of(0.1, 0.2, 0.3));
  const zeroPoint = makeTensor('z', 'u8', [3], Uint8Array.of(1, 2, 3));
  return encodeModel(
    makeModel({
      nodes: [makeNode('QuantizeLinear', ['X', 's', 'z'], ['Q']), makeNode('DequantizeLinear', ['Q', 's', 'z'], ['Y'])],
      inputs: [makeValueInfo('X', 'f32', ['n', 3])],
      outputs: [makeValueInfo('Y', 'f32', ['n', 3])],
      initializers: [scale, zeroPoint],
    }),
  );
}

/** Valid files to begin from: made here, and small ones of a folder where one is given. */
export function fuzzSeeds(corpus: string | undefined): Uint8Array[] {
  const seeds = [...handmade(), quantized()];
  if (corpus === undefined) return seeds;
  const files = [...onnxFiles(corpus)].filter((path) => statSync(path).size <= LARGEST_BYTES);
  const step = Math.max(1, Math.floor(files.length / MOST_FILES));
  return [...seeds, ...files.filter((_, i) => i % step === 0).map((path) => new Uint8Array(readFileSync(path)))];
}
