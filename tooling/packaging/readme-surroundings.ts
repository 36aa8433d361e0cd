/** What an example of a README takes as given, by the file and the number of the block: written before it, as TypeScript. */
export const PRELUDES: Readonly<Record<string, string>> = {
  'compiler 1': "import { readModel } from '@neural-engine/onnx';\nconst model = await readModel('model.onnx');\n",
  'text 0': "import { load } from '@neural-engine/engine';\nconst session = await (await load('model-folder')).session();\n",
  'transpose 0': `import { compileModel } from '@neural-engine/engine';
import { observedValues, quantizeGraph } from '@neural-engine/quantizer';
const source = await compileModel('model.onnx');
const short = (name: string) => name.replace(/.*layer.(\\d)\\/(ffn|Add_1).*/, (_, n, at) => '/' + n + (at === 'ffn' ? '.ffn1' : '.ffn2'));
for (const node of source.nodes) Object.assign(node, { name: short(node.name) });
await writeIr(quantizeGraph(source, new Map(observedValues(source).map((name) => [name, { min: -8, max: 8 }]))), 'int8_ir');\n`,
  'root 0': `const feed = { dtype: 's64', dims: [1, 2], data: BigInt64Array.of(101n, 102n) } as const;
const [input_ids, attention_mask, signal] = [feed, { ...feed, data: BigInt64Array.of(1n, 1n) }, AbortSignal.timeout(60_000)];\n`,
};

/** What an example leaves open at its end, written after it. */
export const ENDINGS: Readonly<Record<string, string>> = {
  'text 0':
    "\nif (answer !== 'Martha Keane') throw new Error(answer + score + start + end + ids + offsets + tokens);\nawait session.close();\n",
  'evaluation 0': '\nif (typeof compare !== "function") throw new Error("compare");\n',
  'root 0': '\nif (!start_logits) throw new Error("no logits");\nawait qa.close();\n',
};

/** What must be among the lines that an example prints. */
export const PRINTS: Readonly<Record<string, RegExp>> = {
  'core 0': /\[ 101, 2040, 102 \]\n\[batch, 128, \?\]\n3\.140625\nE_SHAPE /,
  'runtime 0': /\[ 1, 2 \] Float32Array\(2\) \[ 3, 0 \]/,
  'quantizer 0': /min: -0\.98.*\n\[ 'Quantize', 'InnerProduct' \]/,
  'quantizer 1': /^36$/m,
  'kernels 0': /3 130\n/,
  'engine 0': /input_ids \[batch, sequence\].*\n\[ 1, 4 \]\nMartha Keane /,
  'compiler 0': /Attention/,
  'transpose 0': /0\.ffn1: plain, it is excluded by name.*\n.*0\.ffn2: transposed, \d/,
  'ir 0': /output +y +f32 \[batch, 2\]\n\n?\[ 8, 2 \]/,
};
