import { EngineError, type Tensor } from '@neural-engine/core';
import type { Graph, Node } from '@neural-engine/ir';
import type { Code, WeightSpec } from '@neural-engine/kernels';
import type { DecideOptions } from '@neural-engine/sparsity';
import { checkGeneric } from '../lower/generic';
import { lowerAttention } from './attention';
import { isHalfOnly, narrowInput } from './bf16-inputs';
import { codeOf, rangeInput } from './codes';
import { findComponents, panelInputs, unlikeMasks } from './components';
import { decompose } from './decompose';
import { dropReorders } from './drop-reorders';
import { quantizeTable, withFirstRow } from './embedding-table';
import { fuseQuantize } from './fuse-quantize';
import { lowerInnerProduct } from './inner-product';
import { joinNorms } from './join-norms';
import type { PanelOp, PanelValue, Prepared, PreparedNode, WeightChoice } from './prepared';
import { isQuery, PANEL_ACTIVATIONS, selectPanelNodes } from './select-panels';
import type { TimeFormats } from './time-formats';
import { WeightSpecs } from './weight-specs';

export interface PrepareOptions {
  readonly sparse?: DecideOptions;
  /** How embedding tables are packed. Default `f32`. */
  readonly embeddings?: 'f32' | 'int8';
  /** Measures 8-bit forms between which the cost model sees a tie. Without it nothing is measured. */
  readonly time?: TimeFormats;
}

/** Constants up to this size stay with the graph: shape arithmetic reads them while planning. */
const INLINE_ELEMENTS = 64;

/**
 * Decides, once per model, which nodes run as panel steps and with which weights.
 *
 * @throws {EngineError} E_QUANT, E_UNSUPPORTED a quantised node lacks a constant range, or mixes dtypes no kernel has; E_USAGE embeddings in
 * a form that there is not.
 */
export function prepare(source: Graph, options: PrepareOptions = {}): { prepared: Prepared; weights: WeightSpec[] } {
  const { embeddings = 'f32' } = options;
  if (embeddings !== 'f32' && embeddings !== 'int8')
    throw new EngineError('E_USAGE', 'usage', `embeddings: expected "f32" or "int8", got ${JSON.stringify(embeddings)}`, {
      where: 'embeddings',
    });
  const graph = source.clone();
  dropReorders(graph);
  decompose(graph);
  let panel = selectPanelNodes(graph);
  for (let unlike = unlikeMasks(graph, panel); unlike.size > 0; unlike = unlikeMasks(graph, panel)) {
    decompose(graph, unlike);
    panel = selectPanelNodes(graph);
  }
  const maskUse = new Set(
    [...panel]
      .filter((node) => node.op === 'Attention')
      .map((node) => node.inputs[3])
      .filter(Boolean),
  );
  const generic = graph.nodes.filter((node) => !panel.has(node) && !(node.op === 'PaddingMask' && maskUse.has(node.outputs[0]!)));
  checkGeneric(graph, generic);

  const { components, of } = findComponents(graph, panel);
  const weights = new WeightSpecs();
  const panels = new Map<string, PanelValue>();
  const choices: WeightChoice[] = [];
  const consumers = graph.consumers();
  const nodes: PreparedNode[] = [];
  const genericSet = new Set(generic);
  for (const node of graph.nodes) {
    if (genericSet.has(node)) {
      nodes.push({
        kind: 'generic',
        name: node.name,
        node,
        reads: node.inputs.filter((name) => name && !graph.constant(name)),
        writes: node.outputs.filter(Boolean),
      });
      continue;
    }
    if (!panel.has(node)) continue;
    const component = of.get(node)!;
    const lowered = lowerPanelNode(graph, node, weights, options, consumers, choices);
    const { op, narrow } = narrowInput(lowered, component, panels, graph);
    if (narrow) nodes.push(narrow);
    const place = (name: string, dtype: PanelValue['dtype']): void => {
      const shape = graph.value(name).shape;
      const features = shape?.[shape.length - 1];
      if (typeof features !== 'number')
        throw new EngineError('E_SHAPE', 'load', `the last dimension of "${name}" must be known to run as panels`, { where: node.name });
      panels.set(name, { features, dtype, component });
    };
    const half = isRounded(node) || isHalfOnly(graph, node, consumers, panel);
    for (const output of node.outputs.filter(Boolean)) {
      const dtype = outputDtype(graph, output, op);
      place(output, half && dtype === 'f32' ? 'bf16' : dtype);
    }
    const extra = op.op === 'embed' ? [op.ids, op.types] : [];
    const inputs = op.op === 'linear_bf16' ? [op.x, op.residual] : panelInputs(node);
    const reads = [...inputs, ...extra].filter((name): name is string => Boolean(name));
    nodes.push({ kind: 'panel', name: node.name, component, op, reads, writes: node.outputs.filter(Boolean) });
  }

  const tensors = new Map<string, number>();
  for (const node of generic) {
    for (const input of node.inputs) {
      const constant = graph.constant(input);
      if (constant) tensors.set(input, weights.tensor(constant));
    }
  }
  for (const output of graph.outputs) {
    const constant = graph.constant(output);
    if (constant) tensors.set(output, weights.tensor(constant));
  }
  for (const value of graph.values.values()) {
    if (value.constant && (value.constant.data.length > INLINE_ELEMENTS || panelOnly(value.name, consumers, panel))) delete value.constant;
  }
  const joined = fuseQuantize(joinNorms(nodes, panels, weights, graph.outputs));
  const tables: Prepared['tables'] = new Map(
    weights.list.flatMap((spec, i) => (spec.kind === 'tensor' ? [[i, { dtype: spec.dtype, dims: spec.dims }] as const] : [])),
  );
  return { prepared: { graph, nodes: joined, panels, components, tensors, tables, choices }, weights: weights.list };
}

