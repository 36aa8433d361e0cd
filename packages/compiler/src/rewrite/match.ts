import type { Tensor } from '@neural-engine/core';
import type { Node } from '@neural-engine/ir';
import { attributeOf, isCommutative } from '../facts/schema-facts';
import { sameAttribute, scalarValue } from '../facts/tensor-facts';
import type { GraphIndex } from './graph-index';
import { type AnyPattern, AsPattern, ConstantPattern, OneOfPattern, OpPattern, ScalarPattern, ValuePattern } from './pattern';

/** One way in which a pattern fits: the captured value names and the nodes it covers, the root first. */
export interface Match {
  readonly captures: ReadonlyMap<string, string>;
  readonly nodes: readonly Node[];
  /** Covered nodes that may have readers outside. */
  readonly shared: ReadonlySet<Node>;
}

/** Five digits: exporters write √2 as 1.41421, which moves a GELU by less than one f32 step of its input. */
const SCALAR_TOLERANCE = 1e-5;

/**
 * Tries the ways in which `pattern` fits the value `name`, until `accept` takes one.
 *
 * @returns whether one was taken.
 */
export function findMatch(pattern: AnyPattern, name: string, index: GraphIndex, accept: (match: Match) => boolean): boolean {
  return new Matcher(index, accept).run(pattern, name);
}

/** Backtracking in continuation style: `then` is the rest of the match, and false means "try another way". */
class Matcher {
  private readonly captures = new Map<string, string>();
  private readonly nodes: Node[] = [];
  private readonly shared = new Set<Node>();

  constructor(
    private readonly index: GraphIndex,
    private readonly accept: (match: Match) => boolean,
  ) {}

  run(pattern: AnyPattern, name: string): boolean {
    return this.match(pattern, name, () => this.accept({ captures: this.captures, nodes: this.nodes, shared: this.shared }));
  }

  private match(pattern: AnyPattern, name: string, then: () => boolean): boolean {
    if (pattern instanceof OpPattern) return this.matchOp(pattern, name, then);
    if (pattern instanceof ValuePattern) return name !== '' && this.capture(pattern.name, name, then);
    if (pattern instanceof AsPattern) return this.match(pattern.inner, name, () => this.capture(pattern.name, name, then));
    if (pattern instanceof OneOfPattern) return pattern.alternatives.some((alternative) => this.match(alternative, name, then));
    if (pattern instanceof ConstantPattern) return this.constant(name) !== undefined && this.capture(pattern.name, name, then);
    if (pattern instanceof ScalarPattern) return this.matchScalar(pattern, name, then);
    return false;
  }

  private matchOp(pattern: OpPattern<string, string>, name: string, then: () => boolean): boolean {
    const node = this.index.producer(name);
    if (!node || node.outputs[0] !== name || !pattern.types.includes(node.op)) return false;
    for (const [key, want] of Object.entries(pattern.attributes)) {
      if (!sameAttribute(attributeOf(node, key), want)) return false;
    }
    const isNew = !this.nodes.includes(node);
    const wasShared = this.shared.has(node);
    if (isNew) this.nodes.push(node);
    if (pattern.isShared && isNew) this.shared.add(node);
    if (!pattern.isShared) this.shared.delete(node);
    const matched = pattern.inputs ? this.matchInputs(pattern.inputs, node, then) : then();
    if (!matched) {
      if (isNew) this.nodes.pop();
      if (wasShared) this.shared.add(node);
      else this.shared.delete(node);
    }
    return matched;
  }

  private matchInputs(patterns: readonly AnyPattern[], node: Node, then: () => boolean): boolean {
    let count = node.inputs.length;
    while (count > 0 && node.inputs[count - 1] === '') count--;
    if (count !== patterns.length) return false;
    const from = (i: number, inputs: readonly string[]): boolean =>
      i === patterns.length ? then() : this.match(patterns[i]!, inputs[i]!, () => from(i + 1, inputs));
    if (from(0, node.inputs)) return true;
    if (count < 2 || !isCommutative(node.op) || node.inputs[0] === node.inputs[1]) return false;
    return from(0, [node.inputs[1]!, node.inputs[0]!, ...node.inputs.slice(2)]);
  }

  private matchScalar(pattern: ScalarPattern<string>, name: string, then: () => boolean): boolean {
    const found = scalarValue(this.constant(name));
    if (found === undefined) return false;
    if (typeof pattern.want === 'string') return this.capture(pattern.want, name, then);
    return Math.abs(found - pattern.want) <= SCALAR_TOLERANCE * Math.abs(pattern.want) && then();
  }

  private capture(name: string, value: string, then: () => boolean): boolean {
    const bound = this.captures.get(name);
    if (bound !== undefined) return this.isSame(bound, value) && then();
    this.captures.set(name, value);
    const matched = then();
    if (!matched) this.captures.delete(name);
    return matched;
  }

  private isSame(a: string, b: string): boolean {
    if (a === b) return true;
    const left = this.constant(a);
    const right = this.constant(b);
    return left !== undefined && right !== undefined && sameAttribute(left, right);
  }

  private constant(name: string): Tensor | undefined {
    return this.index.graph.constant(name);
  }
}
