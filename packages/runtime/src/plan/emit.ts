import { EngineError, elementCount } from '@neural-engine/core';
import type { BufferSpec, Port, Region, Step, Units } from '@neural-engine/kernels';
import type { GenericLowering } from '../lower/generic/types';
import type { Prepared, PreparedNode } from '../prepare/prepared';
import type { ConcreteValue } from './concrete';
import type { ConcreteSpace } from './plan';
import { computeDType, RowBuffers } from './rows';
import type { Chain, GenericNode, PanelNode } from './schedule';
import { StoragePlan } from './storage';

export interface Emitted {
  inputs: Port[];
  outputs: Port[];
  buffers: BufferSpec[];
  constants: string[];
  arenaBytes: number;
  scratchBytes: number;
  regions: Region[];
  /** The node that each step belongs to, `[region][step]`. */
  layers: string[][];
}

/** Chooses buffers and steps for chains, in order, and places all memory at the end. */
export function emitChains(
  prepared: Prepared,
  chains: readonly Chain[],
  spaces: readonly ConcreteSpace[],
  values: ReadonlyMap<string, ConcreteValue>,
  generic: ReadonlyMap<PreparedNode, GenericLowering>,
  taps: readonly string[],
): Emitted {
  const outputs = [...prepared.graph.outputs, ...taps];
  const emitter = new Emitter(prepared, chains, spaces, values, generic, outputs);
  return emitter.emit();
}

class Emitter {
  private readonly storage = new StoragePlan();
  private readonly rows: RowBuffers;
  private readonly panelBuffers = new Map<string, number>();
  private readonly regions: { units: Units; steps: Step[] }[] = [];
  /** Position of the last panel node that reads each panel value. */
  private readonly lastRead = new Map<string, number>();
  /** Panel values that something outside their component reads row by row. */
  private readonly exported = new Set<string>();
  /** The last region in which attention reads a buffer across units. */
  private readonly readAcross = new Map<number, number>();
  private position = 0;
  private readonly layers: string[][] = [];
  /** The node that is being emitted. */
  private layer = '';

  constructor(
    private readonly prepared: Prepared,
    private readonly chains: readonly Chain[],
    private readonly spaces: readonly ConcreteSpace[],
    private readonly values: ReadonlyMap<string, ConcreteValue>,
    private readonly generic: ReadonlyMap<PreparedNode, GenericLowering>,
    private readonly outputs: readonly string[],
  ) {
    this.rows = new RowBuffers(prepared, values, this.storage, outputs, generic);
    this.findUses();
  }

  emit(): Emitted {
    for (const chain of this.chains) {
      if (chain.kind === 'token_map') this.tokenMap(chain.component);
      else if (chain.kind === 'generic') this.genericNode(chain.node);
      else this.panelChain(chain.component, chain.nodes);
    }
    this.layer = 'outputs';
    for (const { from, output } of this.rows.copies()) {
      const { dims } = this.values.get(from)!;
      this.whole({
        op: 'generic',
        kind: 'strided',
        x: [this.rows.of(from)],
        y: [this.rows.output(output)],
        attrs: { dims: [elementCount(dims)], strides: [1], offset: 0 },
      });
    }
    const port = (name: string): Port => {
      const value = this.values.get(name)!;
      return { name, dtype: computeDType(value), dims: [...value.dims] };
    };
    return {
      inputs: this.prepared.graph.inputs.map(port),
      outputs: this.outputs.map(port),
      constants: this.rows.constants,
      regions: this.regions,
      layers: this.layers,
      ...this.storage.place(),
    };
  }

  private findUses(): void {
    let position = 0;
    for (const chain of this.chains) {
      if (chain.kind !== 'panel') continue;
      for (const node of chain.nodes) {
        for (const name of node.reads) {
          this.lastRead.set(name, position);
          const panel = this.prepared.panels.get(name);
          if (panel && panel.component !== node.component) this.exported.add(name);
        }
        position++;
      }
    }
    const read = [...this.generic.values()].flatMap((lowering) =>
      'alias' in lowering ? [lowering.alias] : lowering.steps.flatMap((step) => step.x),
    );
    const masks = this.prepared.components.map((component) => component.mask);
    for (const name of [...read, ...masks, ...this.outputs]) if (name && this.prepared.panels.has(name)) this.exported.add(name);
  }

  private tokenMap(component: number): void {
    this.layer = 'token map';
    const { mask, maskedBias } = this.prepared.components[component]!;
    this.whole({ op: 'token_map', space: component, mask: mask === undefined ? null : this.rows.of(mask), masked_bias: maskedBias });
  }

