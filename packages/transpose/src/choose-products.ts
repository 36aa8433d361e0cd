import type { Graph, Node } from '@neural-engine/ir';
import { decideSparse, type WeightView } from '@neural-engine/sparsity';
import type { TransposeDecision } from './decision';
import type { NameList } from './name-list';

/** An InnerProduct's weight as [out, in], however it is stored; undefined where it is no constant matrix. */
export function weightOf(graph: Graph, node: Node): WeightView | undefined {
  const constant = graph.constant(node.inputs[1]);
  if (constant?.dims.length !== 2) return undefined;
  const transposed = node.attributes['transposed'] === true;
  const [first, second] = constant.dims as [number, number];
  return { data: constant.data, out: transposed ? first : second, in: transposed ? second : first, transposed };
}

export interface ChooseRules {
  readonly threshold: number;
  readonly include: NameList;
  readonly exclude: NameList;
}

/**
 * Whether an InnerProduct becomes W·Xᵀ: a constant s8 weight whose output channels come in fours, no tanh behind it, and enough zero 4x1
 * blocks, or its name among those included.
 */
export function chooseProduct(graph: Graph, node: Node, rules: ChooseRules): TransposeDecision {
  const weight = weightOf(graph, node);
  const decided = (layout: TransposeDecision['layout'], reason: string, zeroRatio?: number): TransposeDecision => ({
    node: node.name,
    op: node.op,
    layout,
    ...(zeroRatio === undefined ? {} : { zeroRatio }),
    reason,
  });
  const dtype = graph.values.get(node.inputs[1] ?? '')?.dtype;
  if (!weight) return decided('plain', 'its weight is no constant matrix');
  if (dtype !== 's8') return decided('plain', `its weight is ${dtype}; the transposed products are 8-bit`);
  const { sparse, reason, zeroRatio } = decideSparse(weight, { policy: 'threshold', threshold: rules.threshold });
  if (rules.exclude.has(node.name)) return decided('plain', 'it is excluded by name', zeroRatio);
  if (weight.out % 4 !== 0) return decided('plain', reason, zeroRatio);
  if (node.attributes['activation'] === 'tanh') return decided('plain', 'the transposed products have no tanh', zeroRatio);
  if (rules.include.has(node.name)) return decided('transposed', 'it is included by name', zeroRatio);
  return decided(sparse ? 'transposed' : 'plain', reason, zeroRatio);
}
