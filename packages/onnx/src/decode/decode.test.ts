import { describe, expect, it } from 'vitest';
import {
  attributeFloat,
  attributeFloats,
  attributeGraph,
  attributeInt,
  attributeInts,
  attributeString,
  attributeStrings,
} from '../attributes';
import { decodeModel, decodeTensor } from '../decode-model';
import { refusal } from '../testing/errors';
import { concat, f32, int, len, type Part, reluGraph, reluModel, repeat, tag, varint, wire } from '../testing/wire';
import type { OnnxTensor } from '../types';

const refuse = (code: Parameters<typeof refusal>[0], bytes: Uint8Array) => refusal(code, () => decodeModel(bytes));

const weight = (...fields: Part[]): OnnxTensor => decodeModel(reluModel(len(5, ...fields, len(8, 'W')))).graph.initializers.get('W')!;

describe('decoding a model', () => {
  it('hands out versions, producer, values and nodes as plain data', () => {
    const model = decodeModel(
      concat(reluModel(), len(2, 'pytorch'), len(3, '2.9'), len(4, 'org'), int(5, 2n ** 63n - 1n), len(14, len(1, 'k'), len(2, 'v'))),
    );
    expect(model).toMatchObject({
      irVersion: 8,
      producer: { name: 'pytorch', version: '2.9' },
      domain: 'org',
      modelVersion: 2n ** 63n - 1n,
    });
    expect(model.opsets).toEqual(new Map([['', 17]]));
    expect(model.metadata).toEqual(new Map([['k', 'v']]));
    expect(model.graph.inputs).toEqual([{ name: 'X', dtype: 'f32', shape: ['n'] }]);
    expect(model.graph.nodes).toEqual([{ name: '', opType: 'Relu', domain: '', inputs: ['X'], outputs: ['Y'], attributes: new Map() }]);
  });

  it('takes ai.onnx and the empty domain for one, and refuses two versions of it', () => {
    const twice = (version: number) => concat(reluModel(), len(8, len(1, 'ai.onnx'), int(2, version)));
    expect(decodeModel(twice(17)).opsets).toEqual(new Map([['', 17]]));
    expect(refuse('E_MODEL', twice(16)).message).toContain('with versions 17 and 16');
  });

  it('takes operator set 1 for granted before IR version 3, where the field did not exist', () => {
    const old = concat(int(1, 2), len(7, ...reluGraph));
    expect(decodeModel(old).opsets).toEqual(new Map([['', 1]]));
  });

  it('shows numbers, names, −1 and nothing as dimensions', () => {
    const model = decodeModel(reluModel(wire.value(13, 'Z', [2, 'batch', -1, null, 2n ** 53n - 1n])));
    expect(model.graph.valueInfo[0]?.shape).toEqual([2, 'batch', null, null, 2 ** 53 - 1]);
  });

  it('keeps the types that are no dense tensors', () => {
    const value = (...type: Part[]) => decodeModel(reluModel(len(13, len(1, 'Z'), len(2, ...type)))).graph.valueInfo[0];
    const tensor = len(1, int(1, 7));
    expect(value(tensor)).toEqual({ name: 'Z', dtype: 's64', shape: undefined });
    expect(value(len(4, len(1, tensor)))?.type).toEqual({ kind: 'sequence', element: { kind: 'tensor', dtype: 's64', shape: undefined } });
    expect(value(len(9, len(1, len(4))))?.type).toEqual({ kind: 'optional', element: { kind: 'sequence', element: { kind: 'unknown' } } });
    expect(value(len(5, int(1, 8), len(2, tensor)))?.type).toMatchObject({ kind: 'map', key: 'string' });
    expect(value(len(8, int(1, 1), len(2, len(1, int(1, 3)))))?.type).toMatchObject({ kind: 'sparseTensor', dtype: 'f32', shape: [3] });
    expect(value(len(7, len(1, 'd'), len(2, 'n')))?.type).toEqual({ kind: 'opaque', domain: 'd', name: 'n' });
    expect(value(tensor, len(6, 'IMAGE'))?.type).toMatchObject({ kind: 'tensor', denotation: 'IMAGE' });
    refuse('E_MODEL', reluModel(len(13, len(1, 'Z'), len(2, len(1, int(1, 99))))));
  });

  it('P8 treats the names of JavaScript’s own properties as ordinary names', () => {
    const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'prototype'];
    const metadata = names.map((name) => len(14, len(1, name), len(2, 'polluted')));
    const nodes = names.map((name) => wire.node('Relu', ['X'], [name], wire.attribute(name, 2, int(3, 1))));
    const weights = names.map((name) => wire.initializer(`w${name}`, 1, [], len(9, new Uint8Array(4))));
    const model = decodeModel(concat(reluModel(...nodes, ...weights), ...metadata));
    expect([...model.metadata.keys()]).toEqual(names);
    expect(model.graph.nodes[1]?.attributes.get('__proto__')).toEqual({ type: 'int', value: 1n });
    const [relu] = model.graph.nodes;
    for (const name of names) {
      expect(relu?.attributes.get(name)).toBeUndefined();
      expect(attributeInt(relu!, name, 7)).toBe(7);
      expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
    }
    expect(Object.prototype).not.toHaveProperty('polluted');
  });

  it('P10 merges duplicated singular fields as protobuf does: scalars by the last, messages field by field', () => {
    const model = decodeModel(concat(reluModel(), int(1, 7), len(2, 'first'), len(2, 'second'), len(7, len(2, 'renamed'))));
    expect(model.irVersion).toBe(7);
    expect(model.producer.name).toBe('second');
    expect(model.graph.name).toBe('renamed');
    expect(model.graph.nodes).toHaveLength(1);
  });

  it('P10 checks what two merged graphs make together', () => {
    expect(refuse('E_MODEL', concat(reluModel(), len(7, ...reluGraph))).message).toContain('"X" is already the name of another value');
  });

  it.each([
    ['2⁵³ + 1', 2n ** 53n + 1n],
    ['−1', -1],
    ['−2⁶³', -(2n ** 63n)],
  ])('P11 refuses the tensor dimension %s', (_, size) => {
    expect(refuse('E_SHAPE', reluModel(wire.initializer('W', 1, [size]))).message).toContain('initializer "W"');
  });

  it('P11 keeps 64-bit integers exactly', () => {
    const values = [2n ** 53n + 1n, -1n, -(2n ** 63n), 2n ** 63n - 1n, 0n, -(2n ** 31n), 2n ** 32n - 1n];
    const model = decodeModel(
      reluModel(
        wire.node(
          'A',
          [],
          ['B'],
          wire.attribute('ints', 7, ...values.map((value) => int(8, value))),
          wire.attribute('one', 2, int(3, values[2]!)),
        ),
        wire.initializer('W', 7, [values.length], len(7, ...values.map(varint))),
      ),
    );
    expect(model.graph.nodes[1]?.attributes.get('ints')).toEqual({ type: 'ints', value: values });
    expect(model.graph.nodes[1]?.attributes.get('one')).toEqual({ type: 'int', value: values[2] });
    expect(model.graph.initializers.get('W')?.data()).toEqual(BigInt64Array.from(values));
    expect(() => attributeInts(model.graph.nodes[1]!, 'ints')).toThrow(/beyond the integers/);
    expect(refuse('E_SHAPE', reluModel(wire.value(13, 'Z', [2n ** 53n + 1n]))).message).toContain('9007199254740993');
    expect(refuse('E_SHAPE', reluModel(wire.value(13, 'Z', [-2]))).message).toContain('value "Z"');
  });

  it('reads attributes of every type, typed by tag', () => {
    const graph = concat(wire.node('Relu', ['X'], ['T']), wire.value(12, 'T'));
    const sparse = concat(len(1, wire.tensor('s', 1, [1], f32(4, 5))), len(2, wire.tensor('', 7, [1], int(7, 1))), int(3, 4));
    const { nodes } = decodeModel(
      reluModel(
        wire.node(
          'A',
          ['X'],
          ['B'],
          wire.attribute('f', 1, f32(2, 0.5)),
          wire.attribute('zero', 1),
          wire.attribute('s', 3, len(4, 'täxt')),
          wire.attribute('raw', 3, len(4, Uint8Array.of(0xff, 0x00))),
          wire.attribute('t', 4, len(5, wire.tensor('', 1, [], f32(4, 2)))),
          wire.attribute('g', 5, len(6, graph)),
          wire.attribute('floats', 6, f32(7, 1), f32(7, 2)),
          wire.attribute('strings', 8, len(9, 'a'), len(9, 'b')),
          wire.attribute('tensors', 9, len(10, wire.tensor('', 2, [1], len(9, Uint8Array.of(3))))),
          wire.attribute('graphs', 10, len(11, graph.slice(0, 0))),
          wire.attribute('sparse', 11, len(22, sparse)),
          wire.attribute('sparses', 12, len(23, sparse)),
          wire.attribute('type', 13, len(14, len(1, int(1, 1)))),
          wire.attribute('types', 14, len(15, len(1, int(1, 1)))),
          wire.attribute('empty', 7),
        ),
      ),
    ).graph;
    const node = nodes[1]!;
    expect(attributeFloat(node, 'f')).toBe(0.5);
    expect(attributeFloat(node, 'zero')).toBe(0);
    expect(attributeString(node, 's')).toBe('täxt');
    expect(node.attributes.get('raw')).toEqual({ type: 'string', value: '\ufffd\0', raw: Uint8Array.of(0xff, 0x00) });
    expect(attributeFloats(node, 'floats')).toEqual([1, 2]);
    expect(attributeStrings(node, 'strings')).toEqual(['a', 'b']);
    expect(attributeInts(node, 'empty')).toEqual([]);
    expect(attributeGraph(node, 'g').nodes[0]?.opType).toBe('Relu');
    expect([...node.attributes.values()].map((attribute) => attribute.type)).toEqual([
      'float',
      'float',
      'string',
      'string',
      'tensor',
      'graph',
      'floats',
      'strings',
      'tensors',
      'graphs',
      'sparseTensor',
      'sparseTensors',
      'valueType',
      'valueTypes',
      'ints',
    ]);
  });

  it('infers the type of an attribute of IR version 1, which carries none', () => {
    const model = decodeModel(reluModel(wire.node('A', [], ['B'], len(5, len(1, 'axes'), int(8, 3)))));
    expect(attributeInts(model.graph.nodes[1]!, 'axes')).toEqual([3]);
  });

  it.each([
    ['both f and ints', wire.attribute('a', 1, f32(2, 1), int(8, 1)), 'holds several values: f, ints'],
    ['a type that it does not hold', wire.attribute('a', 2, f32(2, 1)), 'is declared int and holds f'],
    ['neither type nor value', len(5, len(1, 'a')), 'has neither a type nor a value'],
    ['a tensor type without a tensor', wire.attribute('a', 4), 'is declared tensor and holds no value'],
    ['an unknown type', wire.attribute('a', 77), 'attribute type 77'],
    ['no name', len(5, int(20, 2), int(3, 1)), 'has an attribute without a name'],
    ['a value beside a reference', wire.attribute('a', 2, int(3, 1), len(21, 'b')), 'refers to another attribute and holds a value'],
  ])('O5 refuses an attribute with %s', (_, attribute, problem) => {
    const error = refuse('E_MODEL', reluModel(wire.node('A', [], ['B'], len(3, 'node'), attribute)));
    expect(error.message).toContain(problem);
    expect(error.message).toContain('node "node" (A)');
  });

  it('O5 refuses two attributes of one name', () => {
    const attribute = wire.attribute('axis', 2, int(3, 1));
    expect(refuse('E_MODEL', reluModel(wire.node('A', [], ['B'], attribute, attribute))).message).toContain(
      'attribute "axis": appears twice',
    );
  });

  it('O5 says so when a caller asks for an attribute that is missing or of another type', () => {
    const node = decodeModel(reluModel(wire.node('A', [], ['B'], wire.attribute('axis', 1, f32(2, 1))))).graph.nodes[1]!;
    expect(() => attributeInt(node, 'axis')).toThrow('attribute "axis" is of type float, expected int');
    expect(() => attributeInt(node, 'group')).toThrow('the attribute "group" is missing');
  });
});

