import { describe, expect, it } from 'vitest';
import { makeGraph, makeModel, makeNode, makeTensor, makeValueInfo } from '../build';
import { decodeModel } from '../decode-model';
import { refusal } from '../testing/errors';
import { concat, int, len, reluGraph, reluModel, wire } from '../testing/wire';
import type { OnnxAttribute, OnnxFunction, OnnxModel, OnnxNode, OnnxTensor } from '../types';
import { checkModel } from './model';

const x = makeValueInfo('X', 'f32', ['n', 3]);
const f32 = (name: string, dims: number[], ...values: number[]): OnnxTensor => makeTensor(name, 'f32', dims, Float32Array.from(values));

const modelOf = (
  nodes: OnnxNode[],
  outputs: string[],
  initializers: OnnxTensor[] = [],
  opsets: number | Record<string, number> = 17,
): OnnxModel => makeModel({ nodes, inputs: [x], outputs: outputs.map((name) => makeValueInfo(name, 'f32')), initializers }, { opsets });

const refuse = (code: Parameters<typeof refusal>[0], model: OnnxModel) => refusal(code, () => checkModel(model));

describe('the checker on versions', () => {
  const withVersions = (ir: number, ...opsets: Uint8Array[]) =>
    concat(int(1, ir), len(7, ...reluGraph), ...opsets.map((opset) => len(8, opset)));
  const decode = (bytes: Uint8Array) => () => decodeModel(bytes);

  it('O1 refuses ir_version 0, none and 99', () => {
    expect(refusal('E_MODEL', decode(withVersions(0, int(2, 17)))).message).toContain('ir_version is 0');
    expect(refusal('E_MODEL', decode(concat(len(7, ...reluGraph), len(8, int(2, 17))))).message).toContain('ir_version is 0');
    expect(refusal('E_UNSUPPORTED', decode(withVersions(99, int(2, 17)))).message).toContain('ir_version is 99');
    expect(refusal('E_MODEL', decode(withVersions(-1, int(2, 17)))).message).toContain('ir_version is -1');
  });

  it('O1 refuses a model without opset_import, and opsets 0, −1 and 10,000', () => {
    expect(refusal('E_MODEL', decode(withVersions(8))).message).toContain('no opset_import');
    expect(refusal('E_MODEL', decode(withVersions(8, int(2, 0)))).message).toContain('version 0 does not exist');
    expect(refusal('E_MODEL', decode(withVersions(8, int(2, -1)))).message).toContain('version -1 does not exist');
    expect(refusal('E_UNSUPPORTED', decode(withVersions(8, int(2, 10_000)))).message).toContain('version 10000 is newer');
    refusal('E_MODEL', decode(withVersions(8, int(2, 2n ** 60n))));
  });

  it('O1 refuses nodes of a domain that the model does not import', () => {
    const node = makeNode('Attention', ['X'], ['Y'], { domain: 'com.microsoft' });
    expect(refuse('E_MODEL', modelOf([node], ['Y'])).message).toContain('domain "com.microsoft" is missing in opset_import');
    checkModel(modelOf([node], ['Y'], [], { '': 17, 'com.microsoft': 1 }));
    expect(refusal('E_MODEL', decode(withVersions(8, concat(len(1, 'other'), int(2, 1))))).message).toContain(
      'domain "ai.onnx" is missing',
    );
  });
});

