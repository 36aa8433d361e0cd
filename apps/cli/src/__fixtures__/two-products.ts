import { makeModel, makeNode, makeTensor, makeValueInfo } from '@neural-engine/onnx';

/** Numbers without a pattern in their sizes, the same on each call. */
export const wave = (count: number, speed: number): Float32Array => Float32Array.from({ length: count }, (_, i) => Math.sin(i * speed));

/** y f32 [batch, width] = relu(x f32 [batch, 16] · a) · b: the least that static quantisation has something to do in. */
export const twoProducts = ({ width = 16, first = wave(512, 0.7) } = {}) =>
  makeModel({
    nodes: [
      makeNode('MatMul', ['x', 'a'], ['h'], { name: 'first' }),
      makeNode('Relu', ['h'], ['r'], { name: 'relu' }),
      makeNode('MatMul', ['r', 'b'], ['y'], { name: 'second' }),
    ],
    inputs: [makeValueInfo('x', 'f32', ['batch', 16])],
    outputs: [makeValueInfo('y', 'f32', ['batch', width])],
    initializers: [makeTensor('a', 'f32', [16, 32], first), makeTensor('b', 'f32', [32, width], wave(32 * width, 1.1))],
  });
