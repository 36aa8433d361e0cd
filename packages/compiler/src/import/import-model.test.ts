import { EngineError, type Tensor } from '@neural-engine/core';
import { verifyGraph } from '@neural-engine/ir';
import type { OnnxModel } from '@neural-engine/onnx';
import { describe, expect, it } from 'vitest';
import { opsOf } from '../__fixtures__/build-graph';
import { branch, float, functionOf, graph, int, ints, modelOf, node, tensor, text } from '../__fixtures__/build-model';
import { runGraph } from '../__fixtures__/run-graph';
import { importModel } from './import-model';
import { UnsupportedModelError } from './unsupported';

const X = { x: ['f32', ['batch', 3]] } as const;
/** The elements of a tensor of numbers. */
const numbers = (t: Tensor | undefined): number[] => Array.from(t!.data as Float32Array, Number);
const feed = (values: number[], dims = [values.length / 3, 3]) =>
  new Map([['x', { dtype: 'f32', dims, data: Float32Array.from(values) } as const]]);

function caught(model: OnnxModel): EngineError {
  try {
    importModel(model);
  } catch (error) {
    if (EngineError.isInstance(error)) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('importModel', () => {
  it('keeps names, order, symbols and constants', () => {
    const model = modelOf({
      inputs: X,
      constants: { w: ['f32', [3], Float32Array.of(1, 2, 3)] },
      nodes: [node('Mul', ['x', 'w'], ['scaled'], {}, { name: 'scale' }), node('Relu', ['scaled'], ['y'])],
    });
    const result = importModel(model);
    verifyGraph(result);
    expect(result.inputs).toEqual(['x']);
    expect(result.outputs).toEqual(['y']);
    expect(result.value('x')).toEqual({ name: 'x', dtype: 'f32', shape: ['batch', 3] });
    expect(result.value('y').shape).toEqual(['batch', 3]);
    expect(result.nodes.map(({ name, op }) => [name, op])).toEqual([
      ['scale', 'Mul'],
      ['Relu_1', 'Relu'],
    ]);
  });

  it('takes an input with an initializer for a constant', () => {
    const model = modelOf({
      inputs: { ...X, w: ['f32', [3]] },
      constants: { w: ['f32', [3], new Float32Array(3)] },
      nodes: [node('Add', ['x', 'w'], ['y'])],
    });
    expect(importModel(model).inputs).toEqual(['x']);
  });

  it('leaves out operands that are left out', () => {
    const model = modelOf({
      inputs: X,
      constants: { high: ['f32', [], Float32Array.of(1)] },
      nodes: [node('Clip', ['x', '', 'high'], ['y'])],
    });
    expect(importModel(model).nodes[0]!.inputs).toEqual(['x', '', 'high']);
  });

  it('lists everything that is unsupported, not only the first', () => {
    const model = modelOf({
      inputs: { ...X, s: ['string', [1]] },
      nodes: [
        node('Conv', ['x', 'x'], ['a'], {}, { name: 'first' }),
        node('Relu', ['a'], ['b']),
        node('Fancy', ['b'], ['c'], {}, { name: 'second', domain: 'com.example' }),
        node('Conv', ['c', 'x'], ['d'], {}, { name: 'third' }),
        node('Identity', ['s'], ['t'], {}, { name: 'fourth' }),
        node('Loop', ['', '', 'x'], ['y'], { body: graph(branch([], [])) }, { name: 'fifth' }),
      ],
      outputs: ['d', 't', 'y'],
    });
    const error = caught(model) as UnsupportedModelError;
    expect(error).toBeInstanceOf(UnsupportedModelError);
    expect(error.code).toBe('E_UNSUPPORTED');
    expect(error.nodes.map(({ name, op, opset }) => [name, op, opset])).toEqual([
      ['first', 'Conv', 22],
      ['second', 'com.example::Fancy', 0],
      ['third', 'Conv', 22],
      ['s', 'graph input', 22],
      ['fifth', 'Loop', 22],
    ]);
    expect(error.message).toMatch(/^5 nodes are not supported: Conv \(opset 22\): .*2 nodes "first", "third"\. /);
  });

  it('reports inputs of unsupported types only where something reads them', () => {
    const model = modelOf({ inputs: { ...X, unused: ['string', [1]] }, nodes: [node('Relu', ['x'], ['y'])] });
    expect(importModel(model).inputs).toEqual(['x']);
  });

  it.each([[6], [23], [10_000]])('refuses opset %i', (opset) => {
    const error = caught(modelOf({ opset, inputs: X, nodes: [node('Relu', ['x'], ['y'])] }));
    expect(error.code).toBe('E_UNSUPPORTED');
    expect(error.message).toContain('opsets 7 to 22 are supported');
  });

  it.each<[string, Parameters<typeof modelOf>[0], string, string]>([
    ['a value nobody makes', { inputs: X, nodes: [node('Add', ['x', 'ghost'], ['y'])] }, 'E_MODEL', 'nothing makes the value "ghost"'],
    [
      'an output nobody makes',
      { inputs: X, nodes: [node('Relu', ['x'], ['y'])], outputs: ['z'] },
      'E_MODEL',
      'nothing makes the value "z"',
    ],
    [
      'two values of one name',
      { inputs: X, nodes: [node('Relu', ['x'], ['y']), node('Abs', ['x'], ['y'])] },
      'E_MODEL',
      'two values are named "y"',
    ],
    ['a required attribute left out', { inputs: X, nodes: [node('Concat', ['x'], ['y'])] }, 'E_MODEL', 'the attribute "axis" is missing'],
    [
      'an attribute of another type',
      { inputs: X, nodes: [node('Concat', ['x'], ['y'], { axis: float(1) })] },
      'E_MODEL',
      'attribute "axis" is of type float, not int',
    ],
    [
      'an attribute the operator has not',
      { inputs: X, nodes: [node('Relu', ['x'], ['y'], { alpha: float(1) })] },
      'E_MODEL',
      'the operator has no attribute "alpha" in opset 22',
    ],
    [
      'an integer that is not exact',
      { inputs: X, nodes: [node('Concat', ['x'], ['y'], { axis: int(2n ** 62n) })] },
      'E_MODEL',
      'beyond the integers that can be handled exactly',
    ],
    [
      'an element type that does not exist',
      { inputs: X, nodes: [node('Cast', ['x'], ['y'], { to: int(999) })] },
      'E_MODEL',
      '999 is no element type',
    ],
    [
      'an axis out of range',
      { inputs: X, nodes: [node('Softmax', ['x'], ['y'], { axis: int(2) })] },
      'E_MODEL',
      'axis 2 is outside [-2, 1]',
    ],
    [
      'a permutation with a repetition',
      { inputs: X, nodes: [node('Transpose', ['x'], ['y'], { perm: ints(0, 0) })] },
      'E_MODEL',
      'Transpose',
    ],
    ['too few operands', { inputs: X, nodes: [node('Add', ['x'], ['y'])] }, 'E_MODEL', 'input "B" is missing'],
    ['too many results', { inputs: X, nodes: [node('Relu', ['x'], ['y', 'z'])] }, 'E_MODEL', 'it has 2 outputs'],
    [
      'shapes that do not fit',
      { inputs: { x: ['f32', [2, 3]], w: ['f32', [4, 5]] }, nodes: [node('MatMul', ['x', 'w'], ['y'])] },
      'E_SHAPE',
      'inner dims',
    ],
    [
      'a result beyond all limits',
      { inputs: X, nodes: [node('ConstantOfShape', ['n'], ['y'])], constants: { n: ['s64', [1], BigInt64Array.of(2n ** 40n)] } },
      'E_LIMIT',
      'above the limit',
    ],
  ])('rejects %s', (_, parts, code, message) => {
    const error = caught(modelOf(parts));
    expect(error.code).toBe(code);
    expect(error.message).toContain(message);
  });
});

describe('older opsets', () => {
  it.each<[string, number, Parameters<typeof modelOf>[0]['nodes'], number[], number[]]>([
    ['ReduceSum axes', 11, [node('ReduceSum', ['x'], ['y'], { axes: ints(1), keepdims: int(0) })], [2], [6, 15]],
    ['ReduceMean axes', 17, [node('ReduceMean', ['x'], ['y'], { axes: ints(-1), keepdims: int(0) })], [2], [2, 5]],
    ['Unsqueeze axes', 11, [node('Unsqueeze', ['x'], ['y'], { axes: ints(0) })], [1, 2, 3], [1, 2, 3, 4, 5, 6]],
    [
      'Slice bounds',
      9,
      [node('Slice', ['x'], ['y'], { starts: ints(1), ends: ints(2n ** 63n - 1n), axes: ints(1) })],
      [2, 2],
      [2, 3, 5, 6],
    ],
    ['Clip bounds', 7, [node('Clip', ['x'], ['y'], { min: float(2), max: float(4) })], [2, 3], [2, 2, 3, 4, 4, 4]],
    ['Pad amounts', 10, [node('Pad', ['x'], ['y'], { pads: ints(0, 1, 0, 0), value: float(9) })], [2, 4], [9, 1, 2, 3, 9, 4, 5, 6]],
    ['Dropout', 7, [node('Dropout', ['x'], ['y'], { ratio: float(0.5) })], [2, 3], [1, 2, 3, 4, 5, 6]],
    ['TopK count', 9, [node('TopK', ['x'], ['y', 'at'], { k: int(1) })], [2, 1], [3, 6]],
    ['ReduceL1 axes', 12, [node('ReduceL1', ['x'], ['y'], { axes: ints(1), keepdims: int(0) })], [2], [6, 15]],
  ])('take %s from attributes', (_, opset, nodes, dims, values) => {
    const result = importModel(modelOf({ opset, inputs: X, nodes, outputs: ['y'] }));
    verifyGraph(result);
    const y = runGraph(result, feed([1, 2, 3, 4, 5, 6])).get('y')!;
    expect(y.dims).toEqual(dims);
    expect(numbers(y)).toEqual(values);
  });

  it('split by an attribute, and evenly by the number of outputs', () => {
    const uneven = modelOf({ opset: 11, inputs: X, nodes: [node('Split', ['x'], ['y', 'z'], { axis: int(1), split: ints(1, 2) })] });
    expect(numbers(runGraph(importModel(uneven), feed([1, 2, 3])).get('z'))).toEqual([2, 3]);
    const even = modelOf({ opset: 13, inputs: { x: ['f32', [1, 4]] }, nodes: [node('Split', ['x'], ['y', 'z'], { axis: int(1) })] });
    expect(numbers(runGraph(importModel(even), feed([1, 2, 3, 4], [1, 4])).get('z'))).toEqual([3, 4]);
  });

  it('flatten before a softmax in the middle of a shape', () => {
    const model = modelOf({ opset: 11, inputs: { x: ['f32', [1, 2, 2]] }, nodes: [node('Softmax', ['x'], ['y'])] });
    const result = importModel(model);
    expect(opsOf(result)).toEqual(['Shape', 'Flatten', 'Softmax', 'Reshape']);
    const y = runGraph(result, feed([0, 0, 0, 0], [1, 2, 2])).get('y')!;
    expect([y.dims, numbers(y)]).toEqual([
      [1, 2, 2],
      [0.25, 0.25, 0.25, 0.25],
    ]);
  });

  it('keep a softmax over the last axis as it is', () => {
    const last = modelOf({ opset: 11, inputs: { x: ['f32', [1, 2, 2]] }, nodes: [node('Softmax', ['x'], ['y'], { axis: int(2) })] });
    expect(importModel(last).nodes.map((n) => [n.op, n.attributes])).toEqual([['Softmax', { axis: -1 }]]);
  });

  it('give Dropout a mask of ones', () => {
    const model = modelOf({ opset: 12, inputs: X, nodes: [node('Dropout', ['x'], ['y', 'mask'])], outputs: ['mask'] });
    expect(numbers(runGraph(importModel(model), feed([1, 2, 3])).get('mask'))).toEqual([1, 1, 1]);
  });
});

describe('constants', () => {
  it.each<[string, Parameters<typeof node>[3], string, number[], number[]]>([
    ['value', { value: tensor('f32', [1, 2], Float32Array.of(1, 2)) }, 'f32', [1, 2], [1, 2]],
    ['value_float', { value_float: float(1.5) }, 'f32', [], [1.5]],
    ['value_floats', { value_floats: { type: 'floats', value: [1, 2] } }, 'f32', [2], [1, 2]],
    ['value_int', { value_int: int(-3) }, 's64', [], [-3]],
    ['value_ints', { value_ints: ints(4, 5) }, 's64', [2], [4, 5]],
  ])('come from %s', (_, attributes, dtype, dims, values) => {
    const result = importModel(modelOf({ inputs: X, nodes: [node('Constant', [], ['c'], attributes), node('Identity', ['c'], ['y'])] }));
    const constant = result.constant('c')!;
    expect([constant.dtype, constant.dims, Array.from(constant.data as Float32Array, Number)]).toEqual([dtype, dims, values]);
    expect(opsOf(result)).toEqual(['Identity']);
  });

  it('are refused as strings, and rejected without a value', () => {
    const strings = modelOf({ inputs: X, nodes: [node('Constant', [], ['c'], { value_string: text('a') })] });
    expect(caught(strings).code).toBe('E_UNSUPPORTED');
    expect(caught(modelOf({ inputs: X, nodes: [node('Constant', [], ['c'])] })).message).toContain('it has no value');
  });
});

describe('functions', () => {
  const call = (name: string, inputs: string[], outputs: string[], attributes = {}) =>
    node(name, inputs, outputs, attributes, { domain: 'local' });

  it('are written out, with names that do not collide', () => {
    const twice = functionOf('Twice', ['a'], ['b'], [node('Add', ['a', 'a'], ['t']), node('Identity', ['t'], ['b'])]);
    const model = modelOf({ inputs: X, nodes: [call('Twice', ['x'], ['t']), call('Twice', ['t'], ['y'])], functions: [twice] });
    const result = importModel(model);
    verifyGraph(result);
    expect(opsOf(result)).toEqual(['Add', 'Identity', 'Add', 'Identity']);
    expect(numbers(runGraph(result, feed([1, 2, 3])).get('y'))).toEqual([4, 8, 12]);
  });

  it('take attributes from the call or from their defaults', () => {
    const reference = { type: 'reference', value: 'slope', of: 'float' } as const;
    const leaky = functionOf('Leaky', ['a'], ['b'], [node('LeakyRelu', ['a'], ['b'], { alpha: reference })], {
      defaults: { slope: float(0.5) },
    });
    const model = modelOf({
      inputs: X,
      nodes: [call('Leaky', ['x'], ['m'], { slope: float(0.25) }), call('Leaky', ['m'], ['y'])],
      functions: [leaky],
    });
    expect(importModel(model).nodes.map((n) => n.attributes)).toEqual([{ alpha: 0.25 }, { alpha: 0.5 }]);
  });

  it('take the operator set they name themselves', () => {
    const old = functionOf('Old', ['a'], ['b'], [node('Unsqueeze', ['a'], ['b'], { axes: ints(0) })], { opset: 11 });
    expect(importModel(modelOf({ inputs: X, nodes: [call('Old', ['x'], ['y'])], functions: [old] })).value('y').shape).toEqual([
      1,
      'batch',
      3,
    ]);
  });

  it('may hand an input through and leave operands out', () => {
    const pass = functionOf('Pass', ['a', 'low'], ['a', 'c'], [node('Clip', ['a', 'low'], ['c'])]);
    const result = importModel(modelOf({ inputs: X, nodes: [call('Pass', ['x'], ['y', 'z'])], functions: [pass] }));
    verifyGraph(result);
    expect(numbers(runGraph(result, feed([1, 2, 3])).get('y'))).toEqual([1, 2, 3]);
  });

  it('may not call themselves', () => {
    const a = functionOf('A', ['a'], ['b'], [call('B', ['a'], ['b'])]);
    const b = functionOf('B', ['a'], ['b'], [call('A', ['a'], ['b'])]);
    const error = caught(modelOf({ inputs: X, nodes: [call('A', ['x'], ['y'])], functions: [a, b] }));
    expect([error.code, error.message]).toEqual(['E_MODEL', 'function "local::A" calls itself']);
  });

  it('may not nest a thousand deep', () => {
    const chain = Array.from({ length: 1000 }, (_, i) =>
      functionOf(`F${i}`, ['a'], ['b'], [i === 999 ? node('Relu', ['a'], ['b']) : call(`F${i + 1}`, ['a'], ['b'])]),
    );
    expect(caught(modelOf({ inputs: X, nodes: [call('F0', ['x'], ['y'])], functions: chain })).code).toBe('E_LIMIT');
  });

  it('may not double until the memory is full', () => {
    const chain = Array.from({ length: 40 }, (_, i) =>
      functionOf(
        `F${i}`,
        ['a'],
        ['b'],
        i === 39 ? [node('Relu', ['a'], ['b'])] : [call(`F${i + 1}`, ['a'], ['m']), call(`F${i + 1}`, ['m'], ['b'])],
      ),
    );
    expect(caught(modelOf({ inputs: X, nodes: [call('F0', ['x'], ['y'])], functions: chain })).message).toContain(
      'calls expand to more than',
    );
  });
});

describe('If', () => {
  const choice = (condition: string) =>
    node('If', [condition], ['y'], {
      then_branch: graph(branch([node('Neg', ['x'], ['n'])], ['n'])),
      else_branch: graph(branch([node('Abs', ['x'], ['n'])], ['n'])),
    });

  it.each([
    [1, 'Neg'],
    [0, 'Abs'],
  ])('with the constant condition %i becomes its branch', (condition, op) => {
    const model = modelOf({ inputs: X, constants: { c: ['bool', [], Uint8Array.of(condition)] }, nodes: [choice('c')] });
    const result = importModel(model);
    verifyGraph(result);
    expect(opsOf(result)).toEqual([op, 'Identity']);
  });

  it('decides by shape arithmetic that is known', () => {
    const model = modelOf({
      inputs: X,
      constants: { three: ['s64', [], BigInt64Array.of(3n)], one: ['s64', [], BigInt64Array.of(1n)] },
      nodes: [node('Shape', ['x'], ['s']), node('Gather', ['s', 'one'], ['w']), node('Equal', ['w', 'three'], ['c']), choice('c')],
    });
    expect(opsOf(importModel(model))).toContain('Neg');
  });

  it('with an open condition is unsupported', () => {
    const error = caught(modelOf({ inputs: { ...X, c: ['bool', []] }, nodes: [choice('c')] }));
    expect(error.message).toContain('If (opset 22): its condition is not constant');
  });
});