describe('decoding a tensor', () => {
  const floats = new Uint8Array(Float32Array.of(1, 2).buffer);

  it('shows raw data as a view of the file, copied only where it is not aligned', () => {
    for (let padding = 0; padding < 4; padding++) {
      const bytes = concat(reluModel(wire.initializer('W', 1, [2], len(9, floats))), len(6, 'x'.repeat(padding)));
      const aligned = new Uint8Array(bytes.byteLength + 8).subarray(padding, padding + bytes.byteLength);
      aligned.set(bytes);
      const tensor = decodeModel(aligned).graph.initializers.get('W')!;
      expect(tensor.bytes().buffer).toBe(aligned.buffer);
      expect(tensor.data()).toEqual(Float32Array.of(1, 2));
      expect(tensor.data().buffer === aligned.buffer).toBe(tensor.bytes().byteOffset % 4 === 0);
    }
  });

  it('decodes 32 MB of raw data without copying it', () => {
    const raw = new Uint8Array(32 * 2 ** 20);
    const bytes = reluModel(wire.initializer('W', 2, [raw.byteLength], len(9, raw)));
    const before = process.memoryUsage().rss;
    expect(decodeModel(bytes).graph.initializers.get('W')?.bytes().byteLength).toBe(raw.byteLength);
    expect(process.memoryUsage().rss - before).toBeLessThan(12 * 2 ** 20);
  });

  it.each([
    ['f32', 1, len(4, floats), Float32Array.of(1, 2)],
    ['u8', 2, len(5, varint(1), varint(255)), Uint8Array.of(1, 255)],
    ['s8', 3, len(5, varint(1), varint(-128)), Int8Array.of(1, -128)],
    ['u16', 4, len(5, varint(1), varint(65535)), Uint16Array.of(1, 65535)],
    ['s16', 5, len(5, varint(1), varint(-32768)), Int16Array.of(1, -32768)],
    ['s32', 6, len(5, varint(1), varint(-(2 ** 31))), Int32Array.of(1, -(2 ** 31))],
    ['s64', 7, len(7, varint(1), varint(-(2n ** 63n))), BigInt64Array.of(1n, -(2n ** 63n))],
    ['bool', 9, len(5, varint(0), varint(1)), Uint8Array.of(0, 1)],
    ['f16', 10, len(5, varint(0x3c00), varint(0xc000)), Uint16Array.of(0x3c00, 0xc000)],
    ['f64', 11, len(10, new Uint8Array(Float64Array.of(1, -2).buffer)), Float64Array.of(1, -2)],
    ['u32', 12, len(11, varint(1), varint(2 ** 32 - 1)), Uint32Array.of(1, 2 ** 32 - 1)],
    ['u64', 13, len(11, varint(1), varint(2n ** 64n - 1n)), BigUint64Array.of(1n, 2n ** 64n - 1n)],
    ['bf16', 16, len(5, varint(0x3f80), varint(0xc000)), Uint16Array.of(0x3f80, 0xc000)],
  ])('reads %s elements from their own field', (dtype, number, field, data) => {
    const tensor = weight(int(1, 2), int(2, number), field);
    expect(tensor.dtype).toBe(dtype);
    expect(tensor.data()).toEqual(data);
    const raw = weight(int(1, 2), int(2, number), len(9, new Uint8Array(data.buffer)));
    expect(raw.data()).toEqual(data);
  });

  it.each([
    ['FLOAT8E4M3FN', 17, 3, 3],
    ['FLOAT8E4M3FNUZ', 18, 3, 3],
    ['FLOAT8E5M2', 19, 3, 3],
    ['FLOAT8E5M2FNUZ', 20, 3, 3],
    ['FLOAT8E8M0', 24, 3, 3],
    ['UINT4', 21, 3, 2],
    ['INT4', 22, 3, 2],
    ['FLOAT4E2M1', 23, 3, 2],
    ['UINT2', 25, 5, 2],
    ['INT2', 26, 5, 2],
    ['COMPLEX64', 14, 2, 16],
    ['COMPLEX128', 15, 2, 32],
  ])('keeps %s as raw bytes under its ONNX name', (dtype, number, count, bytes) => {
    const raw = Uint8Array.from({ length: bytes }, (_, i) => i);
    const tensor = weight(int(1, count), int(2, number), len(9, raw));
    expect(tensor).toMatchObject({ dtype, dims: [count], byteLength: bytes });
    expect(tensor.bytes()).toEqual(raw);
    expect(() => tensor.data()).toThrow(/E_UNSUPPORTED|have no typed array/);
    expect(() => weight(int(1, count), int(2, number), len(9, new Uint8Array(bytes + 1)))).toThrow(/needs \d+ bytes/);
  });

  it('reads packed 4-bit elements from int32_data, two in each entry', () => {
    expect(weight(int(1, 3), int(2, 21), len(5, varint(0x21), varint(0x03))).bytes()).toEqual(Uint8Array.of(0x21, 0x03));
  });

  it('reads strings, and keeps their bytes where they are not UTF-8', () => {
    const tensor = weight(int(1, 3), int(2, 8), len(6, 'a'), len(6), len(6, Uint8Array.of(0xff)));
    expect(tensor.strings).toEqual(['a', '', '\ufffd']);
    expect(tensor.stringBytes?.[2]).toEqual(Uint8Array.of(0xff));
    expect(() => tensor.bytes()).toThrow('strings have no fixed bytes');
  });

  it.each([
    ['fewer bytes than dims call for', [int(1, 3), int(2, 1), len(9, floats)], 'f32 [3] needs 12 bytes, the file has 8'],
    ['more bytes', [int(1, 1), int(2, 1), len(9, floats)], 'f32 [1] needs 4 bytes, the file has 8'],
    ['no elements at all', [int(1, 1), int(2, 1)], 'needs 4 bytes, the file has 0'],
    ['raw_data and float_data', [int(1, 2), int(2, 1), len(9, floats), len(4, floats)], 'holds its elements more than once'],
    ['two typed fields', [int(1, 2), int(2, 1), len(4, floats), int(5, 1)], 'holds its elements more than once'],
    ['the field of another type', [int(1, 2), int(2, 1), int(5, 1), int(5, 1)], 'do not belong in int32_data'],
    ['raw_data for strings', [int(1, 1), int(2, 8), len(9, 'a')], 'strings must lie in string_data'],
    ['too few strings', [int(1, 2), int(2, 8), len(6, 'a')], 'needs 2 strings, the file has 1'],
    ['data_type 0', [int(1, 1), int(2, 0), len(9, 'a')], 'element type 0'],
    ['no data_type', [int(1, 1), len(9, 'a')], 'element type 0'],
    ['data_type 999', [int(1, 1), int(2, 999), len(9, 'a')], 'element type 999'],
    ['data_type −1', [int(1, 1), int(2, -1), len(9, 'a')], 'element type -1'],
    ['an element too large for its type', [int(1, 1), int(2, 2), int(5, 256)], 'element 0 = 256 does not fit in u8'],
    ['an element too large for u32', [int(1, 1), int(2, 12), int(11, 2 ** 32)], 'does not fit in u32'],
    ['an unknown data_location', [int(1, 0), int(2, 1), int(14, 2)], 'data_location 2'],
  ])('O12 refuses %s', (_, fields, problem) => {
    const error = refuse('E_MODEL', reluModel(len(5, ...fields, len(8, 'W'))));
    expect(error.message).toContain(problem);
    expect(error.where).toBe('initializer "W"');
  });

  it('O12 holds for tensors of attributes as well', () => {
    const bytes = reluModel(wire.node('Constant', [], ['C'], wire.attribute('value', 4, len(5, wire.tensor('', 1, [3])))));
    expect(refuse('E_MODEL', bytes).message).toContain('node (Constant, output "C"): attribute "value": tensor: f32 [3] needs 12 bytes');
  });

  it('refuses a segment of a tensor', () => {
    refuse('E_UNSUPPORTED', reluModel(len(5, int(1, 1), int(2, 2), len(8, 'W'), len(3, int(1, 0)), len(9, 'a'))));
  });

  it.each([
    ['[2³², 2³²]', [2n ** 32n, 2n ** 32n]],
    ['[2⁶³ + 2, 2]', [-(2n ** 63n) + 2n, 2]],
    ['[2²⁰, 2²⁰, 2²⁴]', [2 ** 20, 2 ** 20, 2 ** 24]],
    ['[2⁵⁰, 1]', [2 ** 50, 1]],
  ])('S1 refuses the dims %s', (_, dims) => {
    const error = refusalOfDims(dims);
    expect(error.code).toBe(dims[0] === 2 ** 50 ? 'E_LIMIT' : 'E_SHAPE');
  });

  const refusalOfDims = (dims: (number | bigint)[]) => {
    try {
      decodeModel(reluModel(wire.initializer('W', 1, dims)));
    } catch (error) {
      return error as { code: string };
    }
    throw new Error('the dims were accepted');
  };

  it('S2 takes a zero dimension for an empty tensor, whatever stands beside it', () => {
    const huge = 2 ** 40;
    for (const dims of [
      [0, huge, huge],
      [huge, 0, huge],
      [huge, huge, 0],
    ]) {
      const tensor = decodeModel(reluModel(wire.initializer('W', 1, dims))).graph.initializers.get('W')!;
      expect(tensor).toMatchObject({ dims, byteLength: 0 });
      expect(tensor.data()).toHaveLength(0);
    }
  });

  it('S3 accepts ranks 0 and 16 and refuses 17 and a million', () => {
    expect(weight(int(2, 1), f32(4, 3)).data()).toEqual(Float32Array.of(3));
    expect(weight(repeat(int(1, 1), 16), int(2, 1), f32(4, 3)).dims).toHaveLength(16);
    for (const rank of [17, 1_000_000]) {
      refuse(
        'E_LIMIT',
        reluModel(wire.initializer('W', 1, new Array<number>(rank === 17 ? 17 : 0).fill(1), rank === 17 ? '' : repeat(int(1, 1), rank))),
      );
      refuse('E_LIMIT', reluModel(len(13, len(1, 'Z'), len(2, len(1, int(1, 1), len(2, repeat(len(1), rank)))))));
    }
  });

  it('reads the single tensors of test data', () => {
    const tensor = decodeTensor(wire.tensor('input', 1, [2], len(9, floats)));
    expect(tensor).toMatchObject({ name: 'input', dtype: 'f32', dims: [2] });
    refusal('E_PARSE', () => decodeTensor(tag(8, 0)));
    refusal('E_MODEL', () => decodeTensor(new Uint8Array(0)));
  });
});
