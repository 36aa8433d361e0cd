import { EngineError } from '@neural-engine/core';

/** One node that the engine cannot compute. */
export interface UnsupportedNode {
  readonly name: string;
  /** With the domain in front where it is not ONNX's own. */
  readonly op: string;
  readonly opset: number;
  readonly reason: string;
}

const NAMES_SHOWN = 20;
const GROUPS_SHOWN = 50;

/** E_UNSUPPORTED that lists all nodes of a model that cannot be imported, not only the first. */
export class UnsupportedModelError extends EngineError {
  constructor(readonly nodes: readonly UnsupportedNode[]) {
    super('E_UNSUPPORTED', 'import', describe(nodes), { where: nodes[0]?.name ?? 'model' });
  }
}

function describe(nodes: readonly UnsupportedNode[]): string {
  const groups = new Map<string, UnsupportedNode[]>();
  for (const node of nodes) {
    const key = `${node.op}\n${node.opset}\n${node.reason}`;
    const group = groups.get(key);
    if (group) group.push(node);
    else groups.set(key, [node]);
  }
  const lines = [...groups.values()].map((group) => {
    const { op, opset, reason } = group[0]!;
    return `${op} (opset ${opset}): ${reason}; ${group.length === 1 ? 'node' : `${group.length} nodes`} ${shorten(
      group.map(({ name }) => `"${name}"`),
      NAMES_SHOWN,
    )}`;
  });
  return `${nodes.length === 1 ? '1 node is' : `${nodes.length} nodes are`} not supported: ${shorten(lines, GROUPS_SHOWN, '. ')}`;
}

const shorten = (items: string[], most: number, joint = ', '): string =>
  items.length <= most ? items.join(joint) : `${items.slice(0, most).join(joint)}${joint}and ${items.length - most} more`;