  private genericNode(node: GenericNode): void {
    const lowering = this.generic.get(node)!;
    if ('alias' in lowering) return;
    this.layer = node.name;
    const local = new Map<string, number>();
    for (const value of lowering.temporaries ?? [])
      local.set(value.name, value.constant ? this.rows.constant(value.constant) : this.rows.temporary(computeDType(value), value.dims));
    const buffer = (name: string): number => local.get(name) ?? this.rows.of(name);
    for (const step of lowering.steps) {
      this.whole({
        op: 'generic',
        kind: step.kind,
        x: step.x.map((name) => (name ? buffer(name) : null)),
        y: step.y.map(buffer),
        attrs: step.attrs,
      });
    }
  }

  private panelChain(component: number, nodes: readonly PanelNode[]): void {
    const { group, split } = this.spaces[component]!;
    const chain = new PanelChain(
      this.regions,
      { panels: { space: component, group } },
      split ? { split: { space: component } } : undefined,
    );
    for (const node of nodes) {
      this.layer = node.name;
      this.note(chain.add(this.panelStep(node, chain)));
      for (const name of node.writes)
        if (this.exported.has(name)) this.note(chain.add({ op: 'to_rows', x: this.asF32(name, chain), y: this.rows.of(name) }));
      this.position++;
    }
  }

  /** The node's own step; conversions that it needs first are added to the chain here. */
  private panelStep(node: PanelNode, chain: PanelChain): Step {
    const { op } = node;
    const read = (name: string): number => this.panelRead(name, node.component, chain);
    /** The same for steps that take no bf16. */
    const f32 = (name: string): number => (this.isHalf(name, node.component) ? this.widened(name, chain) : read(name));
    switch (op.op) {
      case 'embed':
        return {
          op: 'embed',
          ids: this.rows.of(op.ids),
          word: this.weight(op.word),
          position: op.position === null ? null : this.weight(op.position),
          types: op.types === null ? null : this.rows.of(op.types),
          type_table: op.typeTable === null ? null : this.weight(op.typeTable),
          y: this.fresh(op.y),
        };
      case 'linear':
      case 'linear_bf16':
      case 'linear_i8': {
        const x = op.op === 'linear' ? f32(op.x) : read(op.x);
        const rounded = this.isHalf(op.y, node.component);
        // Kernels of f32 write f32; what is to be bf16 is narrowed behind them.
        const narrowed = rounded && op.op === 'linear';
        const sameDtype = op.residual !== null && this.isHalf(op.residual, node.component) === rounded && !narrowed;
        // A bf16 residual goes with a bf16 result; f32 goes with both.
        const residual = op.residual === null ? null : sameDtype ? read(op.residual) : f32(op.residual);
        const coded = ['u8', 's8'].includes(this.prepared.panels.get(op.y)!.dtype);
        const inPlace = sameDtype && !coded && op.residual !== op.x && this.diesHere(op.residual!);
        const y = inPlace ? this.share(op.y, residual!) : narrowed ? this.temporary(op.y) : this.fresh(op.y);
        const tail = {
          weight: op.weight,
          x,
          y,
          residual: residual === null ? null : inPlace ? ('in_place' as const) : { buffer: residual },
          act: op.act,
        };
        if (narrowed) {
          this.note(chain.add({ op: 'linear', bias: op.bias, ...tail }));
          return { op: 'narrow', x: y, y: this.fresh(op.y) };
        }
        if (op.op !== 'linear_i8') return { op: op.op, bias: op.bias, ...tail };
        const tokens = op.tokens && { step: read(op.tokens.step), zero: read(op.tokens.zero), sums: op.tokens.sums };
        return { op: 'linear_i8', init: op.init, mul: op.mul, add: op.add, code: op.code, table: op.table, tokens, ...tail };
      }
      case 'layer_norm': {
        const { x, y } = this.normOperands(op, node.component, chain);
        const quantized = op.quantized === null ? null : this.fresh(op.quantized);
        const { gamma, beta, epsilon, code, multipliers } = op;
        const target = y === undefined ? {} : { y };
        return { op: 'layer_norm', x, ...target, gamma, beta, epsilon, quantized, code, ...(multipliers === null ? {} : { multipliers }) };
      }
      case 'quantize_tokens': {
        const [x, y, step, zero] = [read(op.x), this.fresh(op.y), this.fresh(op.step), this.fresh(op.zero)];
        return { op: 'quantize_tokens', x, y, step, zero, form: op.form };
      }
      case 'quantize':
        return { op: 'quantize', x: f32(op.x), y: this.fresh(op.y), code: op.code };
      case 'dequantize': {
        const bias = op.bias === null ? {} : { bias: op.bias };
        return { op: 'dequantize', x: read(op.x), y: this.fresh(op.y), code: op.code, ...bias };
      }
      case 'narrow':
        return { op: 'narrow', x: read(op.x), y: this.fresh(op.y) };
      case 'attention':
      case 'attention_i8': {
        const converted = [op.k, op.v].some((name) => this.made(name, node.component) === undefined || this.isHalf(name, node.component));
        const [q, k, v] = [f32(op.q), f32(op.k), f32(op.v)];
        // Keys and values are read across units, so those that units have just converted must be whole first.
        if (converted) chain.end();
        const ports = { q, k, v, y: this.fresh(op.y), heads: op.heads, scale: op.scale };
        return op.op === 'attention'
          ? {
              op: 'attention',
              ...ports,
              ...(op.scores && { scores: op.scores }),
              ...(op.probabilities && { probabilities: op.probabilities }),
            }
          : { op: 'attention_i8', ...ports, out_scale: op.outScale, zero: op.zero };
      }
      case 'activate': {
        const x = f32(op.x);
        return { op: 'activate', x, y: this.ownsMemory(op.x, node.component) ? this.share(op.y, x) : this.fresh(op.y), act: op.act };
      }
      case 'add': {
        const [a, b] = [f32(op.a), f32(op.b)];
        const y = op.a !== op.b && this.ownsMemory(op.a, node.component) ? this.share(op.y, a) : this.fresh(op.y);
        return { op: 'add_panels', a, b, y };
      }
    }
  }

