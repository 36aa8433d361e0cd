import { EngineError } from '@neural-engine/core';
import { Graph, schemaOf } from '@neural-engine/ir';
import type { OnnxFunction, OnnxGraph, OnnxModel, OnnxNode } from '@neural-engine/onnx';
import { Builder } from './builder';
import { isEngineDType } from './dtypes';
import { bindAttributes, FunctionTable } from './functions';
import { ImportNode, Unsupported } from './node';
import { importPlain } from './operator';
import { REFUSED } from './refused';
import { IMPORTERS } from './registry';
import { Scope } from './scope';
import { densify, toTensor } from './tensors';
import { UnsupportedModelError, type UnsupportedNode } from './unsupported';

/** Operator sets whose meaning is known; files outside are refused. */
export const OPSETS = { first: 7, last: 22 } as const;

const ONNX_DOMAINS = new Set(['', 'ai.onnx']);

/**
 * Translates an ONNX model into a graph whose operators have the form of opset 22.
 *
 * Model-local functions, and If nodes whose condition is known, are written out. Symbolic dimensions are kept, shapes inferred on the way.
 *
 * @throws {UnsupportedModelError} E_UNSUPPORTED with all nodes that cannot be imported.
 * @throws {EngineError} E_MODEL, E_SHAPE, … the model breaks the rules of ONNX; E_LIMIT it expands beyond a limit.
 */
export function importModel(model: OnnxModel): Graph {
  return new ModelImport(model).run();
}

/** Where a node stands: in the model's graph, in a branch of it, or in the body of a function. */
interface Frame {
  readonly opsets: ReadonlyMap<string, number>;
  readonly scope: Scope;
  /** Put before the names of nodes. */
  readonly prefix: string;
  /** Puts the attributes of the enclosing call in the place of references to them. */
  bind(node: OnnxNode): OnnxNode;
}

class ModelImport {
  private readonly graph: Graph;
  private readonly to: Builder;
  private readonly functions: FunctionTable;
  private readonly unsupported: UnsupportedNode[] = [];
  /** Values that nothing can be said of, because an unsupported node makes them. */
  private readonly lost = new Set<string>();
  /** Inputs and initializers of unsupported types: reported once something reads them. */
  private readonly suspects = new Map<string, UnsupportedNode>();

  constructor(private readonly model: OnnxModel) {
    this.graph = new Graph(model.graph.name || 'model');
    this.to = new Builder(this.graph);
    this.functions = new FunctionTable(model);
  }

  run(): Graph {
    const { graph: source } = this.model;
    const scope = new Scope(undefined, (name) => name);
    this.addInitializers(source, scope);
    for (const input of source.inputs) {
      if (scope.resolve(input.name) !== undefined) continue;
      scope.bind(input.name, input.name);
      if (!isEngineDType(input.dtype) || input.dtype === 'string') {
        this.suspect(input.name, 'graph input', `its type ${input.dtype} is not supported`);
      } else {
        this.to.addInput(input.name, input.dtype, input.shape);
      }
    }
    const frame: Frame = { opsets: this.model.opsets, scope, prefix: '', bind: (node) => node };
    for (const node of source.nodes) this.importNode(node, frame);
    for (const { name } of source.outputs) this.graph.outputs.push(this.valueOf(name, scope, 'output of the graph'));
    if (this.unsupported.length > 0) throw new UnsupportedModelError(this.unsupported);
    return this.graph;
  }

  private addInitializers(source: OnnxGraph, scope: Scope): void {
    const refuse = (name: string) => ({
      refuse: (reason: string): never => {
        this.suspect(name, 'initializer', reason);
        throw new Unsupported(reason);
      },
    });
    const add = (name: string, make: (node: ReturnType<typeof refuse>) => ReturnType<typeof toTensor>): void => {
      const flat = scope.define(name);
      try {
        this.to.addConstant(flat, make(refuse(flat)));
      } catch (error) {
        if (!(error instanceof Unsupported)) throw error;
      }
    };
    for (const [name, tensor] of source.initializers) add(name, (node) => toTensor(tensor, node));
    for (const [name, tensor] of source.sparseInitializers) add(name, (node) => densify(tensor, node));
  }

  private importNode(unbound: OnnxNode, frame: Frame): void {
    const source = frame.bind(unbound);
    this.functions.count();
    const called = this.functions.find(source);
    if (called) {
      this.inline(called, source, frame);
      return;
    }
    const node = this.open(source, frame);
    const lost = node.inputs.some((name) => this.lost.has(name));
    try {
      const importer = this.importerOf(node, frame.opsets);
      if (node.op === 'If' && !lost && this.inlineBranch(node, source, frame)) return;
      if (!lost) {
        importer(node, this.to);
        return;
      }
    } catch (error) {
      this.report(node, error);
    }
    for (const output of node.outputs) this.lost.add(output);
  }

  /** Resolves the names of a node's operands and registers its results. */
  private open(source: OnnxNode, { opsets, scope, prefix }: Frame): ImportNode {
    const name = this.to.freeNodeName(prefix + (source.name || `${source.opType}_${this.graph.nodes.length}`));
    const inputs = source.inputs.map((input) => this.valueOf(input, scope, `node "${name}" (${source.opType})`));
    const outputs = source.outputs.map((output) => scope.define(output));
    return new ImportNode(source, name, opsets.get(domainOf(source)) ?? 0, inputs, outputs);
  }

