import { makeNode, type OnnxModel } from '@neural-engine/onnx';
import { OnnxEditor } from './editor';

/** ONNX's numbers of bfloat16 and float, for Cast. */
const TO = { bf16: 16n, f32: 1n } as const;

/** How a LayerNorm begins that is spelt out. */
const NORM_STARTS: ReadonlySet<string> = new Set(['ReduceMean', 'Sub']);

/**
 * The model with some values rounded to bf16: each is cast to it and back, and keeps its name behind that.
 *
 * Where a LayerNorm, spelt out in the file, is all that reads a cast, ONNX Runtime takes the cast into it, and then has no LayerNorm of
 * bf16. The maximum of one value stands between them: it changes nothing, and no fusion looks through it.
 *
 * @returns also the names that no node of the file makes; they are as they were.
 */
export function roundValues(source: OnnxModel, names: readonly string[]): { model: OnnxModel; left: string[] } {
  const editor = new OnnxEditor(source);
  const left: string[] = [];
  for (const name of names) {
    const maker = editor.nodes.find((node) => node.outputs.includes(name));
    if (!maker) {
      left.push(name);
      continue;
    }
    const [exact, half] = [editor.free(`${name}_f32`), editor.free(`${name}_bf16`)];
    maker.outputs.splice(maker.outputs.indexOf(name), 1, exact);
    const cast = (input: string, output: string, dtype: keyof typeof TO) =>
      makeNode('Cast', [input], [output], { name: editor.free(`${output}/Cast`), attributes: { to: { type: 'int', value: TO[dtype] } } });
    const apart = editor.nodes.filter((node) => node.inputs.includes(name)).every(({ opType }) => NORM_STARTS.has(opType));
    const back = apart ? editor.free(`${name}_rounded`) : name;
    const maximum = makeNode('Max', [back], [name], { name: editor.free(`${name}/Max`) });
    editor.replace(maker, [maker, cast(exact, half, 'bf16'), cast(half, back, 'f32'), ...(apart ? [maximum] : [])]);
  }
  return { model: editor.finish(), left };
}
