import { schemaOf } from '@neural-engine/ir';
import { importAttributes } from './attributes';
import type { Builder } from './builder';
import type { ImportNode } from './node';

/** Translates one ONNX node into the graph's operators. */
export type Importer = (node: ImportNode, to: Builder) => void;

/** Importers of one family by operator name. */
export type Importers = Readonly<Record<string, Importer>>;

/** Same name, same operands, same attributes: what most operators need. */
export const importPlain: Importer = (node, to) => emitAs(node, to, node.op, node.inputs);

/** Emits `op` with the node's remaining attributes and its outputs. */
export function emitAs(node: ImportNode, to: Builder, op: string, inputs: readonly string[]): void {
  const schema = schemaOf(op);
  if (schema?.kind !== 'onnx') node.refuse('the engine has no such operator');
  const { length } = schema.outputs;
  if (node.outputs.length > length && !schema.outputs.at(-1)?.variadic) {
    node.fail('E_MODEL', `it has ${node.outputs.length} outputs; the operator has ${length}`);
  }
  const attributes = importAttributes(node, schema);
  to.emit(node, op, inputs, attributes, node.outputs);
}
