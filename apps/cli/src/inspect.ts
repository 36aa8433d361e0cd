import { formatShape } from '@neural-engine/core';
import { compileModel, explainCollector } from '@neural-engine/engine';
import { printDot, printMermaid, printText } from '@neural-engine/ir';
import { prepare } from '@neural-engine/runtime';
import type { Column, Row } from './output/table';

export const INSPECT_COLUMNS: readonly Column[] = [
  { key: 'op', title: 'operator', align: 'left' },
  { key: 'count', title: 'nodes' },
  { key: 'weights', title: 'weights' },
];

/** What is in a model once compiled. */
export async function inspect(path: string) {
  const explain = explainCollector();
  const graph = await compileModel(path, { explain: explain.record });
  const byOp = new Map<string, { count: number; weights: number }>();
  for (const node of graph.nodes) {
    const entry = byOp.get(node.op) ?? { count: 0, weights: 0 };
    entry.count++;
    for (const input of node.inputs) entry.weights += graph.constant(input)?.data.length ?? 0;
    byOp.set(node.op, entry);
  }
  const rows: Row[] = [...byOp]
    .sort((a, b) => b[1].weights - a[1].weights || b[1].count - a[1].count)
    .map(([op, entry]) => ({ op, ...entry }));
  const port = (name: string): string => `${name} ${graph.value(name).dtype} ${formatShape(graph.value(name).shape ?? [])}`;
  const { prepared } = prepare(graph);
  const kernels = new Map<string, number>();
  for (const { kernel } of prepared.choices) kernels.set(kernel, (kernels.get(kernel) ?? 0) + 1);
  const packing = prepared.components
    .filter((component) => component.kind === 'tokens')
    .map((component) => `${component.pack ? 'left out' : 'kept'} (${component.packReason})`);
  const lines = [
    ...graph.inputs.map((name) => `input   ${port(name)}`),
    ...graph.outputs.map((name) => `output  ${port(name)}`),
    `kernels ${[...kernels].map(([name, count]) => `${count} × ${name}`).join(', ') || 'none with constant weights'}`,
    ...(packing.length > 0 ? [`masked tokens are ${packing.join('; ')}`] : []),
  ];
  return {
    lines,
    rows,
    facts: { inputs: graph.inputs.map(port), outputs: graph.outputs.map(port), kernels: Object.fromEntries(kernels), packing },
    graph: { text: () => printText(graph), mermaid: () => printMermaid(graph), dot: () => printDot(graph) },
    explained: explain.text(),
  };
}
