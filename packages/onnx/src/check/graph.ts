import { LIMITS, type Limits } from '@neural-engine/core';
import { describeNode } from '../decode/node';
import { fail, quote } from '../errors';
import type { Place } from '../place';
import type { OnnxAttribute, OnnxGraph, OnnxNode, OnnxValueInfo } from '../types';
import { whyUndefined } from './order';
import { checkQuantization } from './quantization';
import { Scope } from './scope';
import { checkSparseTensor, checkTensor } from './tensors';

/** What holds for all graphs of a model or function. */
export interface CheckContext {
  opsets: ReadonlyMap<string, number>;
  limits: Pick<Limits, 'nesting'>;
  /** Attributes that a function body may refer to; undefined outside of functions. */
  functionAttributes?: ReadonlySet<string>;
}

/** The limits that a check obeys where the caller names none. */
export const DEFAULT_CHECK_LIMITS: Pick<Limits, 'nesting'> = LIMITS;

function define(name: string, what: string, scope: Scope, where: Place): void {
  if (name === '') fail('E_MODEL', 'check', where, `${what} has no name`);
  if (scope.has(name)) fail('E_MODEL', 'check', where, `${what} ${quote(name)} is already the name of another value`);
  scope.names.add(name);
}

/**
 * A subgraph's input may take over a name from outside, as exporters and ONNX's own checker have it, but not that of an
 * initializer: a reader could not tell which of the two is meant.
 */
function defineInput(name: string, scope: Scope, where: Place): void {
  if (scope.outerInitializer(name)) fail('E_MODEL', 'check', where, `input ${quote(name)} shadows an initializer of the graph around it`);
  if (name !== '' && !scope.names.has(name)) scope.names.add(name);
  else define(name, 'input', scope, where);
}

/** An initializer may be the default of an input, if the input agrees with it. */
function checkDefault(graph: OnnxGraph, input: OnnxValueInfo, outer: Place): void {
  const tensor = graph.initializers.get(input.name) ?? graph.sparseInitializers.get(input.name);
  if (tensor === undefined) return;
  const dtype = 'values' in tensor ? tensor.values.dtype : tensor.dtype;
  const declared = input.type?.kind === 'sparseTensor' ? input.type : input;
  const agrees =
    (declared.dtype === dtype || declared.dtype === 'UNDEFINED') &&
    (declared.shape === undefined ||
      (declared.shape.length === tensor.dims.length &&
        declared.shape.every((dim, i) => typeof dim !== 'number' || dim === tensor.dims[i])));
  if (!agrees) {
    fail(
      'E_MODEL',
      'check',
      outer.at('graph input', input.name),
      `contradicts the initializer of this name, ${dtype} [${tensor.dims.join(', ')}]`,
    );
  }
}

function defineStored(graph: OnnxGraph, scope: Scope, outer: Place): void {
  const where = outer.at('graph', graph.name);
  for (const input of graph.inputs) {
    defineInput(input.name, scope, where);
    checkDefault(graph, input, outer);
  }
  const inputs = new Set(graph.inputs.map((input) => input.name));
  for (const [name, tensor] of graph.initializers) {
    const place = outer.at('initializer', name);
    if (tensor.name !== name) fail('E_MODEL', 'check', place, `its tensor is named ${quote(tensor.name)}`);
    if (!inputs.has(name)) define(name, 'initializer', scope, where);
    checkTensor(tensor, place);
  }
  for (const [name, tensor] of graph.sparseInitializers) {
    const place = outer.at('sparse initializer', name);
    if (tensor.values.name !== name) fail('E_MODEL', 'check', place, `its values are named ${quote(tensor.values.name)}`);
    if (!inputs.has(name) || graph.initializers.has(name)) define(name, 'sparse initializer', scope, where);
    checkSparseTensor(tensor, place);
  }
}

function checkAttribute(attribute: OnnxAttribute, where: Place, scope: Scope, context: CheckContext, depth: number): void {
  switch (attribute.type) {
    case 'tensor':
    case 'tensors':
      for (const tensor of [attribute.value].flat()) checkTensor(tensor, where.at('tensor'));
      break;
    case 'sparseTensor':
    case 'sparseTensors':
      for (const tensor of [attribute.value].flat()) checkSparseTensor(tensor, where.at('sparse tensor'));
      break;
    case 'graph':
    case 'graphs':
      for (const graph of [attribute.value].flat()) checkGraph(graph, new Scope(scope), where, context, depth + 1);
      break;
    case 'reference':
      if (!context.functionAttributes?.has(attribute.value)) {
        fail('E_MODEL', 'check', where, `refers to ${quote(attribute.value)}, which is no attribute of an enclosing function`);
      }
  }
}

/** Checks nodes in order and adds what they make to the scope. */
export function checkNodes(nodes: readonly OnnxNode[], scope: Scope, outer: Place, context: CheckContext, depth: number): void {
  for (const node of nodes) {
    const where = outer.at(() => describeNode(node));
    if (node.opType === '') fail('E_MODEL', 'check', where, 'has no operator type');
    if (!context.opsets.has(node.domain)) {
      fail('E_MODEL', 'check', where, `its domain ${quote(node.domain || 'ai.onnx')} is missing in opset_import`);
    }
    for (const input of node.inputs) {
      if (input !== '' && !scope.has(input)) fail('E_MODEL', 'check', where, whyUndefined(node, input, nodes));
    }
    for (const [name, attribute] of node.attributes) {
      checkAttribute(attribute, where.at('attribute', name), scope, context, depth);
    }
    checkQuantization(node, scope, where);
    for (const output of node.outputs) {
      if (output !== '') define(output, 'output', scope, where);
    }
    scope.declareConstant(node);
  }
}

/**
 * Checks a graph or subgraph in its scope.
 * @throws {EngineError} E_MODEL naming the node and value; E_LIMIT nesting; E_SPARSE, E_QUANT, E_SHAPE.
 */
export function checkGraph(graph: OnnxGraph, scope: Scope, outer: Place, context: CheckContext, depth = 0): void {
  if (depth > context.limits.nesting) {
    fail('E_LIMIT', 'check', outer.at('graph', graph.name), `subgraphs are nested deeper than the limit of ${context.limits.nesting}`);
  }
  scope.declare(graph);
  defineStored(graph, scope, outer);
  checkNodes(graph.nodes, scope, outer, context, depth);
  for (const output of graph.outputs) {
    if (!scope.names.has(output.name)) {
      const problem = scope.has(output.name) ? 'belongs to the graph around this one; an Identity must bring it in' : 'is made by no node';
      fail('E_MODEL', 'check', outer.at('graph output', output.name), problem);
    }
  }
}