describe('the checker on names', () => {
  it('O3 refuses a cycle, and says that it is one', () => {
    const nodes = [makeNode('Add', ['A', 'X'], ['B'], { name: 'first' }), makeNode('Relu', ['B'], ['A'])];
    const error = refuse('E_MODEL', modelOf(nodes, ['B']));
    expect(error.message).toBe('node "first" (Add): uses "A", which depends on this node again: a cycle');
  });

  it('O3 refuses nodes that are not in topological order', () => {
    const nodes = [makeNode('Relu', ['A'], ['Y']), makeNode('Relu', ['X'], ['A'], { name: 'late' })];
    expect(refuse('E_MODEL', modelOf(nodes, ['Y'])).message).toContain('uses "A", which comes only later from node "late" (Relu)');
  });

  it('O3 refuses a value that nothing makes', () => {
    expect(refuse('E_MODEL', modelOf([makeNode('Relu', ['nope'], ['Y'])], ['Y'])).message).toContain('uses "nope", which nothing makes');
  });

  it('O3 refuses two makers of one name', () => {
    const relu = makeNode('Relu', ['X'], ['Y']);
    expect(refuse('E_MODEL', modelOf([relu, relu], ['Y'])).message).toContain('output "Y" is already the name of another value');
    expect(refuse('E_MODEL', modelOf([makeNode('Split', ['X'], ['Y', 'Y'])], ['Y'])).message).toContain('"Y"');
    expect(refuse('E_MODEL', modelOf([makeNode('Relu', ['X'], ['W'])], ['W'], [f32('W', [1], 1)])).message).toContain('"W"');
    expect(refuse('E_MODEL', modelOf([makeNode('Relu', ['X'], ['X'])], ['X'])).message).toContain('"X"');
  });

  it('O3 refuses two initializers or two inputs of one name', () => {
    const twice = wire.initializer('W', 1, [1], len(9, new Uint8Array(4)));
    expect(refusal('E_MODEL', () => decodeModel(reluModel(twice, twice))).message).toContain('initializer "W": appears twice');
    expect(refusal('E_MODEL', () => decodeModel(reluModel(wire.value(11, 'X')))).message).toContain('input "X" is already');
  });

  it('O3 refuses an output that no node makes', () => {
    expect(refuse('E_MODEL', modelOf([makeNode('Relu', ['X'], ['Y'])], ['Z'])).message).toContain('graph output "Z": is made by no node');
  });

  it('accepts inputs and outputs left out, and a graph output that is an input or initializer', () => {
    const nodes = [makeNode('Clip', ['X', '', 'W'], ['Y', '']), makeNode('Dropout', ['X'], ['Z', ''])];
    checkModel(modelOf(nodes, ['Y', 'X', 'W'], [f32('W', [], 1)]));
  });

  it('refuses nodes without operator, and values without name', () => {
    expect(refuse('E_MODEL', modelOf([makeNode('', ['X'], ['Y'])], ['Y'])).message).toContain('has no operator type');
    expect(refusal('E_MODEL', () => decodeModel(reluModel(wire.value(11, '')))).message).toContain('input has no name');
    expect(refusal('E_MODEL', () => decodeModel(reluModel(wire.initializer('', 1, [0])))).message).toContain('has no name');
  });

  it('O16 keeps names apart that differ in case or Unicode form only', () => {
    const composed = '\u00e9';
    const decomposed = 'e\u0301';
    const names = [composed, decomposed, 'a', 'A', '\ufeffa', 'a\u200b'];
    const nodes = names.map((name) => makeNode('Relu', ['X'], [name]));
    checkModel(modelOf(nodes, names));
    const wired = decodeModel(reluModel(...names.map((name) => wire.node('Relu', ['X'], [name]))));
    expect(wired.graph.nodes.slice(1).map((node) => node.outputs[0])).toEqual(names);
  });
});