  /**
   * The memory of a value may be written now: it has no reader after the current node (rows are copied out as soon as it is made), and no
   * attention of this region, which reads the keys and values of all units, may still be at it for another unit.
   */
  private diesHere(name: string): boolean {
    const buffer = this.panelBuffers.get(name);
    const readAcross = buffer !== undefined && this.readAcross.get(buffer) === this.regions.length - 1;
    return this.lastRead.get(name) === this.position && !readAcross;
  }

  /** A step may write to the f32 panels that it reads of this value: nobody reads them later, or they are a widened copy. */
  private ownsMemory(name: string, component: number): boolean {
    return this.isHalf(name, component) || this.diesHere(name);
  }

  /** The panels of a value that a node of this component has made. */
  private made(name: string, component: number): number | undefined {
    return this.prepared.panels.get(name)?.component === component ? this.panelBuffers.get(name) : undefined;
  }

  private panelRead(name: string, component: number, chain: PanelChain): number {
    const made = this.made(name, component);
    if (made !== undefined) return made;
    const { dims } = this.values.get(name)!;
    const features = dims[dims.length - 1]!;
    const { panels, group } = this.spaces[component]!;
    const buffer = this.storage.buffer(this.storage.panels(features, 'f32', panels, group), 'f32', {
      panels: { space: component, features },
    });
    this.note(chain.add({ op: 'from_rows', x: this.rows.of(name), y: buffer }));
    return buffer;
  }

  /**
   * The panels of a value as f32; those of bf16 are widened into a copy.
   *
   * @throws {EngineError} E_UNSUPPORTED the value is kept as 8-bit codes, which only the products read.
   */
  private asF32(name: string, chain: PanelChain): number {
    const x = this.panelBuffers.get(name)!;
    const { dtype } = this.prepared.panels.get(name)!;
    if (dtype === 'u8' || dtype === 's8') {
      throw new EngineError(
        'E_UNSUPPORTED',
        'plan',
        `value "${name}" is kept as 8-bit codes between two products and cannot be returned; ask for the value it is quantised from, or for one behind the product that reads it`,
        { where: name },
      );
    }
    return dtype === 'bf16' ? this.widened(name, chain) : x;
  }

  /** Whether nodes of this component find a value as bf16: what comes from others comes as f32 rows. */
  private isHalf(name: string, component: number): boolean {
    const panel = this.prepared.panels.get(name);
    return panel?.dtype === 'bf16' && panel.component === component;
  }

  /** A bf16 value as f32 panels, which nobody else uses. */
  private widened(name: string, chain: PanelChain): number {
    const y = this.temporary(name);
    this.note(chain.add({ op: 'widen', x: this.panelBuffers.get(name)!, y }));
    return y;
  }

  /** f32 panels of the shape of a value. */
  private temporary(name: string): number {
    const { features, component } = this.prepared.panels.get(name)!;
    const { panels, group } = this.spaces[component]!;
    return this.storage.buffer(this.storage.panels(features, 'f32', panels, group), 'f32', { panels: { space: component, features } });
  }

