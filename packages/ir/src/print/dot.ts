import type { Graph } from '../graph';
import { printable } from './escape';
import { type Box, drawPicture, type PictureOptions } from './picture';

/** A graph in Graphviz's language: `dot -Tsvg` draws it. Equal layers are drawn once. */
export function printDot(graph: Graph, options: PictureOptions = {}): string {
  const { boxes, arrows, group } = drawPicture(graph, options);
  const box = ({ id, kind, lines }: Box): string =>
    `${id} [label=${quote(lines)}${kind === 'node' ? '' : ', style="rounded,filled", fillcolor="#e8e8e8"'}];`;
  const out = [
    `digraph ${quote([printable(graph.name)])} {`,
    '  node [shape=box, style=rounded, fontname="Helvetica", fontsize=11];',
    '  edge [fontname="Helvetica", fontsize=9];',
  ];
  for (const item of boxes) if (!group?.boxes.has(item.id)) out.push(`  ${box(item)}`);
  if (group) {
    out.push('  subgraph cluster_layers {', `    label=${quote([group.title])}; style=dashed;`);
    for (const item of boxes) if (group.boxes.has(item.id)) out.push(`    ${box(item)}`);
    out.push('  }');
  }
  for (const { from, to, label } of arrows) out.push(`  ${from} -> ${to}${label ? ` [label=${quote([label])}]` : ''};`);
  return `${out.join('\n')}\n}\n`;
}

/** A quoted string; `\n` between its lines is dot's own escape. */
const quote = (lines: readonly string[]): string => `"${lines.map((line) => line.replace(/["\\]/g, (char) => `\\${char}`)).join('\\n')}"`;