describe('the checker on subgraphs', () => {
  const branch = (nodes: OnnxNode[], output: string, extra: { inputs?: string[]; initializers?: OnnxTensor[] } = {}): OnnxAttribute => ({
    type: 'graph',
    value: makeGraph({
      nodes,
      inputs: (extra.inputs ?? []).map((name) => makeValueInfo(name, 'f32')),
      outputs: [makeValueInfo(output, 'f32')],
      initializers: extra.initializers ?? [],
    }),
  });
  const conditional = (attribute: OnnxAttribute): OnnxNode =>
    makeNode('If', ['X'], ['Y'], { name: 'if', attributes: { then_branch: attribute } });

  it('accepts values of the graph around, if they are made before', () => {
    const inner = conditional(branch([makeNode('Add', ['X', 'W'], ['T'])], 'T'));
    checkModel(modelOf([inner], ['Y'], [f32('W', [1], 1)]));
    const early = conditional(branch([makeNode('Relu', ['later'], ['T'])], 'T'));
    refuse('E_MODEL', modelOf([early, makeNode('Relu', ['X'], ['later'])], ['Y']));
  });

  it('O4 refuses an input that contradicts the initializer it takes as default', () => {
    const conflicting = (tensor: OnnxTensor) => modelOf([makeNode('Relu', ['X'], ['Y'])], ['Y'], [tensor]);
    expect(refuse('E_MODEL', conflicting(f32('X', [2], 1, 2))).message).toContain('contradicts the initializer of this name, f32 [2]');
    refuse('E_MODEL', conflicting(makeTensor('X', 's64', [1, 3], new BigInt64Array(3))));
    checkModel(conflicting(f32('X', [1, 3], 1, 2, 3)));
  });

  it('O4 refuses a subgraph that uses or shadows names wrongly', () => {
    const within = (attribute: OnnxAttribute) => refuse('E_MODEL', modelOf([conditional(attribute)], ['Y'], [f32('W', [1], 1)])).message;
    expect(within(branch([makeNode('Relu', ['nowhere'], ['T'])], 'T'))).toContain(
      'node "if" (If): attribute "then_branch": node (Relu, output "T"): uses "nowhere"',
    );
    expect(within(branch([makeNode('Relu', ['X'], ['X'])], 'X'))).toContain('output "X" is already');
    expect(within(branch([], 'X'))).toContain('an Identity must bring it in');
    expect(within(branch([makeNode('Relu', ['W'], ['T'])], 'T', { inputs: ['W'] }))).toContain('shadows an initializer');
    expect(within(branch([makeNode('Relu', ['W'], ['T'])], 'T', { initializers: [f32('W', [1], 1)] }))).toContain(
      'initializer "W" is already',
    );
  });

  it('O4 accepts a subgraph input that takes over the name of a computed value', () => {
    checkModel(modelOf([conditional(branch([makeNode('Relu', ['X'], ['T'])], 'T', { inputs: ['X'] }))], ['Y']));
  });

  it('bounds the nesting of graphs that were made by hand', () => {
    let node = makeNode('Relu', ['X'], ['Y']);
    for (let level = 0; level < 70; level++) node = conditional(branch([{ ...node, outputs: [`T${level}`] }], `T${level}`));
    expect(refuse('E_LIMIT', modelOf([node], ['Y'])).message).toContain('deeper than the limit of 64');
  });
});

describe('the checker on tensors made by hand', () => {
  const literal = (fields: Partial<OnnxTensor>): OnnxTensor => ({
    ...f32('W', [1], 1),
    bytes: () => new Uint8Array(4),
    data: () => new Float32Array(1),
    ...fields,
  });
  const withTensor = (tensor: OnnxTensor) => modelOf([makeNode('Relu', ['X'], ['Y'])], ['Y'], [tensor]);

  it('O12 refuses a tensor whose bytes are not what its dims call for', () => {
    expect(refuse('E_MODEL', withTensor(literal({ dims: [2], byteLength: 4 }))).message).toContain('f32 [2] needs 8 bytes, there are 4');
    refuse('E_MODEL', withTensor(literal({ dtype: 'UNDEFINED' })));
    refuse('E_MODEL', withTensor(literal({ dtype: 'string', dims: [2] })));
    refuse('E_SHAPE', withTensor(literal({ dims: [-1] })));
    const renamed = withTensor(f32('W', [1], 1));
    renamed.graph.initializers.set('V', f32('W', [1], 1));
    expect(refuse('E_MODEL', renamed).message).toContain('its tensor is named "W"');
  });

  it('refuses to make tensors of the wrong size', () => {
    refusal('E_SHAPE', () => makeTensor('W', 'f32', [2], Float32Array.of(1)));
    refusal('E_SHAPE', () => makeTensor('W', 'string', [2], ['a']));
    refusal('E_SHAPE', () => makeTensor('W', 'f32', [1], ['a']));
    refusal('E_SHAPE', () => makeTensor('W', 'string', [1], Uint8Array.of(1)));
    expect(makeTensor('W', 'INT4', [3], Uint8Array.of(1, 2)).byteLength).toBe(2);
    refusal('E_MODEL', () => makeGraph({ nodes: [], inputs: [], outputs: [], initializers: [f32('W', [0]), f32('W', [0])] }));
  });
});

