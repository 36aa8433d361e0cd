import { describe, expect, it } from 'vitest';
import { decodeModel } from '../decode-model';
import { refusal } from '../testing/errors';
import { concat, int, len, reluGraph, reluModel, repeat, tag, varint, wire } from '../testing/wire';

const refuse = (code: Parameters<typeof refusal>[0], bytes: Uint8Array) => refusal(code, () => decodeModel(bytes));

describe('the protobuf pre-scan', () => {
  it('P1 refuses an empty file, saying what is missing', () => {
    expect(refuse('E_PARSE', new Uint8Array(0)).message).toContain('no graph, no opset_import');
    expect(refuse('E_PARSE', int(1, 8)).message).toContain('no graph, no opset_import');
  });

  it('P2 refuses every proper prefix of a valid model', () => {
    const bytes = reluModel(wire.initializer('W', 1, [2], len(9, new Uint8Array(8))));
    expect(decodeModel(bytes).graph.nodes).toHaveLength(1);
    const codes = new Set<string>();
    for (let length = 0; length < bytes.byteLength; length++) {
      try {
        decodeModel(bytes.subarray(0, length));
        throw new Error(`the prefix of ${length} bytes loads`);
      } catch (error) {
        codes.add((error as { code: string }).code);
      }
    }
    expect([...codes].sort()).toEqual(['E_MODEL', 'E_PARSE']);
  });

  it.each([
    ['a wrong wire type', concat(reluModel(), tag(7, 0), varint(1)), 'ModelProto.graph is stored as varint'],
    ['field number 0', concat(reluModel(), tag(0, 0), varint(1)), 'field number 0'],
    ['the end of a group that never began', concat(reluModel(), tag(50, 4)), 'the end of a group that was not open'],
    ['a group closed by another number', concat(reluModel(), tag(50, 3), tag(51, 4)), 'the end of a group that was not open'],
    ['an open group', concat(reluModel(), tag(50, 3)), 'a group is not closed'],
    ['wire type 7', concat(reluModel(), tag(50, 7)), 'wire type 7'],
    ['a varint of eleven bytes', concat(reluModel(), tag(5, 0), repeat(Uint8Array.of(0x80), 10), Uint8Array.of(0)), 'longer than 10 bytes'],
    ['a tag of six bytes', concat(reluModel(), repeat(Uint8Array.of(0x80), 5), Uint8Array.of(1)), 'does not fit in 32 bits'],
    ['a varint cut off', concat(reluModel(), tag(5, 0), Uint8Array.of(0x80)), 'a varint is cut off'],
    ['a packed varint cut off', reluModel(wire.initializer('W', 7, [1], len(7, Uint8Array.of(0x80)))), 'is cut off'],
    ['packed floats of seven bytes', reluModel(wire.initializer('W', 1, [2], len(4, new Uint8Array(7)))), 'no whole number of elements'],
  ])('P4 refuses %s and says at which byte', (_, bytes, problem) => {
    const error = refuse('E_PARSE', bytes);
    expect(error.message).toMatch(/^byte \d+: /);
    expect(error.message).toContain(problem);
  });

  it('P4 names the byte at which the trouble begins', () => {
    const before = reluModel();
    expect(refuse('E_PARSE', concat(before, tag(0, 0), varint(1))).where).toBe(`byte ${before.byteLength}`);
  });

  it('accepts unknown fields of every wire type, groups included', () => {
    const unknown = concat(int(200, 5), concat(tag(201, 1), new Uint8Array(8)), len(202, 'text'), concat(tag(203, 5), new Uint8Array(4)));
    const group = concat(tag(204, 3), unknown, tag(205, 3), tag(205, 4), tag(204, 4));
    expect(decodeModel(concat(reluModel(unknown, group), unknown, group)).graph.nodes[0]?.opType).toBe('Relu');
  });

  it('accepts packed and unpacked spellings of repeated numbers', () => {
    const packed = reluModel(len(5, len(1, varint(2), varint(1)), int(2, 7), len(8, 'W'), len(7, varint(5), varint(6))));
    const unpacked = reluModel(wire.initializer('W', 7, [2, 1], int(7, 5), int(7, 6)));
    for (const bytes of [packed, unpacked]) {
      expect(decodeModel(bytes).graph.initializers.get('W')?.data()).toEqual(BigInt64Array.of(5n, 6n));
    }
  });

  it.each([
    ['2³¹', varint(2 ** 31)],
    ['2³² − 1', varint(2 ** 32 - 1)],
    ['one byte too many', varint(5)],
  ])('P5 refuses a length of %s without allocating for it', (_, length) => {
    const before = process.memoryUsage().rss;
    expect(refuse('E_PARSE', concat(reluModel(), tag(6, 2), length, new Uint8Array(4))).message).toContain('where 4 are left');
    expect(process.memoryUsage().rss - before).toBeLessThan(64 * 2 ** 20);
  });

  const nestedGraph = (levels: number): Uint8Array => {
    let graph = concat(wire.node('Relu', ['X'], [`Y${levels}`]), wire.value(12, `Y${levels}`));
    for (let level = levels - 1; level >= 0; level--) {
      graph = concat(wire.node('If', ['X'], [`Y${level}`], wire.attribute('then_branch', 5, len(6, graph))), wire.value(12, `Y${level}`));
    }
    return wire.model(graph, wire.value(11, 'X'));
  };

  it('P6 accepts 64 nested subgraphs and refuses 65 and 3,000', () => {
    expect(decodeModel(nestedGraph(64)).graph.nodes[0]?.opType).toBe('If');
    expect(refuse('E_LIMIT', nestedGraph(65)).message).toContain('subgraphs are nested deeper than the limit of 64');
    refuse('E_LIMIT', nestedGraph(3000));
  });

  const nestedType = (levels: number): Uint8Array => {
    let type = concat(len(1, int(1, 1)));
    for (let level = 0; level < levels; level++) type = len(4, len(1, type));
    return reluModel(len(13, len(1, 'Z'), len(2, type)));
  };

  it('P6 accepts 64 nested types and refuses 65', () => {
    expect(decodeModel(nestedType(64)).graph.valueInfo).toHaveLength(1);
    expect(refuse('E_LIMIT', nestedType(65)).message).toContain('types are nested deeper');
  });

  it('P6 accepts 64 nested unknown groups and refuses 65 and 100,000', () => {
    const groups = (depth: number) => concat(reluModel(), repeat(tag(300, 3), depth), repeat(tag(300, 4), depth));
    expect(decodeModel(groups(64)).graph.nodes).toHaveLength(1);
    expect(refuse('E_LIMIT', groups(65)).message).toContain('groups are nested deeper');
    refuse('E_LIMIT', groups(100_000));
  });

  const packedOnes = (field: number, bytes: number) =>
    reluModel(len(5, len(1, varint(bytes)), int(2, field === 5 ? 6 : 7), len(8, 'W'), len(field, new Uint8Array(bytes).fill(1))));

  it.each([
    ['8 MB of empty nodes', wire.model(new Uint8Array(8 * 2 ** 20).map((_, i) => (i % 2 === 0 ? 0x0a : 0)))],
    ['20 MB of one-byte int64_data', packedOnes(7, 20 * 2 ** 20)],
    ['20 MB of one-byte int32_data', packedOnes(5, 20 * 2 ** 20)],
    ['a million dims', reluModel(len(5, len(1, new Uint8Array(1e6).fill(1)), int(2, 1), len(8, 'W')))],
    ['a million dims, unpacked', reluModel(len(5, repeat(int(1, 1), 1e6), int(2, 1), len(8, 'W')))],
    [
      'a million ints in an attribute',
      reluModel(wire.node('A', [], ['B'], wire.attribute('ints', 7, len(8, new Uint8Array(1e6).fill(1))))),
    ],
  ])('P7 refuses %s before the objects exist', (_, bytes) => {
    const started = performance.now();
    const before = process.memoryUsage().heapUsed;
    refuse('E_LIMIT', bytes);
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(64 * 2 ** 20);
    expect(performance.now() - started).toBeLessThan(1000);
  });

  it('P7 counts nodes, tensors and the bytes of names against limits that the caller can set', () => {
    const bytes = reluModel(wire.initializer('a-long-name', 1, [], len(9, new Uint8Array(4))));
    const withLimits = (limits: Parameters<typeof decodeModel>[1]) => () => decodeModel(bytes, limits);
    expect(refusal('E_LIMIT', withLimits({ limits: { nodes: 0 } })).message).toContain('more nodes than the limit of 0');
    expect(refusal('E_LIMIT', withLimits({ limits: { initializers: 0 } })).message).toContain('more tensors than the limit of 0');
    expect(refusal('E_LIMIT', withLimits({ limits: { nameBytes: 4 } })).message).toContain('TensorProto.name has 11 bytes');
    expect(refusal('E_LIMIT', withLimits({ limits: { onnxBytes: 10 } })).message).toContain('above the limit of 10');
    expect(refusal('E_LIMIT', withLimits({ limits: { weightBytes: 3 } })).message).toContain('more than 3 bytes');
    expect(withLimits({ limits: { nodes: 1, initializers: 1, nameBytes: 11, weightBytes: 4 } })().graph.nodes).toHaveLength(1);
  });

  it('refuses a name of more than 4 KiB, but not a long metadata value', () => {
    const metadata = len(14, len(1, 'labels'), len(2, 'x'.repeat(10_000)));
    expect(decodeModel(concat(reluModel(), metadata)).metadata.get('labels')).toHaveLength(10_000);
    refuse('E_LIMIT', wire.model(...reluGraph, wire.node('Relu', ['X'], ['y'.repeat(5000)])));
  });

  const invalidText: [string, Uint8Array][] = [
    ['a lone continuation byte', Uint8Array.of(0x80)],
    ['an overlong slash', Uint8Array.of(0xc0, 0xaf)],
    ['a surrogate', Uint8Array.of(0xed, 0xa0, 0x80)],
    ['a cut-off sequence', Uint8Array.of(0x61, 0xe2, 0x82)],
  ];

  it.each(invalidText)('P9 refuses %s in a name, naming the field, and accepts it in a doc_string', (_, text) => {
    expect(refuse('E_PARSE', wire.model(len(1, len(4, text)))).message).toContain('NodeProto.op_type is not valid UTF-8');
    expect(refuse('E_PARSE', reluModel(len(5, len(8, text)))).message).toContain('TensorProto.name is not valid UTF-8');
    const model = decodeModel(concat(reluModel(len(10, text)), len(6, 'about ', text)));
    expect(model.docString).toMatch(/^about .*\ufffd$/);
    expect(model.graph.docString).toContain('\ufffd');
  });
});
