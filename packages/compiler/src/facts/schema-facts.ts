import { type AttributeValue, type Node, schemaOf } from '@neural-engine/ir';

/** An attribute of a node, or the operator's default where the node leaves it out. */
export const attributeOf = (node: Node, name: string): AttributeValue | undefined =>
  node.attributes[name] ?? schemaOf(node.op)?.attributes[name]?.default;

/** Whether the first two operands may be exchanged. */
export const isCommutative = (op: string): boolean => schemaOf(op)?.commutative === true;