  private valueOf(name: string, scope: Scope, reader: string): string {
    const flat = scope.resolve(name);
    const suspect = this.suspects.get(flat ?? '');
    if (suspect) {
      this.unsupported.push(suspect);
      this.suspects.delete(suspect.name);
    }
    if (flat !== undefined && (flat === '' || this.graph.values.has(flat) || this.lost.has(flat))) return flat;
    throw new EngineError('E_MODEL', 'import', `${reader}: nothing makes the value "${name}"`, { where: name });
  }

  private importerOf(node: ImportNode, opsets: ReadonlyMap<string, number>): typeof importPlain {
    if (!ONNX_DOMAINS.has(node.domain)) return node.refuse(`the domain "${node.domain}" is not supported`);
    const opset = opsets.get('');
    if (opset === undefined) return node.fail('E_MODEL', 'the model imports no operator set of ONNX');
    if (opset < OPSETS.first || opset > OPSETS.last) return node.refuse(`opsets ${OPSETS.first} to ${OPSETS.last} are supported`);
    const refused = REFUSED.get(node.op);
    if (refused) return node.refuse(refused);
    const importer = IMPORTERS.get(node.op);
    if (!importer && schemaOf(node.op)?.kind !== 'onnx') return node.refuse('the engine has no such operator');
    return importer ?? importPlain;
  }

  /** Notes what is unsupported and goes on, so that all of it is found; everything else ends the import. */
  private report(node: ImportNode, error: unknown): void {
    const reason =
      error instanceof Unsupported
        ? error.reason
        : EngineError.isInstance(error) && error.code === 'E_UNSUPPORTED'
          ? error.message
          : undefined;
    if (reason === undefined) throw error;
    this.unsupported.push({ name: node.name, op: node.domain ? `${node.domain}::${node.op}` : node.op, opset: node.opset, reason });
  }

  private inline(called: OnnxFunction, call: OnnxNode, { scope, prefix }: Frame): void {
    const name = prefix + (call.name || `${call.opType}_${this.graph.nodes.length}`);
    const inner = new Scope(undefined, (value) => this.to.freeName(`${name}/${value}`));
    called.inputs.forEach((formal, i) => {
      inner.bind(formal, call.inputs[i] === undefined ? '' : this.valueOf(call.inputs[i]!, scope, `call "${name}" (${call.opType})`));
    });
    const passed: [string, string][] = [];
    called.outputs.forEach((formal, i) => {
      const output = call.outputs[i];
      if (!output) return;
      const flat = scope.define(output);
      if (called.inputs.includes(formal)) passed.push([inner.resolve(formal)!, flat]);
      else inner.bind(formal, flat);
    });
    const frame: Frame = {
      opsets: called.opsets,
      scope: inner,
      prefix: `${name}/`,
      bind: (node) => bindAttributes(node, called, call),
    };
    this.functions.enter(called, () => {
      for (const node of called.nodes) this.importNode(node, frame);
    });
    for (const [from, flat] of passed) this.forward(call, name, from, flat);
  }

  /** Puts the branch that is taken in the place of an If whose condition is known. */
  private inlineBranch(node: ImportNode, source: OnnxNode, frame: Frame): boolean {
    const condition = this.to.integersOf(node.input(0));
    if (condition?.length !== 1) return false;
    const branch = source.attributes.get(condition[0] ? 'then_branch' : 'else_branch');
    if (branch?.type !== 'graph') return node.fail('E_MODEL', 'a branch is missing');
    const scope = new Scope(frame.scope, (value) => this.to.freeName(`${node.name}/${value}`));
    this.addInitializers(branch.value, scope);
    for (const inside of branch.value.nodes) this.importNode(inside, { ...frame, scope, prefix: `${node.name}/` });
    if (branch.value.outputs.length !== node.outputs.length) {
      node.fail('E_MODEL', `its branch has ${branch.value.outputs.length} outputs, the node ${node.outputs.length}`);
    }
    branch.value.outputs.forEach(({ name }, i) => {
      const from = this.valueOf(name, scope, `branch of "${node.name}"`);
      if (node.outputs[i]) this.forward(source, node.name, from, node.outputs[i]);
    });
    return true;
  }

  private forward(source: OnnxNode, name: string, from: string, flat: string): void {
    if (this.lost.has(from)) {
      this.lost.add(flat);
      return;
    }
    const node = new ImportNode({ ...source, attributes: new Map() }, this.to.freeNodeName(name), 0, [from], [flat]);
    this.to.emit(node, 'Identity', [from], {}, [flat]);
  }

  private suspect(name: string, op: string, reason: string): void {
    this.suspects.set(name, { name, op, opset: this.model.opsets.get('') ?? 0, reason });
    this.lost.add(name);
  }
}

const domainOf = (node: OnnxNode): string => (ONNX_DOMAINS.has(node.domain) ? '' : node.domain);
