import { explainer, formatReport } from '@neural-engine/compiler';
import { formatShape } from '@neural-engine/core';
import { compileModel, load } from '@neural-engine/engine';
import { printDot, printMermaid, printText } from '@neural-engine/ir';
import type { KernelChoice } from '@neural-engine/runtime';
import type { Column, Row } from './output/table';
import { tuneOf } from './tune';

export const INSPECT_COLUMNS: readonly Column[] = [
  { key: 'op', title: 'operator', align: 'left' },
  { key: 'count', title: 'nodes' },
  { key: 'weights', title: 'weights' },
];

/** The smallest and the largest of some numbers, once where they print alike. */
function range(numbers: readonly number[], print: (x: number) => string): string {
  const [least, most] = [print(Math.min(...numbers)), print(Math.max(...numbers))];
  return least === most ? least : `${least} to ${most}`;
}

/** One line a kernel: how many products, how many zeros, what skipping them should gain. */
function kernelLines(choices: readonly KernelChoice[]): string[] {
  const byKernel = new Map<string, KernelChoice[]>();
  for (const choice of choices) byKernel.set(choice.kernel, [...(byKernel.get(choice.kernel) ?? []), choice]);
  return [...byKernel].map(([kernel, list]) => {
    const zeros = range(
      list.map((choice) => choice.zeroRatio * 100),
      (x) => `${x.toFixed(0)}%`,
    );
    const gains = list.map((choice) => choice.gain);
    const gain = gains.some((x) => x !== 1) ? `, expected ${range(gains, (x) => `${x.toFixed(1)}×`)} as fast as dense` : '';
    return `kernel  ${list.length} × ${kernel} (${zeros} of the 4x1 blocks zero${gain})`;
  });
}

/** What is in a model once compiled, and the kernels that a session of it runs on: it is loaded as one would be, and stays in the cache. */
export async function inspect(path: string, tune?: string) {
  const how = tuneOf(tune);
  const told = explainer();
  const graph = await compileModel(path, { explain: told.explain });
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
  const { runtime, kernels: choices } = await load(path, how);
  const kernels = new Map<string, number>();
  for (const { kernel } of choices) kernels.set(kernel, (kernels.get(kernel) ?? 0) + 1);
  const packing = runtime.prepared.components
    .filter((component) => component.kind === 'tokens')
    .map((component) => `${component.pack ? 'left out' : 'kept'} (${component.packReason})`);
  const lines = [
    ...graph.inputs.map((name) => `input   ${port(name)}`),
    ...graph.outputs.map((name) => `output  ${port(name)}`),
    ...(choices.length > 0 ? kernelLines(choices) : ['kernel  none with constant weights']),
    ...(packing.length > 0 ? [`masked tokens are ${packing.join('; ')}`] : []),
  ];
  return {
    lines,
    rows,
    facts: {
      inputs: graph.inputs.map(port),
      outputs: graph.outputs.map(port),
      kernels: Object.fromEntries(kernels),
      choices,
      packing,
    },
    graph: { text: () => printText(graph), mermaid: () => printMermaid(graph), dot: () => printDot(graph) },
    explained: formatReport(told.report()),
  };
}
