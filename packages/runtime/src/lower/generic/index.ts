import { type DType, EngineError } from '@neural-engine/core';
import type { Attributes, Graph, Node } from '@neural-engine/ir';
import type { ConcreteValue } from '../../plan/concrete';
import { GenericBuilder } from './builder';
import { ELEMENTWISE } from './elementwise';
import { EMBEDDINGS } from './embeddings';
import { INDEXING } from './indexing';
import { MOVEMENT } from './movement';
import { NORMALIZATION } from './normalization';
import { PRODUCTS } from './products';
import { QUANTIZATION } from './quantization';
import { REDUCTION } from './reduction';
import type { Rule, Rules } from './rule';
import type { GenericLowering } from './types';

const ALL: Rules = {
  ...ELEMENTWISE,
  ...MOVEMENT,
  ...INDEXING,
  ...REDUCTION,
  ...NORMALIZATION,
  ...PRODUCTS,
  ...QUANTIZATION,
  ...EMBEDDINGS,
};

const ruleOf = (op: string): Rule | undefined => (Object.hasOwn(ALL, op) ? ALL[op] : undefined);

/** The operators that can run row-major, one region a step, in no particular order. */
export const genericOperators = (): readonly string[] => Object.keys(ALL);

/**
 * Why a node cannot run row-major, or undefined when it can. Dtypes are those of the node's operands, undefined where one is absent; the
 * operator's schema has accepted them.
 */
export function genericObstacle(
  op: string,
  attributes: Attributes,
  inputs: readonly (DType | undefined)[],
  outputs: readonly (DType | undefined)[] = [],
): string | undefined {
  const rule = ruleOf(op);
  if (!rule) return 'the engine has no kernel for it';
  if ([...inputs, ...outputs].includes('string')) return 'strings are not computed';
  return rule.obstacle?.(inputs, attributes);
}

/** Whether an operator can run row-major on these dtypes. */
export const supportsGeneric = (op: string, dtypes: readonly (DType | undefined)[]): boolean =>
  genericObstacle(op, {}, dtypes) === undefined;

/**
 * Refuses a model, while it is loaded, some of whose nodes cannot run row-major.
 * @throws {EngineError} E_UNSUPPORTED naming all of them with the reasons.
 */
export function checkGeneric(graph: Graph, nodes: readonly Node[]): void {
  const dtype = (name: string): DType | undefined => (name ? graph.value(name).dtype : undefined);
  const refused = nodes.flatMap((node) => {
    const reason = genericObstacle(node.op, node.attributes, node.inputs.map(dtype), node.outputs.map(dtype));
    return reason === undefined ? [] : [{ name: node.name, text: `node "${node.name}" (${node.op}): ${reason}` }];
  });
  if (refused.length === 0) return;
  const message = `the model cannot run: ${refused.map(({ text }) => text).join('; ')}`;
  throw new EngineError('E_UNSUPPORTED', 'load', message, { where: refused[0]!.name });
}

/**
 * Turns one node into native row-major steps for concrete shapes, or into another name for its input.
 *
 * `x` and `y` follow the node's inputs and outputs, undefined for absent ones. The node has passed shape inference with these dims.
 *
 * @throws {EngineError} E_UNSUPPORTED no kernel for the operator or its dtypes, or it needs elements that only a run makes known.
 */
export function lowerGeneric(
  node: Node,
  x: readonly (ConcreteValue | undefined)[],
  y: readonly (ConcreteValue | undefined)[],
): GenericLowering {
  const builder = new GenericBuilder(node, x, y);
  const dtypes = (values: readonly (ConcreteValue | undefined)[]) => values.map((value) => value?.dtype);
  const obstacle = genericObstacle(node.op, node.attributes, dtypes(x), dtypes(y));
  if (obstacle) builder.fail('E_UNSUPPORTED', obstacle);
  ruleOf(node.op)!.lower(builder);
  return builder.finish();
}
