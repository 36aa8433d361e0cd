import type { Node, Value } from '@neural-engine/ir';
import { sameShape } from '../facts/shape-facts';
import { elementNumber, integersOf } from '../facts/tensor-facts';
import { op, type Replacement, rewrite } from '../rewrite';

/** What makes an operator give back its first operand. `output` is its result. */
type Condition = (node: Node, x: Value, output: Value, graph: Replacement) => boolean;

const keepsShape: Condition = (_, x, output) => sameShape(x.shape, output.shape);

/** The second operand is `neutral` everywhere, and adds neither rank nor size. */
const neutral =
  (element: number): Condition =>
  (node, x, output, graph) => {
    const other = graph.input(node, 1)?.constant;
    return (
      other !== undefined &&
      other.data.length <= 65536 &&
      other.data.every((_, i) => elementNumber(other, i) === element) &&
      sameShape(x.shape, output.shape)
    );
  };

/** Operators of any number of operands, with one. */
const ofOne: Condition = (node) => node.inputs.length === 1;

const CONDITIONS: Readonly<Record<string, Condition>> = {
  Identity: () => true,
  Dropout: (node, _x, _output, graph) => {
    const training = graph.input(node, 2);
    return training === undefined || Number(training.constant?.data[0] ?? 1) === 0;
  },
  Cast: (_, x, output) => x.dtype === output.dtype,
  Reshape: keepsShape,
  Flatten: keepsShape,
  Squeeze: keepsShape,
  Unsqueeze: keepsShape,
  Expand: keepsShape,
  Slice: (node, x, output, graph) => {
    const steps = graph.input(node, 4);
    return (steps === undefined || integersOf(steps.constant)?.every((step) => step === 1) === true) && sameShape(x.shape, output.shape);
  },
  Concat: ofOne,
  Max: ofOne,
  Min: ofOne,
  Sum: ofOne,
  Mean: ofOne,
  Transpose: (node) => Array.isArray(node.attributes['perm']) && node.attributes['perm'].every((axis, i) => axis === i),
  Add: neutral(0),
  Sub: neutral(0),
  Mul: neutral(1),
  Div: neutral(1),
  Pow: neutral(1),
  And: neutral(1),
  Or: neutral(0),
};

/** Operators that give back what they get  →  their operand: Identity, Dropout in inference, a cast to the same dtype, a sum with 0, … */
export const eliminateNoOps = rewrite({
  name: 'eliminate-no-ops',
  summary: 'operators that change nothing vanish: Identity, Dropout, casts to the same dtype, reshapes to the same shape, sums with 0',
  pattern: op(Object.keys(CONDITIONS)),
  replace: (_, graph) => {
    const { root } = graph;
    const x = graph.input(root, 0);
    const output = graph.graph.value(root.outputs[0]!);
    if (!x || x.constant || !CONDITIONS[root.op]!(root, x, output, graph)) return undefined;
    return x;
  },
});
