import { EngineError, LIMITS } from '@neural-engine/core';
import type { OnnxAttribute, OnnxFunction, OnnxModel, OnnxNode } from '@neural-engine/onnx';

/** All nodes that function calls may expand to: calls of calls double, and a small file must not fill the memory. */
export const MAX_INLINED_NODES = 50_000;

const keyOf = (domain: string, name: string, overload = ''): string => `${domain}\n${name}\n${overload}`;

/** The functions that a model defines for itself, by the nodes that call them. */
export class FunctionTable {
  private readonly functions = new Map<string, OnnxFunction>();
  private readonly open: OnnxFunction[] = [];
  private inlined = 0;

  constructor(model: OnnxModel) {
    for (const found of model.functions) this.functions.set(keyOf(found.domain, found.name, found.overload), found);
  }

  find(node: OnnxNode): OnnxFunction | undefined {
    return this.functions.get(keyOf(node.domain, node.opType, node.overload));
  }

  /** Counts a node. @throws {EngineError} E_LIMIT the open calls have expanded to too many. */
  count(): void {
    const called = this.open.at(-1);
    if (called && ++this.inlined > MAX_INLINED_NODES) {
      throw new EngineError('E_LIMIT', 'import', `function "${called.name}": calls expand to more than ${MAX_INLINED_NODES} nodes`, {
        where: called.name,
      });
    }
  }

  /**
   * Runs `body` while `called` is open.
   * @throws {EngineError} E_MODEL a function calls itself; E_LIMIT calls nest too deep.
   */
  enter(called: OnnxFunction, body: () => void): void {
    const label = `function "${called.domain}::${called.name}"`;
    if (this.open.includes(called)) throw new EngineError('E_MODEL', 'import', `${label} calls itself`, { where: called.name });
    if (this.open.length >= LIMITS.nesting) {
      throw new EngineError('E_LIMIT', 'import', `${label}: calls nest deeper than ${LIMITS.nesting}`, { where: called.name });
    }
    this.open.push(called);
    try {
      body();
    } finally {
      this.open.pop();
    }
  }
}

/**
 * A node of a function body with the call's attributes put in for its references.
 * @throws {EngineError} E_MODEL the call gives an attribute of another type.
 */
export function bindAttributes(node: OnnxNode, called: OnnxFunction, call: OnnxNode): OnnxNode {
  const attributes = new Map<string, OnnxAttribute>();
  for (const [name, value] of node.attributes) {
    if (value.type !== 'reference') {
      attributes.set(name, value);
      continue;
    }
    const given = call.attributes.get(value.value) ?? called.defaults.get(value.value);
    if (!given) continue;
    if (given.type !== value.of) {
      throw new EngineError(
        'E_MODEL',
        'import',
        `function "${called.name}": attribute "${value.value}" is of type ${given.type}, not ${value.of}`,
        {
          where: called.name,
        },
      );
    }
    attributes.set(name, given);
  }
  return { ...node, attributes };
}
