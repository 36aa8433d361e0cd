import type { Graph } from '../graph';
import { type Box, drawPicture, type PictureOptions } from './picture';

const SHAPES: Readonly<Record<Box['kind'], readonly [string, string]>> = { input: ['([', '])'], node: ['[', ']'], output: ['([', '])'] };

/** A graph as a Mermaid flowchart, which Markdown viewers draw. Equal layers are drawn once. */
export function printMermaid(graph: Graph, options: PictureOptions = {}): string {
  const { boxes, arrows, group } = drawPicture(graph, options);
  const box = ({ id, kind, lines }: Box): string => `${id}${SHAPES[kind][0]}"${lines.map(entities).join('<br/>')}"${SHAPES[kind][1]}`;
  const out = ['flowchart TD'];
  for (const item of boxes) if (!group?.boxes.has(item.id)) out.push(`  ${box(item)}`);
  if (group) {
    out.push(`  subgraph layers["${entities(group.title)}"]`);
    for (const item of boxes) if (group.boxes.has(item.id)) out.push(`    ${box(item)}`);
    out.push('  end');
  }
  for (const { from, to, label } of arrows) out.push(label ? `  ${from} -- "${entities(label)}" --> ${to}` : `  ${from} --> ${to}`);
  return `${out.join('\n')}\n`;
}

/** Mermaid's entities for what its quoted text and the HTML it makes of it would not take literally. */
const ENTITIES: Readonly<Record<string, string>> = {
  '"': '#quot;',
  '#': '#35;',
  '<': '#lt;',
  '>': '#gt;',
  '&': '#amp;',
  '`': '#96;',
  '\\': '#92;',
};

const entities = (text: string): string => text.replace(/["#<>&`\\]/g, (char) => ENTITIES[char]!);
