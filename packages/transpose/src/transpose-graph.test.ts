import { encodeOriginalIr, evaluateGraph, type Graph, parseConfig, readIr } from '@neural-engine/ir';
import { describe, expect, it } from 'vitest';
import { HIDDEN, type SparseEncoderOptions, sparseEncoder } from './__fixtures__/sparse-encoder';
import { type TransposeOptions, transposeGraph } from './index';

const feeds = {
  input_ids: { dtype: 's32' as const, dims: [2, 3], data: Int32Array.of(1, 2, 3, 4, 5, 6) },
  attention_mask: { dtype: 's32' as const, dims: [2, 3], data: Int32Array.of(1, 1, 1, 1, 1, 0) },
};
const outputs = (graph: Graph): unknown[] => {
  const values = evaluateGraph(graph, feeds);
  return graph.outputs.map((name) => values.get(name));
};
const reorders = (graph: Graph): string[] =>
  graph.nodes.filter(({ op }) => op === 'Reorder').map(({ inputs, outputs: [output] }) => `${inputs[0]} → ${output}`);
const layouts = (graph: Graph): string[] =>
  graph.nodes.filter(({ attributes }) => attributes['layout'] === 'transposed').map(({ name }) => name);

function transposed(options: SparseEncoderOptions = {}, rules: TransposeOptions = {}) {
  const source = sparseEncoder(options);
  const result = transposeGraph(source, rules);
  expect(outputs(result.graph)).toEqual(outputs(source));
  const reason = (node: string) => result.decisions.find((decision) => decision.node === node);
  return { source, ...result, reason };
}