describe('the checker on sparse tensors', () => {
  const sparse = (values: number, indices: bigint[], indexDims: number[], dims: number[]): OnnxModel => {
    const model = modelOf([makeNode('Relu', ['X'], ['Y'])], ['Y']);
    model.graph.sparseInitializers.set('S', {
      values: f32('S', [values], ...new Array<number>(values).fill(1)),
      indices: makeTensor('', 's64', indexDims, BigInt64Array.from(indices)),
      dims,
    });
    return model;
  };

  it('accepts ascending indices, linear and by coordinates, and none at all', () => {
    checkModel(sparse(3, [0n, 4n, 5n], [3], [2, 3]));
    checkModel(sparse(3, [0n, 0n, 1n, 1n, 1n, 2n], [3, 2], [2, 3]));
    checkModel(sparse(0, [], [0], [2, 3]));
  });

  it.each([
    ['unsorted', sparse(2, [4n, 1n], [2], [2, 3]), 'index 1 lies before'],
    ['repeated', sparse(2, [4n, 4n], [2], [2, 3]), 'index 1 repeats'],
    ['negative', sparse(1, [-1n], [1], [2, 3]), 'index 0 is -1'],
    ['at the end of the shape', sparse(1, [6n], [1], [2, 3]), 'outside of 0 to 5'],
    ['enormous', sparse(1, [2n ** 62n], [1], [2, 3]), 'outside of 0 to 5'],
    ['with a coordinate outside', sparse(1, [0n, 3n], [1, 2], [2, 3]), 'outside of 0 to 2'],
    ['unsorted by coordinates', sparse(2, [1n, 0n, 0n, 2n], [2, 2], [2, 3]), 'index 1 lies before'],
    ['fewer than values', sparse(2, [1n], [1], [2, 3]), '2 values have 1 indices'],
    ['of the wrong width', sparse(1, [0n, 0n, 0n], [1, 3], [2, 3]), 'indices have 3 coordinates'],
    ['of rank 3', sparse(1, [0n], [1, 1, 1], [2, 3]), 'indices have rank 3'],
  ])('O13 refuses indices that are %s', (_, model, problem) => {
    const error = refuse('E_SPARSE', model);
    expect(error.message).toContain(problem);
    expect(error.where).toBe('sparse initializer "S"');
  });

  it('O13 refuses values of rank 2, missing parts and indices of another type', () => {
    const model = sparse(1, [0n], [1], [2, 3]);
    model.graph.sparseInitializers.get('S')!.values = f32('S', [1, 1], 1);
    expect(refuse('E_SPARSE', model).message).toContain('values have rank 2');
    const values = len(1, wire.tensor('S', 1, [1], len(9, new Uint8Array(4))));
    const parts = (...fields: Uint8Array[]) => refusal('E_SPARSE', () => decodeModel(reluModel(len(15, ...fields)))).message;
    expect(parts(values)).toContain('has no values or no indices');
    expect(parts(values, len(2, wire.tensor('', 6, [1], int(5, 0))), int(3, 2))).toContain('indices are s32');
  });

  it('O13 holds for sparse tensors of attributes', () => {
    const value = sparse(2, [1n, 0n], [2], [4]).graph.sparseInitializers.get('S')!;
    const node = makeNode('Constant', [], ['Y'], { attributes: { sparse_value: { type: 'sparseTensor', value } } });
    refuse('E_SPARSE', modelOf([node], ['Y']));
  });
});