const panelOnly = (name: string, consumers: ReadonlyMap<string, Node[]>, panel: ReadonlySet<Node>): boolean =>
  (consumers.get(name) ?? []).every((node) => panel.has(node));

function outputDtype(graph: Graph, output: string, op: PanelOp): PanelValue['dtype'] {
  if ((op.op === 'linear_i8' || op.op === 'quantize') && op.unsigned) return 'u8';
  const { dtype } = graph.value(output);
  return dtype === 'u8' || dtype === 's8' ? dtype : 'f32';
}

/** Whether a node rounds its f32 result to bf16, so that nothing is lost where it is kept as that. */
const isRounded = (node: Node): boolean => node.attributes['rounding'] === 'bf16';

function lowerPanelNode(
  graph: Graph,
  node: Node,
  weights: WeightSpecs,
  options: PrepareOptions,
  consumers: ReadonlyMap<string, Node[]>,
  choices: WeightChoice[],
): PanelOp {
  const [x, second, third] = node.inputs as [string, string | undefined, string | undefined];
  const y = node.outputs[0]!;
  const tensor = (name: string | undefined): number | null => (name ? weights.tensor(graph.constant(name)!) : null);
  const table = (name: string | undefined, first?: Tensor): number | null => {
    const found = name ? graph.constant(name)! : undefined;
    if (!found) return null;
    const constant = first ? withFirstRow(found, first) : found;
    return weights.tensor(options.embeddings === 'int8' && constant.dtype === 'f32' ? quantizeTable(constant) : constant);
  };
  const code = (dtype: 'u8' | 's8'): Code => {
    const { min, max } = rangeInput(graph, node, 1, 'the value');
    return codeOf(dtype, min, max);
  };
  switch (node.op) {
    case 'Embeddings': {
      const types = node.inputs[3] || null;
      // Without types every token has row 0 of their table, which another table takes in.
      const first = types === null ? graph.constant(node.inputs[4]) : undefined;
      return {
        op: 'embed',
        ids: x,
        word: table(second, third ? undefined : first)!,
        position: table(third, first),
        types,
        typeTable: types === null ? null : table(node.inputs[4]),
        y,
      };
    }
    case 'InnerProduct': {
      const { op, choice } = lowerInnerProduct(graph, node, weights, options, isQuery(graph, y, consumers));
      choices.push(choice);
      return op;
    }
    case 'LayerNorm':
      return {
        op: 'layer_norm',
        x,
        y,
        gamma: tensor(second)!,
        beta: tensor(third)!,
        epsilon: (node.attributes['epsilon'] as number) ?? 1e-5,
        quantized: null,
        code: null,
        multipliers: null,
      };
    case 'Attention':
      return lowerAttention(graph, node);
    case 'Quantize': {
      const plain = code(node.attributes['dtype'] as 'u8' | 's8');
      const unsigned = isQuery(graph, y, consumers);
      return { op: 'quantize', x, y, code: unsigned ? { ...plain, zero: plain.zero + 128 } : plain, unsigned };
    }
    case 'DynamicQuantize': {
      const [, step, zero] = node.outputs;
      if (!step || !zero)
        throw new EngineError('E_QUANT', 'load', `node "${node.name}" (DynamicQuantize): its step or zero point has no name`, {
          where: node.name,
        });
      return { op: 'quantize_tokens', x, y, step, zero, form: node.attributes['symmetric'] === true ? 'symmetric' : 'asymmetric' };
    }
    case 'Dequantize':
      return { op: 'dequantize', x, y, code: code(graph.value(x).dtype as 'u8' | 's8'), bias: tensor(node.inputs[3]) };
    case 'Gelu':
      return { op: 'activate', x, y, act: node.attributes['approximate'] === 'tanh' ? 'gelu_tanh' : 'gelu_erf' };
    case 'Add':
      return { op: 'add', a: x, b: second!, y };
    default:
      return { op: 'activate', x, y, act: PANEL_ACTIVATIONS[node.op]! };
  }
}
