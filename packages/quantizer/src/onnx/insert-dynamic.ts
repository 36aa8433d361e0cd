import { makeNode, type OnnxAttribute, type OnnxModel } from '@neural-engine/onnx';
import { quantizeWeight } from '../weight';
import { OnnxEditor } from './editor';
import type { Found, OnnxProduct } from './find-products';

/** ONNX's number of f32, for Cast. */
const FLOAT = 1n;

/**
 * Dynamic int8 in ONNX's own operators: DynamicQuantizeLinear → MatMulInteger → Cast → · (scale · weight scale), as ONNX Runtime's
 * quantize_dynamic writes it. Products that read one value share its codes.
 */
export function insertDynamic(source: OnnxModel, find: (model: OnnxModel) => Found): OnnxModel {
  const editor = new OnnxEditor(source);
  const codes = new Map<string, string[]>();
  for (const product of find(editor.model).products) {
    const x = product.node.inputs[0]!;
    const first = editor.nodes.find((node) => node.inputs.includes(x))!;
    const coded = codes.get(x) ?? editor.insert(first, 'DynamicQuantizeLinear', [x], [`${x}_quantized`, `${x}_scale`, `${x}_zero_point`]);
    codes.set(x, coded);
    integerProduct(editor, product, coded as [string, string, string]);
  }
  return editor.finish();
}

function integerProduct(
  editor: OnnxEditor,
  { node, weight, transposed }: OnnxProduct,
  [codes, step, zero]: [string, string, string],
): void {
  const [, name, bias] = node.inputs as [string, string, string?];
  const { data, max } = quantizeWeight(weight, transposed, name);
  const [rows, columns] = weight.dims as [number, number];
  const outputs = transposed ? rows : columns;
  const steps = Float32Array.from(max.data as Float32Array, (bound) => bound / 127);
  const matrix = transposed ? turned(data.data as Int8Array, rows, columns) : (data.data as Int8Array);
  const quantized = editor.initializer(`${name}_quantized`, 's8', transposed ? [columns, rows] : weight.dims, matrix);
  const scale = editor.initializer(`${name}_scale`, 'f32', [outputs], steps);
  const zeros = editor.initializer(`${name}_zero_point`, 's8', [outputs], new Int8Array(outputs));
  const y = node.outputs[0]!;
  const inner = (hint: string): string => editor.free(`${y}_${hint}`);
  const call = (opType: string, inputs: string[], output: string, attributes: Record<string, OnnxAttribute> = {}) =>
    makeNode(opType, inputs, [output], { name: editor.free(`${output}/${opType}`), attributes });
  const [sums, real, factor, product] = [inner('sums'), inner('real'), inner('factor'), bias ? inner('product') : y];
  editor.replace(node, [
    call('MatMulInteger', [codes, quantized, zero, zeros], sums),
    call('Cast', [sums], real, { to: { type: 'int', value: FLOAT } }),
    call('Mul', [step, scale], factor),
    call('Mul', [real, factor], product),
    ...(bias ? [call('Add', [product, bias], y)] : []),
  ]);
}

/** [rows, columns] → [columns, rows]. */
function turned(data: Int8Array, rows: number, columns: number): Int8Array {
  const out = new Int8Array(data.length);
  for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) out[c * rows + r] = data[r * columns + c]!;
  return out;
}