describe('the checker on quantisation parameters', () => {
  const quantize = (scale: OnnxTensor, zeroPoint?: OnnxTensor, attributes: Record<string, OnnxAttribute> = {}): OnnxModel =>
    modelOf(
      [makeNode('QuantizeLinear', ['X', scale.name, ...(zeroPoint ? [zeroPoint.name] : [])], ['Y'], { name: 'q', attributes })],
      ['Y'],
      zeroPoint ? [scale, zeroPoint] : [scale],
    );
  const u8 = (dims: number[], ...values: number[]) => makeTensor('z', 'u8', dims, Uint8Array.from(values));
  const axis = (value: bigint): Record<string, OnnxAttribute> => ({ axis: { type: 'int', value } });

  it('accepts scales for the whole tensor, per channel and in blocks', () => {
    checkModel(quantize(f32('s', [], 0.1), u8([], 128)));
    checkModel(quantize(f32('s', [1], 0.1), u8([], 128)));
    checkModel(quantize(f32('s', [3], 0.1, 0.2, 0.3), u8([3], 1, 2, 3)));
    checkModel(quantize(f32('s', [3], 0.1, 0.2, 0.3), undefined, axis(-1n)));
    checkModel(quantize(f32('s', [7], 1, 2, 3, 4, 5, 6, 7), undefined, axis(0n)));
    const blocked = f32('s', [4, 2], ...new Array<number>(8).fill(0.5));
    checkModel(quantize(blocked, undefined, { ...axis(1n), block_size: { type: 'int', value: 2n } }));
  });

  it.each([0, -0.1, Number.NaN, Number.POSITIVE_INFINITY, 1e-40])('O14 refuses the scale %d', (value) => {
    expect(refuse('E_QUANT', quantize(f32('s', [2], 1, value), undefined, axis(0n))).message).toContain('the scale "s" has the element');
    const constant = makeNode('Constant', [], ['s'], { attributes: { value: { type: 'tensor', value: f32('', [], value) } } });
    refuse('E_QUANT', modelOf([constant, makeNode('DequantizeLinear', ['X', 's'], ['Y'])], ['Y']));
    const asFloat = makeNode('Constant', [], ['s'], { attributes: { value_float: { type: 'float', value: Math.fround(value) } } });
    refuse('E_QUANT', modelOf([asFloat, makeNode('QuantizeLinear', ['X', 's'], ['Y'])], ['Y']));
  });

  it('O14 refuses bad scales of 16-bit and 8-bit float types', () => {
    const bits = (dtype: 'f16' | 'bf16', value: number) => quantize(makeTensor('s', dtype, [], Uint16Array.of(value)));
    checkModel(bits('f16', 0x0001));
    checkModel(bits('bf16', 0x3f80));
    for (const value of [0, 0x8000, 0x7c00, 0x7e00]) refuse('E_QUANT', bits('f16', value));
    for (const value of [0, 0xbf80, 0x7f80, 0x0001]) refuse('E_QUANT', bits('bf16', value));
    checkModel(quantize(makeTensor('s', 'FLOAT8E8M0', [], Uint8Array.of(127))));
    refuse('E_QUANT', quantize(makeTensor('s', 'FLOAT8E8M0', [], Uint8Array.of(255))));
    expect(refuse('E_QUANT', quantize(makeTensor('s', 's32', [], Int32Array.of(1)))).message).toContain('not a float');
  });

  it('O14 refuses zero points of another type or shape', () => {
    const s32 = makeTensor('z', 's32', [], Int32Array.of(0));
    expect(refuse('E_QUANT', quantize(f32('s', [], 1), s32)).message).toContain('the zero point "z" has type s32');
    expect(refuse('E_QUANT', quantize(f32('s', [3], 1, 1, 1), u8([], 0))).message).toContain('has shape [], the scale [3]');
    const weight = makeTensor('w', 's8', [3], Int8Array.of(1, 2, 3));
    const dequantize = makeNode('DequantizeLinear', ['w', 's', 'z'], ['Y']);
    expect(refuse('E_QUANT', modelOf([dequantize], ['Y'], [weight, f32('s', [], 1), u8([], 0)])).message).toContain(
      'has type u8, the quantised tensor s8',
    );
    const bias = makeTensor('w', 's32', [3], Int32Array.of(1, 2, 3));
    checkModel(modelOf([dequantize], ['Y'], [bias, f32('s', [], 1), s32]));
  });

  it('O14 refuses as many scales as the axis is not long', () => {
    expect(refuse('E_QUANT', quantize(f32('s', [2], 1, 1))).message).toContain('2 scales stand for 3 channels along axis 1');
    expect(refuse('E_QUANT', quantize(f32('s', [3], 1, 1, 1), undefined, axis(2n))).message).toContain('axis 2 is out of range');
    expect(refuse('E_QUANT', quantize(f32('s', [1, 3], 1, 1, 1))).message).toContain('does not fit a tensor of rank 2');
    const blocked = quantize(f32('s', [4, 3], ...new Array<number>(12).fill(1)), undefined, {
      ...axis(1n),
      block_size: { type: 'int', value: 2n },
    });
    expect(refuse('E_QUANT', blocked).message).toContain('3 scales stand for 2 blocks');
  });

  it('O14 holds for the operators that take three pairs of scale and zero point', () => {
    const inputs = ['X', 'as', 'az', 'X', 'bs', 'bz', 'ys', 'yz'];
    const zero = (name: string) => makeTensor(name, 'u8', [], Uint8Array.of(0));
    const scales = (ys: number) => [f32('as', [], 1), f32('bs', [], 1), f32('ys', [], ys), zero('az'), zero('bz'), zero('yz')];
    checkModel(modelOf([makeNode('QLinearMatMul', inputs, ['Y'])], ['Y'], scales(1)));
    expect(refuse('E_QUANT', modelOf([makeNode('QLinearMatMul', inputs, ['Y'])], ['Y'], scales(0))).message).toContain('the scale "ys"');
  });
});

