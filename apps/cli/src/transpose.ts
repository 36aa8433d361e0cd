import { EngineError } from '@neural-engine/core';
import { compileModel, parsePatternSwitch, writeIr } from '@neural-engine/engine';
import { type Graph, writeOriginalIr } from '@neural-engine/ir';
import { transposeGraph } from '@neural-engine/transpose';
import { readText } from './files';
import type { Column, Row } from './output/table';
import { Outputs } from './outputs';

export const TRANSPOSE_COLUMNS: readonly Column[] = [
  { key: 'node', title: 'node', align: 'left' },
  { key: 'op', title: 'operator', align: 'left' },
  { key: 'zeros', title: '4x1 zeros', digits: 3 },
  { key: 'layout', title: 'layout', align: 'left' },
  { key: 'reason', title: 'why', align: 'left' },
];

export interface TransposeFlags {
  readonly output: string;
  readonly threshold: string;
  readonly include?: string;
  readonly exclude?: string;
  readonly original?: boolean;
  readonly force?: boolean;
  readonly patternSwitch?: string;
}

/** Compiles a model, transposes its sparse products and saves the result. `notes` are for people, the rows for anybody. */
export async function transposeToIr(path: string, flags: TransposeFlags): Promise<{ rows: Row[]; notes: string[] }> {
  const threshold = Number(flags.threshold);
  if (flags.threshold.trim() === '' || !(threshold >= 0 && threshold <= 1))
    throw new EngineError('E_USAGE', 'usage', `--threshold ${flags.threshold}: expected a number from 0 to 1`);
  const wanted = { flag: '--output', path: flags.output, kind: 'folder' } as const;
  using outputs = await Outputs.claim([wanted], [path, flags.patternSwitch], flags.force);
  const parsed = flags.patternSwitch ? parsePatternSwitch(await readText(flags.patternSwitch)) : undefined;
  const notes = [...(parsed?.warnings ?? [])];
  const source = await compileModel(path, parsed ? { patternSwitch: parsed.switches } : {});
  const { graph, decisions } = transposeGraph(source, { threshold, include: list(flags.include), exclude: list(flags.exclude) });
  if (graph === source) notes.push(unchanged(source));
  if (flags.original) {
    notes.push(...changesForOriginal(graph));
    await writeOriginalIr(graph, flags.output, { ...outputs.how(flags.output), allowTanhGelu: true, singleLogits: true });
  } else {
    await writeIr(graph, flags.output, outputs.how(flags.output));
  }
  const products = graph.nodes.filter((node) => node.op === 'InnerProduct');
  const transposed = products.filter((node) => node.attributes['layout'] === 'transposed').length;
  const reorders = graph.nodes.filter((node) => node.op === 'Reorder').length;
  notes.push(
    `${transposed} of ${products.length} products are transposed, with ${reorders} Reorders; saved to ${flags.output}${flags.original ? " in the original's dialect" : ''}`,
  );
  const rows = decisions.map(({ node, op, zeroRatio, layout, reason }) => ({ node, op, zeros: zeroRatio ?? null, layout, reason }));
  return { rows, notes };
}

const list = (names: string | undefined): string[] => names?.split(',').filter(Boolean) ?? [];

function unchanged(graph: Graph): string {
  if (graph.nodes.some((node) => node.op === 'Reorder')) return 'the model is transposed already and is saved as it is';
  const isInteger = graph.nodes.some((node) => node.op === 'InnerProduct' && graph.constant(node.inputs[1])?.dtype === 's8');
  return isInteger ? 'no product qualifies; the model is saved as it is' : 'the model holds no int8 product; "ne quantize" makes them';
}

/** What files of the original cannot hold as it is. */
function changesForOriginal(graph: Graph): string[] {
  const gelu = graph.nodes.filter(
    ({ attributes }) => attributes['layout'] === 'transposed' && attributes['activation'] === 'gelu_erf',
  ).length;
  const producers = graph.producers();
  const isSpan = graph.outputs.length === 2 && graph.outputs.every((output) => producers.get(output)?.op === 'Squeeze');
  return [
    ...(gelu > 0 ? [`${gelu} GELUs are written in their tanh form: the original's transposed products have no other`] : []),
    ...(isSpan ? ['start and end logits are written as one tensor, as the original has them'] : []),
  ];
}
