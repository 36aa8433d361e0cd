import type { Graph, Node } from '@neural-engine/ir';
import { KnownValues } from '../facts/known-values';
import { type MaskFact, MaskTrace } from '../facts/mask-trace';
import { sameShape } from '../facts/shape-facts';
import { scalarValue } from '../facts/tensor-facts';
import { GraphIndex, type Pass, type PassContext } from '../rewrite';

/** The lowest f32. As a mask it does what −∞ does, except that a row without any token attends to all keys alike instead of being NaN. */
const LOWEST = -3.4028234663852886e38;

/** A fill this low swallows any score it is added to, so that adding it equals putting it in the score's place. */
const SWALLOWS = -1e30;

/**
 * The arithmetic from a token mask [B, S] to what is added to attention scores  →  PaddingMask.
 *
 * Recognises by what it computes, not by how it is spelled: a value that is 0 where the mask is 1 and negative where it is 0, laid out as
 * [B, 1, 1, S], is a padding mask, be it (1 − mask) · min, Where(mask, 0, min), or a gather of the mask by counted positions. Where(mask,
 * min, scores) becomes scores + PaddingMask. Integer masks are taken to hold 0 and 1.
 */
export const fusePaddingMask: Pass = {
  name: 'fuse-padding-mask',
  summary: 'the arithmetic that turns a token mask into an additive score mask becomes PaddingMask',
  run: (graph, context) => {
    if (!graph.nodes.some((node) => node.op === 'Softmax')) return graph;
    return new MaskFusion(graph, context).run();
  },
};

class MaskFusion {
  private readonly graph: Graph;
  private readonly index: GraphIndex;
  private readonly trace: MaskTrace;
  /** PaddingMask results by mask and fill. */
  private readonly made = new Map<string, string>();
  private readonly nodes: Node[] = [];

  constructor(
    private readonly source: Graph,
    private readonly context: PassContext,
  ) {
    this.graph = source.clone();
    this.index = new GraphIndex(this.graph);
    this.trace = new MaskTrace(source, source.producers(), new KnownValues(source));
  }

  run(): Graph {
    for (const node of this.graph.nodes) {
      if (!this.index.isDead(node)) {
        if (node.op === 'Add') this.visitSum(node);
        else if (node.op === 'Where') this.visitFill(node);
      }
      this.nodes.push(node);
    }
    if (this.context.log.hits === 0) return this.source;
    this.graph.nodes = this.nodes;
    this.index.prune();
    return this.graph;
  }

  /** scores + mask */
  private visitSum(node: Node): void {
    const [a, b] = node.inputs as [string, string];
    for (const [mask, scores] of [
      [a, b],
      [b, a],
    ] as const) {
      const fact = this.trace.of(mask);
      if (!fact || !this.isScoreMask(mask, scores)) continue;
      const obstacle = this.layoutObstacle(fact, scores, node);
      if (obstacle) {
        this.context.log.declined(node, obstacle);
        continue;
      }
      if (fact.one !== 0 || !(fact.zero < 0)) {
        this.context.log.declined(node, `the mask adds ${fact.one} to tokens and ${fact.zero} to padding`);
        continue;
      }
      this.replace(node, [scores, this.paddingMask(fact, fact.zero, node)]);
      return;
    }
  }

  /** Where(mask, fill, scores) and Where(mask, scores, fill) */
  private visitFill(node: Node): void {
    const [condition, yes, no] = node.inputs as [string, string, string];
    const fact = this.trace.of(condition);
    if (!fact || !this.feedsSoftmax(node)) return;
    const yesFill = scalarValue(this.graph.constant(yes));
    const noFill = scalarValue(this.graph.constant(no));
    const fill = yesFill ?? noFill;
    const scores = yesFill === undefined ? yes : no;
    if (fill === undefined || this.graph.constant(scores)) return;
    const fillsPadding = yesFill === undefined ? fact.zero === 0 && fact.one !== 0 : fact.zero !== 0 && fact.one === 0;
    const obstacle = !fillsPadding
      ? 'the condition does not choose the padding'
      : !(fill <= SWALLOWS)
        ? `a fill of ${fill} is not low enough to be added instead`
        : this.layoutObstacle(fact, scores, node);
    if (obstacle) {
      this.context.log.declined(node, obstacle);
      return;
    }
    const mask = this.paddingMask(fact, fill, node);
    (node as { op: string }).op = 'Add';
    node.attributes = {};
    this.replace(node, [scores, mask]);
  }

  private layoutObstacle(fact: MaskFact, scores: string, node: Node): string | undefined {
    const source = this.graph.value(fact.source);
    const [batch, sequence] = source.shape!;
    if (!sameShape(fact.shape, [batch!, 1, 1, sequence!])) return 'the mask is not laid out as [batch, 1, 1, sequence]';
    const shape = this.graph.value(scores).shape;
    if (shape?.length !== 4 || !sameShape(shape, this.graph.value(node.outputs[0]!).shape))
      return 'the scores do not have the full shape themselves';
    if (shape[0] !== batch || shape[3] !== sequence) return 'batch and keys of the scores are not those of the mask';
    if (source.dtype === 'f32' && fact.exactness !== 'nonzero') return 'a float mask may hold values between 0 and 1';
    return undefined;
  }

  private paddingMask(fact: MaskFact, fill: number, before: Node): string {
    const value = Math.max(fill, LOWEST);
    const key = `${value}\n${fact.source}`;
    const found = this.made.get(key);
    if (found) return found;
    const [batch, sequence] = this.graph.value(fact.source).shape!;
    const name = this.graph.addValue({
      name: this.graph.freeName(`${fact.source}/padding_mask`),
      dtype: 'f32',
      shape: [batch!, 1, 1, sequence!],
    }).name;
    const node: Node = {
      name: this.index.freeNodeName(`${before.name}/padding_mask`),
      op: 'PaddingMask',
      inputs: [fact.source],
      outputs: [name],
      attributes: { value },
    };
    this.index.add(node);
    this.nodes.push(node);
    this.made.set(key, name);
    return name;
  }

  /** Whether a sum is one of scores and a mask, and not of two masks or of anything of another rank. */
  private isScoreMask(mask: string, scores: string): boolean {
    if (this.graph.value(mask).dtype !== 'f32' || this.graph.value(scores).shape?.length !== 4) return false;
    return this.index.producer(mask)?.op !== 'PaddingMask' && this.trace.of(scores) === undefined;
  }

  private feedsSoftmax(node: Node): boolean {
    return this.index.readersOf(node.outputs[0]!).some((reader) => reader.op === 'Softmax');
  }

  private replace(node: Node, inputs: string[]): void {
    this.index.setInputs(node, inputs);
    this.context.log.hit(node, [node]);
  }
}