describe('the checker on functions', () => {
  const functionOf = (name: string, nodes: OnnxNode[], more: Partial<OnnxFunction> = {}): OnnxFunction => ({
    name,
    domain: 'local',
    overload: '',
    inputs: ['a'],
    outputs: ['b'],
    attributes: [],
    defaults: new Map(),
    opsets: new Map([
      ['', 17],
      ['local', 1],
    ]),
    nodes,
    valueInfo: [],
    docString: '',
    metadata: new Map(),
    ...more,
  });
  const call = (name: string) => makeNode(name, ['a'], ['b'], { domain: 'local' });
  const withFunctions = (...functions: OnnxFunction[]): OnnxModel => ({
    ...modelOf([makeNode('Relu', ['X'], ['Y'])], ['Y'], [], { '': 17, local: 1 }),
    functions,
  });

  it('accepts functions that call others, attributes with and without default among them', () => {
    const reference: OnnxAttribute = { type: 'reference', value: 'alpha', of: 'float' };
    const leaf = functionOf('leaf', [makeNode('Elu', ['a'], ['b'], { attributes: { alpha: reference } })], { attributes: ['alpha'] });
    checkModel(withFunctions(functionOf('top', [call('leaf')]), leaf));
  });

  it('O15 refuses recursion, direct and round about', () => {
    expect(refuse('E_MODEL', withFunctions(functionOf('f', [call('f')]))).message).toContain('functions must not recur');
    refuse('E_MODEL', withFunctions(functionOf('f', [call('g')]), functionOf('g', [call('h')]), functionOf('h', [call('f')])));
    const hidden: OnnxAttribute = { type: 'graph', value: makeGraph({ nodes: [call('f')], inputs: [], outputs: [] }) };
    refuse('E_MODEL', withFunctions(functionOf('f', [makeNode('If', ['a'], ['b'], { attributes: { then_branch: hidden } })])));
  });

  it('O15 refuses a chain of 1,000 functions and accepts one of 65', () => {
    const chain = (length: number) =>
      Array.from({ length }, (_, i) => functionOf(`f${i}`, [i + 1 < length ? call(`f${i + 1}`) : makeNode('Relu', ['a'], ['b'])]));
    expect(refuse('E_LIMIT', withFunctions(...chain(1000))).message).toContain('deeper than the limit of 64');
    expect(refuse('E_LIMIT', withFunctions(...chain(1000).reverse())).message).toContain('deeper than the limit of 64');
    refuse('E_LIMIT', withFunctions(...chain(66)));
    checkModel(withFunctions(...chain(65)));
  });

  it('accepts many functions that share others, without walking every path', () => {
    const levels = Array.from({ length: 60 }, (_, i) =>
      functionOf(
        `f${i}`,
        i === 59 ? [makeNode('Relu', ['a'], ['b'])] : [makeNode(`f${i + 1}`, ['a'], ['t'], { domain: 'local' }), call(`f${i + 1}`)],
      ),
    );
    checkModel(withFunctions(...levels));
  });

  it.each([
    ['defined twice', [functionOf('f', [call('Relu')]), functionOf('f', [])], 'is defined twice'],
    ['without a name', [functionOf('', [])], 'has no name'],
    ['with an output nobody makes', [functionOf('f', [])], 'its output "b" is made by no node'],
    ['with two inputs of one name', [functionOf('f', [], { inputs: ['a', 'a'] })], 'has the input "a" twice'],
    ['with an attribute twice', [functionOf('f', [], { attributes: ['x', 'x'] })], 'declares an attribute twice'],
    [
      'using a domain it does not import',
      [functionOf('f', [makeNode('Relu', ['a'], ['b'])], { opsets: new Map() })],
      'is missing in opset_import',
    ],
    ['using a value of the main graph', [functionOf('f', [makeNode('Relu', ['X'], ['b'])])], 'uses "X", which nothing makes'],
  ])('refuses a function %s', (_, functions, problem) => {
    expect(refuse('E_MODEL', withFunctions(...functions)).message).toContain(problem);
  });

  it('O5 refuses references to attributes that no function declares', () => {
    const reference: OnnxAttribute = { type: 'reference', value: 'alpha', of: 'float' };
    const elu = makeNode('Elu', ['X'], ['Y'], { attributes: { alpha: reference } });
    expect(refuse('E_MODEL', modelOf([elu], ['Y'])).message).toContain('refers to "alpha"');
    refuse('E_MODEL', withFunctions(functionOf('f', [{ ...elu, inputs: ['a'], outputs: ['b'] }])));
  });
});