describe('transposeGraph', () => {
  it('leaves two Reorders in an encoder whose products are all sparse', () => {
    const { graph } = transposed();
    expect(reorders(graph)).toEqual(['norm → norm_reorder', '1.ffn2 → 1.ffn2_recover']);
    expect(graph.nodes.find(({ name }) => name === '/norm_u8')!.inputs[0]).toBe('norm_reorder');
    expect(graph.nodes.find(({ name }) => name === '/0.out')!.inputs[3]).toBe('norm_reorder');
    expect(layouts(graph)).not.toEqual(expect.arrayContaining(['/norm', '/1.norm2', '/1.norm2_u8', '/head']));
    expect(layouts(graph)).toEqual(expect.arrayContaining(['/0.context', '/0.norm1', '/0.norm2', '/1.context', '/1.norm1']));
    // Six products, attention, two norms and two changes of code a layer, but for the last norm.
    expect(layouts(graph).length).toBe(2 * 11 - 1);
  });
  it('stores weights as [out, in] and changes neither the argument nor the values', () => {
    const { source, graph } = transposed();
    const [before, after] = [source, graph].map((each) => each.constant('0.ffn1.weight')!);
    expect([before!.dims, after!.dims]).toEqual([
      [HIDDEN, 16],
      [16, HIDDEN],
    ]);
    for (let k = 0; k < HIDDEN; k++) for (let n = 0; n < 16; n++) expect(after!.data[n * HIDDEN + k]).toBe(before!.data[k * 16 + n]);
    expect(source.nodes.some(({ attributes }) => attributes['layout'] || attributes['transposed'])).toBe(false);
    expect(graph.nodes.find(({ name }) => name === '/0.ffn1')!.attributes).toMatchObject({ transposed: true, layout: 'transposed' });
  });
  it('gives a transposed copy of a weight that a plain product reads too', () => {
    const source = sparseEncoder({ layers: 1 });
    for (const name of ['/0.q', '/0.k']) source.nodes.find((node) => node.name === name)!.inputs[1] = '0.v.weight';
    const { graph } = transposeGraph(source, { exclude: ['/0.q'] });
    expect(outputs(graph)).toEqual(outputs(source));
    const weights = ['/0.q', '/0.k', '/0.v'].map((name) => graph.nodes.find((node) => node.name === name)!.inputs[1]);
    expect(weights).toEqual(['0.v.weight', '0.v.weight_transposed', '0.v.weight_transposed']);
  });
  it('decides at the threshold, with the reason', () => {
    const zeros = { '0.ffn1': 0.69, '0.ffn2': 0.72 };
    const { reason } = transposed({ zeros });
    expect(reason('/0.ffn1')).toMatchObject({
      layout: 'plain',
      reason: expect.stringMatching(/^6\d\.\d% of its 4x1 blocks are zero, below 70\.0%$/),
    });
    expect(reason('/0.ffn2')).toMatchObject({ layout: 'transposed', reason: expect.stringMatching(/at least 70\.0%$/) });
    expect(transposed({ zeros }, { threshold: 0.6 }).reason('/0.ffn1')).toMatchObject({ layout: 'transposed' });
    expect(transposed({}, { threshold: 0.8 }).graph.nodes.some(({ op }) => op === 'Reorder')).toBe(false);
  });
  it('leaves what cannot be transposed, even when it is named, and says why', () => {
    const { reason } = transposed({ classes: 6, activation: 'gelu_erf' }, { include: ['*'] });
    expect(reason('/head')).toMatchObject({ layout: 'plain', reason: '6 output channels are no multiple of 4' });
    const tanh = transposed({ layers: 1, zeros: { head: 0.9 }, classes: 4 });
    expect(tanh.reason('/head')!.layout).toBe('transposed');
    const source = sparseEncoder({ layers: 1, zeros: { head: 0.9 }, classes: 4 });
    source.nodes.at(-1)!.attributes = { activation: 'tanh' };
    expect(transposeGraph(source).decisions.at(-1)).toMatchObject({ layout: 'plain', reason: expect.stringContaining('tanh') });
  });
  it('recovers a result that is the output of the graph, under its name', () => {
    const { graph } = transposed({ layers: 1, classes: 4 });
    expect(graph.outputs).toEqual(['head']);
    expect(reorders(graph)).toEqual(['norm → norm_reorder', 'head_transposed → head']);
  });
  it('keeps attention plain where one of its products is, and recovers the others', () => {
    const { graph, reason } = transposed({ layers: 1 }, { exclude: ['/0.k'] });
    expect(reason('/0.context')).toMatchObject({ layout: 'plain', reason: 'the product of its key is plain' });
    expect(reorders(graph)).toEqual([
      'norm_u8 → norm_u8_reorder',
      '0.q → 0.q_recover',
      '0.v → 0.v_recover',
      '0.context → 0.context_reorder',
      'norm → norm_reorder',
      '0.ffn2 → 0.ffn2_recover',
    ]);
  });
  it('keeps attention plain where its result is read tokens-first', () => {
    const { graph, reason } = transposed({ layers: 1 }, { exclude: ['/0.out'] });
    expect(reason('/0.context')).toMatchObject({ layout: 'plain', reason: 'its result is read tokens-first' });
    expect(reason('/0.norm1')).toMatchObject({ layout: 'plain', reason: 'what it reads is plain' });
    expect(reorders(graph)).toContain('0.norm1 → 0.norm1_reorder');
  });
  it('lets LayerNorm stay features-first behind a transposed product where only the residual needs it', () => {
    const { graph, reason } = transposed({ layers: 1 }, { exclude: ['/0.ffn1'] });
    expect(reason('/0.norm1')).toMatchObject({ layout: 'transposed', reason: 'it stands behind a transposed product' });
    expect(reorders(graph)).toContain('0.norm1 → 0.norm1_recover');
  });
  it('returns a transposed graph, and one where nothing qualifies, as it is', () => {
    const { graph } = transposed();
    expect(transposeGraph(graph)).toEqual({ graph, decisions: [] });
    expect(transposeGraph(graph).graph).toBe(graph);
    const dense = sparseEncoder({ layers: 1 });
    const result = transposeGraph(dense, { exclude: ['*'] });
    expect(result.graph).toBe(dense);
    expect(result.decisions.length).toBe(14);
  });
  it('gives the same graph every time', () => {
    expect(transposeGraph(sparseEncoder())).toEqual(transposeGraph(sparseEncoder()));
  });
  it.each([
    [{ include: ['/0.qq'] }, /include: no product is named "\/0\.qq"/],
    [{ exclude: ['/norm'] }, /exclude: no product is named/],
    [{ threshold: 1.1 }, /expected a share from 0 to 1/],
    [{ threshold: Number.NaN }, /expected a share from 0 to 1/],
  ])('refuses %o', (options, message) => {
    expect(() => transposeGraph(sparseEncoder({ layers: 1 }), options)).toThrow(
      expect.objectContaining({ code: 'E_USAGE', message: expect.stringMatching(message) }),
    );
  });
});

