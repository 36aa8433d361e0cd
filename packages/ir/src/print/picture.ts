import { formatShape } from '@neural-engine/core';
import type { Graph, Node } from '../graph';
import { printable, shapeText, typeText } from './escape';
import { findRepeat, type Repeat } from './repeats';
import { attributeTexts } from './text';

/** A graph as boxes and arrows, before any drawing language. */
export interface Picture {
  readonly boxes: readonly Box[];
  readonly arrows: readonly Arrow[];
  /** Boxes that stand for several equal layers. */
  readonly group: { readonly title: string; readonly boxes: ReadonlySet<string> } | undefined;
}

export interface Box {
  readonly id: string;
  readonly kind: 'input' | 'node' | 'output';
  /** Lines of text, safe to print but not yet escaped for a drawing language. */
  readonly lines: readonly string[];
}

export interface Arrow {
  readonly from: string;
  readonly to: string;
  readonly label: string;
}

export interface PictureOptions {
  /** Draw equal consecutive layers once. On by default. */
  readonly collapse?: boolean;
  /** Write shapes on the arrows. On by default. */
  readonly shapes?: boolean;
}

/** Lays out a graph; constants appear as text in the boxes that read them. */
export function drawPicture(graph: Graph, { collapse = true, shapes = true }: PictureOptions = {}): Picture {
  const nodes = hoisted(graph);
  const repeat = collapse ? findRepeat(graph, nodes) : undefined;
  const boxes: Box[] = [];
  const arrows = new Map<string, Arrow>();
  /** The box that makes each value, and the layer it belongs to. */
  const makers = new Map<string, { id: string; layer: number }>();
  for (const [i, name] of graph.inputs.entries()) {
    boxes.push({ id: `i${i}`, kind: 'input', lines: [printable(name), typeText(graph.value(name))] });
    makers.set(name, { id: `i${i}`, layer: -1 });
  }
  const connect = (name: string, to: string, layer: number): void => {
    const from = makers.get(name);
    // What one layer hands to the next is said by the group; as an arrow it would point backwards.
    if (!from || (from.layer >= 0 && layer >= 0 && from.layer !== layer)) return;
    arrows.set(`${from.id} ${to} ${name}`, { from: from.id, to, label: shapes ? shapeText(graph.value(name).shape) : '' });
  };
  const grouped = new Set<string>();
  for (const [index, node] of nodes.entries()) {
    const { at, layer } = placeOf(index, repeat);
    const id = `n${at}`;
    if (layer <= 0) boxes.push({ id, kind: 'node', lines: nodeLines(graph, node) });
    if (layer === 0) grouped.add(id);
    // The first layer shows the arrows of all; later ones add none of their own.
    if (layer <= 0) for (const name of node.inputs) connect(name, id, layer);
    for (const name of node.outputs) if (name) makers.set(name, { id, layer });
  }
  for (const [i, name] of graph.outputs.entries()) {
    boxes.push({ id: `o${i}`, kind: 'output', lines: [printable(name), typeText(graph.value(name))] });
    connect(name, `o${i}`, -1);
  }
  const group = repeat && { title: `${repeat.count} equal layers`, boxes: grouped };
  return { boxes, arrows: [...arrows.values()], group };
}

/**
 * The nodes in an order that keeps equal layers together: those that read graph inputs alone, such as the mask, come first, and not
 * inside of the layer that happens to use them first.
 */
function hoisted(graph: Graph): readonly Node[] {
  const inputs = new Set(graph.inputs);
  const early = (node: Node): boolean => node.inputs.every((name) => name === '' || inputs.has(name) || graph.constant(name) !== undefined);
  return [...graph.nodes.filter(early), ...graph.nodes.filter((node) => !early(node))];
}

/** The node that stands for node `index`, and its layer; −1 outside of the repeated part. */
function placeOf(index: number, repeat: Repeat | undefined): { at: number; layer: number } {
  if (!repeat || index < repeat.start || index >= repeat.start + repeat.length * repeat.count) return { at: index, layer: -1 };
  const offset = index - repeat.start;
  return { at: repeat.start + (offset % repeat.length), layer: Math.floor(offset / repeat.length) };
}

function nodeLines(graph: Graph, node: Node): string[] {
  const constants = node.inputs.flatMap((name) => {
    const constant = graph.constant(name);
    return constant && constant.data.length > 1 ? [`${constant.dtype} ${formatShape(constant.dims)}`] : [];
  });
  const details = [...attributeTexts(node), ...constants];
  return [printable(node.op), ...(details.length > 0 ? [details.slice(0, 4).join(' · ') + (details.length > 4 ? ' · …' : '')] : [])];
}
