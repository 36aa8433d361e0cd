import type { Graph, Node } from '@neural-engine/ir';
import type { Calibration } from './calibrate';
import { preActivation } from './calibration-graph';
import { balancedName, outliersName, restName } from './channels/views';
import type { Histogram, Range } from './histogram';
import type { Recipe } from './recipe';
import { select } from './select';
import type { LayerSensitivity, Sensitivity } from './sensitivity';
import { clippedShare, valueSnr } from './value-noise';
import type { ValueRange } from './value-range';

/** One value that a layer reads or makes in 8 bits. */
export interface ValueReport {
  /** What it is to the layer: `input`, `before activation`, `queries`, `keys`, `values` or `output`. */
  readonly role: string;
  readonly name: string;
  readonly histogram: Histogram;
  /** The range that its codes span. */
  readonly cut: Range;
  /** Signal to noise of its 8-bit form in dB. */
  readonly snr: number;
  /** Share of its elements beyond the range. */
  readonly clipped: number;
}

export interface LayerReport extends LayerSensitivity {
  readonly values: readonly ValueReport[];
}

/** Each layer in the order of the graph, with its values and what it costs. */
export function layerReports(graph: Graph, calibration: Calibration, sensitivity: Sensitivity, recipe: Recipe = {}): LayerReport[] {
  const { products, attentions } = select(graph, recipe);
  const costs = new Map(sensitivity.layers.map((layer) => [layer.layer, layer]));
  return graph.nodes
    .filter((node) => products.has(node) || attentions.has(node))
    .map((node) => ({
      ...costs.get(node.name)!,
      values: rolesOf(node)
        .flatMap(([role, name]) => formsOf(role, name, calibration.ranges.get(name)))
        .flatMap(({ role, name, cut }) => {
          const histogram = calibration.histograms.get(name);
          return histogram ? [{ role, name, histogram, cut, snr: valueSnr(histogram, cut), clipped: clippedShare(histogram, cut) }] : [];
        }),
    }));
}

/** What of a value is coded: all of it, all of it balanced, or some channels and the others. */
function formsOf(role: string, name: string, range: ValueRange | undefined): { role: string; name: string; cut: Range }[] {
  if (!range) return [];
  const { balanced, parts } = range;
  if (balanced) return [{ role: `${role}, balanced`, name: balancedName(name), cut: balanced.range }];
  if (!parts) return [{ role, name, cut: range }];
  return [
    { role, name: restName(name), cut: parts.rest },
    { role: `${role}, ${parts.channels.length} channels apart`, name: outliersName(name), cut: parts.outliers },
  ];
}

function rolesOf(node: Node): [role: string, name: string][] {
  if (node.op === 'Attention')
    return [
      ['queries', node.inputs[0]!],
      ['keys', node.inputs[1]!],
      ['values', node.inputs[2]!],
      ['output', node.outputs[0]!],
    ];
  return [
    ['input', node.inputs[0]!],
    ['before activation', preActivation(node.name)],
  ];
}