  /** What a LayerNorm works on: x alone, in place, or x as f32 and a bf16 y. */
  private normOperands(op: { x: string; y: string }, component: number, chain: PanelChain): { x: number; y?: number } {
    const [from, to] = [this.isHalf(op.x, component), this.isHalf(op.y, component)];
    if (from === to && this.diesHere(op.x)) return { x: this.share(op.y, this.panelRead(op.x, component, chain)) };
    if (to) return { x: from ? this.widened(op.x, chain) : this.panelRead(op.x, component, chain), y: this.fresh(op.y) };
    if (from) return { x: this.share(op.y, this.widened(op.x, chain)) };
    const copy = this.fresh(op.y);
    this.note(chain.add({ op: 'activate', x: this.panelRead(op.x, component, chain), y: copy, act: 'none' }));
    return { x: copy };
  }

  private fresh(name: string): number {
    const { features, dtype, component } = this.prepared.panels.get(name)!;
    const { panels, group } = this.spaces[component]!;
    const buffer = this.storage.buffer(this.storage.panels(features, dtype, panels, group), dtype, {
      panels: { space: component, features },
    });
    this.panelBuffers.set(name, buffer);
    return buffer;
  }

  private share(name: string, buffer: number): number {
    this.panelBuffers.set(name, buffer);
    return buffer;
  }

  private weight(index: number): number {
    const name = `weight ${index}`;
    const found = this.panelBuffers.get(name);
    if (found !== undefined) return found;
    const { dtype, dims } = this.prepared.tables.get(index)!;
    return this.share(name, this.storage.buffer(this.storage.fixed({ weight: index }), dtype, { rows: [...dims] }));
  }

  private whole(step: Step): void {
    this.regions.push({ units: 'whole', steps: [step] });
    this.note(step);
  }

  /** Records when the step just added touches its buffers. */
  private note(step: Step): void {
    const region = this.regions.length - 1;
    const { units, steps } = this.regions[region]!;
    const at = { region, step: steps.length - 1 };
    (this.layers[region] ??= [])[at.step] = this.layer;
    const everywhere = units === 'whole' || 'split' in units;
    const across = step.op === 'attention' || step.op === 'attention_i8' ? [step.k, step.v] : [];
    for (const buffer of across) this.readAcross.set(buffer, region);
    for (const buffer of buffersOf(step)) this.storage.use(buffer, at, everywhere || across.includes(buffer));
  }
}

/** The regions that one chain becomes: one, or one a step where panels are too few to share among the threads. */
class PanelChain {
  private open = false;
  constructor(
    private readonly regions: { units: Units; steps: Step[] }[],
    private readonly byPanel: Units,
    private readonly bySplit: Units | undefined,
  ) {}

  /** What is added next waits for all units. */
  end(): void {
    this.open = false;
  }

  add(step: Step): Step {
    if (this.bySplit) {
      const divides = step.op.startsWith('linear') || step.op.startsWith('attention');
      this.regions.push({ units: divides ? this.bySplit : this.byPanel, steps: [step] });
      return step;
    }
    if (!this.open) this.regions.push({ units: this.byPanel, steps: [] });
    this.open = true;
    this.regions[this.regions.length - 1]!.steps.push(step);
    return step;
  }
}

function buffersOf(step: Step): number[] {
  const all: (number | null | undefined)[] = [];
  switch (step.op) {
    case 'token_map':
      all.push(step.mask);
      break;
    case 'embed':
      all.push(step.ids, step.word, step.position, step.types, step.type_table, step.y);
      break;
    case 'linear':
    case 'linear_bf16':
    case 'linear_i8':
      all.push(step.x, step.y, typeof step.residual === 'object' ? step.residual?.buffer : null);
      if (step.op === 'linear_i8') all.push(step.tokens?.step, step.tokens?.zero);
      break;
    case 'quantize_tokens':
      all.push(step.x, step.y, step.step, step.zero);
      break;
    case 'layer_norm':
      all.push(step.x, step.y, step.quantized);
      break;
    case 'attention':
    case 'attention_i8':
      all.push(step.q, step.k, step.v, step.y);
      break;
    case 'add_panels':
      all.push(step.a, step.b, step.y);
      break;
    case 'generic':
      all.push(...step.x, ...step.y);
      break;
    default:
      all.push(step.x, step.y);
  }
  return all.filter((buffer): buffer is number => typeof buffer === 'number');
}
