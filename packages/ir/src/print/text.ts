import { withDefaults } from '../check-node';
import type { Graph, Node } from '../graph';
import { schemaOf } from '../schemas/index';
import { attributeText, constantText, printable, typeText } from './escape';
import { summarize } from './summarize';

export interface TextOptions {
  /** Nodes beyond this many are left out, with a note; all are printed by default. */
  readonly maxNodes?: number;
}

/**
 * A graph as text, one node a line, in execution order:
 *
 * ```text
 * graph "model": 2 nodes, 4 parameters
 *   input  x  f32 [batch, 4]
 *   h = Relu(x)      f32 [batch, 4]
 *   y = Add(h, b)    f32 [batch, 4]
 *   output y  f32 [batch, 4]
 * ```
 *
 * Small constants stand where they are used, larger ones by name and type. Attributes at their defaults are left out.
 */
export function printText(graph: Graph, { maxNodes = Number.POSITIVE_INFINITY }: TextOptions = {}): string {
  const { parameters, inputs, outputs } = summarize(graph);
  const lines = [`graph "${printable(graph.name)}": ${graph.nodes.length} nodes, ${parameters.toLocaleString('en-US')} parameters`];
  for (const value of inputs) lines.push(`  input  ${printable(value.name)}  ${typeText(value)}`);
  const shown = graph.nodes.slice(0, maxNodes);
  const calls = shown.map((node) => `${node.outputs.map((name) => printable(name) || '_').join(', ')} = ${call(graph, node)}`);
  const types = shown.map((node) => node.outputs.flatMap((name) => (name ? [typeText(graph.value(name))] : [])).join(', '));
  // Long calls do not push the types of all others out of sight.
  const width = calls.reduce((most, text) => (text.length <= 90 ? Math.max(most, text.length) : most), 0);
  for (const [i, text] of calls.entries()) lines.push(`  ${text.padEnd(width)}  ${types[i]}`);
  if (shown.length < graph.nodes.length) lines.push(`  … ${graph.nodes.length - shown.length} more nodes`);
  for (const value of outputs) lines.push(`  output ${printable(value.name)}  ${typeText(value)}`);
  return `${lines.join('\n')}\n`;
}

function call(graph: Graph, node: Node): string {
  const operands = node.inputs.map((name) => operand(graph, name));
  while (operands.at(-1) === '_') operands.pop();
  return `${printable(node.op)}(${[...operands, ...attributeTexts(node)].join(', ')})`;
}

function operand(graph: Graph, name: string): string {
  if (name === '') return '_';
  const constant = graph.constant(name);
  if (!constant) return printable(name);
  return constant.data.length <= 4 && constant.dims.length <= 1 ? constantText(constant) : `${printable(name)}: ${constantText(constant)}`;
}

/** `axis=1` for each attribute that differs from its default. */
export function attributeTexts(node: Node): string[] {
  const schema = schemaOf(node.op);
  const defaults = schema ? withDefaults(schema, {}) : {};
  return Object.entries(node.attributes).flatMap(([name, value]) =>
    value === undefined || String(value) === String(defaults[name]) ? [] : [`${printable(name)}=${attributeText(value)}`],
  );
}
