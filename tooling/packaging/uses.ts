/** What a package alone is used for in the tests: a program, the packages it installs besides, and what it prints. */
export interface Use {
  /** Body of an async function over `lib`, the package, and `use(short)`, which gets another; returns what is printed. */
  readonly program: string;
  readonly beside?: readonly string[];
  readonly prints: RegExp;
}

/** y = relu(W·x) with W f32 [16, 4]: a graph for whatever needs one. `Graph` and `inferShapes` are of the IR. */
const PRODUCT = `
  const { Graph, inferShapes } = await use('ir');
  const graph = new Graph('dense');
  graph.addValue({ name: 'x', dtype: 'f32', shape: ['batch', 4] });
  graph.inputs = ['x'];
  const data = Float32Array.from({ length: 64 }, (_, i) => (i % 4 === 0 ? 1 : 0));
  const weight = graph.addConstant('weight', { dtype: 'f32', dims: [16, 4], data });
  graph.addValue({ name: 'y', dtype: 'f32', shape: undefined });
  graph.nodes.push({ name: 'product', op: 'InnerProduct', inputs: ['x', weight], outputs: ['y'], attributes: { transposed: true } });
  graph.outputs = ['y'];
  inferShapes(graph);`;

/** A model x → Softmax → y in ONNX's bytes, by the builders of the parser. */
const ONNX_BYTES = `
  const onnx = await use('onnx');
  const bytes = onnx.encodeModel(onnx.makeModel({
    nodes: [onnx.makeNode('Softmax', ['x'], ['y'])],
    inputs: [onnx.makeValueInfo('x', 'f32', ['batch', 2])],
    outputs: [onnx.makeValueInfo('y', 'f32', ['batch', 2])],
  }));`;

export const USES: Readonly<Record<string, Use>> = {
  core: { program: "return lib.formatShape(['batch', 128, null]) + lib.fromBf16(lib.toBf16(0.5));", prints: /^\[batch, 128, \?\]0\.5$/ },
  onnx: {
    program: `${ONNX_BYTES}
  const model = await lib.readModel(bytes);
  return model.graph.nodes.map((node) => node.opType).join() + ' ' + model.opsets.get('');`,
    prints: /^Softmax 17$/,
  },
  ir: {
    program: `${PRODUCT}
  return lib.printText(graph).includes('f32 [batch, 16]') + ' ' + lib.summarize(graph).nodes;`,
    prints: /^true 1$/,
  },
  compiler: {
    program: `${ONNX_BYTES}
  const told = lib.explainer();
  const graph = lib.compile(await onnx.readModel(bytes), { explain: told.explain });
  return graph.nodes.map((node) => node.op).join() + ' ' + (told.report().length > 5);`,
    beside: ['onnx'],
    prints: /^Softmax true$/,
  },
  sparsity: {
    program: `
  const weight = { data: Float32Array.of(1, 0, 2, 0, 3, 0, 4, 0), out: 4, in: 2, transposed: true };
  return lib.zeroBlockRatio(weight, lib.BLOCKS['4x1']);`,
    prints: /^0\.5$/,
  },
  transpose: {
    program: `${PRODUCT}
  const { quantizeGraph } = await use('quantizer');
  const int8 = quantizeGraph(graph, new Map([['x', { min: -1, max: 1 }]]));
  const { graph: turned, decisions } = lib.transposeGraph(int8, { threshold: 0.5 });
  return turned.nodes.map((node) => node.op).sort().join() + ' ' + decisions.length;`,
    beside: ['ir', 'quantizer'],
    prints: /Reorder.* \d$/,
  },
  kernels: {
    program: `
  const { tier } = lib.isa();
  const packed = lib.packSparse(Int8Array.from({ length: 16 }, (_, i) => (i % 4 === 1 ? 2 : 0)), { block: '4x1', m: 4, k: 4 });
  return tier + ' ' + lib.spmm(packed, Uint8Array.of(9, 9, 5, 6, 9, 9, 9, 9), { n: 2, out: 's32' }).join();`,
    prints: /^(amx|avx512_vnni|avx2|scalar) 10,12,10,12,10,12,10,12$/,
  },
  runtime: {
    program: `${PRODUCT}
  const session = await (await lib.Model.fromGraph(graph)).session({ threads: 1 });
  const { y } = await session.run({ x: { dtype: 'f32', dims: [1, 4], data: Float32Array.of(3, 5, 7, 9) } });
  await session.close();
  return y.dims.join() + ' ' + y.data[0];`,
    beside: ['ir'],
    prints: /^1,16 3$/,
  },
  quantizer: {
    program: `
  const { data, max } = lib.quantizeWeight({ dtype: 'f32', dims: [1, 2], data: Float32Array.of(0.5, -1) }, true, 'weight');
  return data.data.join() + ' ' + max.data.join();`,
    prints: /^64,-127 1$/,
  },
  text: {
    program: `
  const tokenizer = await lib.loadTokenizer({ vocab: '[PAD]\\n[UNK]\\n[CLS]\\n[SEP]\\n[MASK]\\nmill\\n##s' });
  return tokenizer.encode('Mills').tokens.join(' ');`,
    prints: /^\[CLS\] mill ##s \[SEP\]$/,
  },
  evaluation: {
    program: "return lib.squadScore([{ id: 'a', answers: [{ text: 'the mill' }] }], { a: 'mill' }).exactMatch;",
    prints: /^100$/,
  },
  engine: {
    program: `${ONNX_BYTES}
  const model = await lib.load(bytes);
  const session = await model.session({ threads: 1 });
  const { y } = await session.run({ x: { dtype: 'f32', dims: [1, 2], data: Float32Array.of(4, 4) } });
  await session.close();
  return [...y.data].join();`,
    beside: ['onnx'],
    prints: /^0\.5,0\.5$/,
  },
  'demo-model': {
    program: "return lib.demoSamples().length + ' ' + (await import('node:fs')).existsSync(lib.demoModelPath());",
    prints: /^24 true$/,
  },
};