describe("a transposed graph in the original's dialect", () => {
  const again = async (graph: Graph): Promise<Graph> => {
    const { config, weights } = encodeOriginalIr(graph);
    return readIr({ config, weights: Buffer.concat(weights) });
  };
  const named = (graph: Graph, name: string) =>
    parseConfig(encodeOriginalIr(graph).config).operators.find((operator) => operator.name === name)!;
  const texts = (graph: Graph, name: string) =>
    Object.fromEntries([...named(graph, name).attributes!].map(([key, { text }]) => [key, text]));

  it('has the weight first, its range first, and permuted heads', () => {
    const { graph } = transposed({ layers: 1 });
    expect(named(graph, '/0.q').inputs).toEqual([
      '0.q.weight:0',
      'norm_u8:0',
      '0.q.bias:0',
      '0.q.weight_min:0',
      '0.q.weight_max:0',
      'norm_min:0',
      'norm_max:0',
      '0.q_min:0',
      '0.q_max:0',
      'input_ids:0',
    ]);
    expect(texts(graph, '/0.q')).toEqual({ output_dtype: 's8', reshape: '2,4,-1, -1', reshape_dims: '0' });
    expect(texts(graph, '/0.context/scores')).toMatchObject({ src0_perm: '2,0,3,1', src1_perm: '2,0,1,3' });
    expect(texts(graph, '/0.context')).toMatchObject({ src1_perm: '2,0,3,1', dst_perm: '1,3,0,2', reshape: '8,-1' });
    expect(texts(graph, '/0.norm1')).toMatchObject({ transpose_mode: '1, 0' });
    expect(texts(graph, '/norm_u8_Reorder_Post_0')).toEqual({ src_perm: '0,1', dst_perm: '1,0' });
  });
  it('reorders heads and codes where attention stays plain', () => {
    const { graph } = transposed({ layers: 1 }, { exclude: ['/0.k'] });
    expect(texts(graph, '/0.q_Reorder_Recover')).toEqual({ src_perm: '0,1,2,3', dst_perm: '2,3,0,1', output_dtype: 's8' });
    expect(texts(graph, '/0.out_Reorder_Post_0')).toEqual({ src_perm: '0,1', dst_perm: '1,0', output_dtype: 'u8' });
  });
  it.each([[{}], [{ exclude: ['/0.k'] }], [{ exclude: ['/0.ffn1'] }], [{ exclude: ['/1.*'] }]])(
    'means the same when it is read: %o',
    async (rules) => {
      const { graph } = transposed({}, rules);
      const read = await again(graph);
      expect(read.nodes.map(({ op }) => op)).toEqual(graph.nodes.map(({ op }) => op).filter((op) => op !== 'Reorder'));
      const [[got], [expected]] = [read, graph].map(outputs) as { data: Float32Array }[][];
      for (const [i, value] of expected!.data.entries()) expect(got!.data[i]).toBeCloseTo(value, 4);
    },
  );
  it('refuses what the original has no kernel for', () => {
    const refused = (options: SparseEncoderOptions, rules: TransposeOptions = {}): unknown => {
      try {
        return encodeOriginalIr(transposed({ layers: 1, ...options }, rules).graph);
      } catch (error) {
        return error;
      }
    };
    const because = (reason: RegExp) => ({ code: 'E_UNSUPPORTED', message: expect.stringMatching(reason) });
    expect(refused({ activation: 'gelu_erf' })).toMatchObject(because(/"\/0\.ffn1" .* no gelu_erf; allowTanhGelu writes the tanh form/));
    expect(refused({ zeros: { '0.ffn2': 0.5 } }, { include: ['/0.ffn2'] })).toMatchObject(because(/"\/0\.ffn2" .* want 52%/));
    const tanh = encodeOriginalIr(transposed({ activation: 'gelu_erf' }).graph, { allowTanhGelu: true });
    expect(tanh.config).toContain('append_op: gelu_tanh');
  });
});
