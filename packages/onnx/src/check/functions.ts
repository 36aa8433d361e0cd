import type { Limits } from '@neural-engine/core';
import { fail, quote } from '../errors';
import { Place } from '../place';
import type { OnnxFunction, OnnxModel, OnnxNode } from '../types';
import { type CheckContext, checkNodes } from './graph';
import { Scope } from './scope';

const keyOf = (domain: string, name: string, overload: string | undefined): string => JSON.stringify([domain, name, overload ?? '']);

/** Nodes of a list and of all subgraphs in it. */
function* everyNode(nodes: readonly OnnxNode[]): Generator<OnnxNode> {
  for (const node of nodes) {
    yield node;
    for (const attribute of node.attributes.values()) {
      if (attribute.type === 'graph') yield* everyNode(attribute.value.nodes);
      if (attribute.type === 'graphs') for (const graph of attribute.value) yield* everyNode(graph.nodes);
    }
  }
}

/** Functions call each other without recursion, and no chain of calls is longer than the limit on nesting. */
function checkCalls(functions: ReadonlyMap<string, OnnxFunction>, limits: Pick<Limits, 'nesting'>): void {
  const callees = new Map<string, string[]>();
  for (const [key, each] of functions) {
    const called = new Set<string>();
    for (const node of everyNode(each.nodes)) called.add(keyOf(node.domain, node.opType, node.overload));
    callees.set(
      key,
      [...called].filter((name) => functions.has(name)),
    );
  }
  // Height of a function: the calls below it. A function that waits for its own height is recursive.
  const heights = new Map<string, number | 'open'>();
  for (const root of functions.keys()) {
    const stack = [root];
    while (stack.length > 0) {
      const key = stack.at(-1)!;
      const below = callees.get(key)!;
      const where = Place.MODEL.at('function', functions.get(key)!.name);
      if (typeof heights.get(key) === 'number') {
        stack.pop();
        continue;
      }
      if (heights.get(key) === undefined) {
        heights.set(key, 'open');
        for (const callee of below) {
          if (heights.get(callee) === 'open')
            fail('E_MODEL', 'check', where, `calls ${quote(functions.get(callee)!.name)}, which is being called: functions must not recur`);
          if (heights.get(callee) === undefined) stack.push(callee);
        }
        continue;
      }
      const height = below.reduce((most, callee) => Math.max(most, 1 + (heights.get(callee) as number)), 0);
      if (height > limits.nesting) fail('E_LIMIT', 'check', where, `its calls are nested deeper than the limit of ${limits.nesting}`);
      heights.set(key, height);
      stack.pop();
    }
  }
}

function checkBody(each: OnnxFunction, limits: Pick<Limits, 'nesting'>): void {
  const where = Place.MODEL.at('function', each.name);
  if (each.name === '') fail('E_MODEL', 'check', where, 'has no name');
  const attributes = new Set([...each.attributes, ...each.defaults.keys()]);
  if (attributes.size < each.attributes.length + each.defaults.size) fail('E_MODEL', 'check', where, 'declares an attribute twice');
  const scope = new Scope();
  scope.declare({ valueInfo: each.valueInfo });
  for (const input of each.inputs) {
    if (input === '' || scope.has(input)) fail('E_MODEL', 'check', where, `has the input ${quote(input)} twice or without a name`);
    scope.names.add(input);
  }
  const context: CheckContext = { opsets: each.opsets, limits, functionAttributes: attributes };
  checkNodes(each.nodes, scope, where, context, 0);
  for (const output of each.outputs) {
    if (!scope.has(output)) fail('E_MODEL', 'check', where, `its output ${quote(output)} is made by no node`);
  }
}

/** Checks the functions that a model defines. @throws {EngineError} E_MODEL recursion, duplicates, bad bodies; E_LIMIT depth of calls. */
export function checkFunctions(model: OnnxModel, limits: Pick<Limits, 'nesting'>): void {
  const functions = new Map<string, OnnxFunction>();
  for (const each of model.functions) {
    const key = keyOf(each.domain, each.name, each.overload);
    if (functions.has(key))
      fail('E_MODEL', 'check', Place.MODEL.at('function', each.name), `is defined twice in domain ${quote(each.domain)}`);
    functions.set(key, each);
  }
  checkCalls(functions, limits);
  for (const each of functions.values()) checkBody(each, limits);
}
