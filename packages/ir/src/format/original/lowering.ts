import { EngineError, type Tensor } from '@neural-engine/core';
import type { Graph, Node } from '../../graph';
import { AttentionPlans } from './attention-plans';
import { FileBuilder } from './file-builder';

/** How a value lies in the original's file. */
export interface Form {
  /** Its name there. */
  readonly tensor: string;
  /**
   * `input`: as it is fed; `rows`: [batch · sequence, features]; `heads`: [batch, sequence, heads, size]; `mask`: the additive mask;
   * `plain`: the shape it has in the graph.
   */
  readonly kind: 'input' | 'rows' | 'heads' | 'mask' | 'plain';
  /** Features-first: [features, batch · sequence], [heads, size, batch, sequence]. */
  readonly transposed: boolean;
  /** Of a mask: the heads it was made for. */
  readonly heads?: number;
}

export interface OriginalIrOptions {
  /**
   * Write the erf form of GELU as its tanh form behind transposed products, which have no other in the original; they differ by at most
   * 0.0005. Behind plain products it keeps its form.
   */
  readonly allowTanhGelu?: boolean;
  /** Write start and end logits as one tensor "logits" [batch, sequence, 2], as the original does, and drop what takes it apart. */
  readonly singleLogits?: boolean;
}

/** A graph on its way into a file: what each value has become, and what there is no counterpart for. */
export class Lowering {
  readonly file = new FileBuilder();
  readonly plans: AttentionPlans;
  private readonly forms = new Map<string, Form>();
  private readonly constantNames = new Map<string, string>();
  private readonly readers: ReadonlyMap<string, readonly Node[]>;

  constructor(
    readonly graph: Graph,
    readonly options: OriginalIrOptions,
  ) {
    this.readers = graph.consumers();
    this.plans = new AttentionPlans(graph);
  }

  form(value: string): Form | undefined {
    return this.forms.get(value);
  }

  setForm(value: string, form: Form): void {
    this.forms.set(value, form);
  }

  readersOf(value: string): readonly Node[] {
    return this.readers.get(value) ?? [];
  }

  isOutput(value: string): boolean {
    return this.graph.outputs.includes(value);
  }

  /** An activation that a node reads, in one of the forms it can take. */
  operand(node: Node, value: string, kinds: readonly Form['kind'][], transposed = isTransposed(node)): Form {
    const form = this.forms.get(value);
    if (!form) return refuse(`it reads "${value}", which is a constant`);
    if (!kinds.includes(form.kind)) return refuse(`it reads "${value}" as ${form.kind}`);
    if (form.transposed !== transposed) return refuse(`it reads "${value}", whose layout is the other one, and no Reorder stands between`);
    return form;
  }

  constant(value: string | undefined, what: string): Tensor {
    return this.graph.constant(value) ?? refuse(`${what} is no constant`);
  }

  /** Name in the file of a constant; each is stored once. */
  constantName(value: string | undefined, what: string): string {
    const data = this.constant(value, what);
    const found = this.constantNames.get(value!);
    if (found) return found;
    const name = this.file.constant(value!, data);
    this.constantNames.set(value!, name);
    return name;
  }

  /** A constant of the file that no value of the graph holds, stored once under its name. */
  sharedConstant(name: string, data: Tensor): string {
    const key = `\0${name}`;
    const found = this.constantNames.get(key) ?? this.file.constant(name, data);
    this.constantNames.set(key, found);
    return found;
  }

  /** The last dimension of a value, as a number. */
  width(value: string): number {
    const last = this.graph.value(value).shape?.at(-1);
    return typeof last === 'number' ? last : refuse(`the last dimension of "${value}" is not known`);
  }

  /** The tensor whose shape [batch, sequence] others borrow: the token ids. */
  ids(): string {
    const embeddings = this.graph.nodes.find((node) => node.op === 'Embeddings');
    const form = embeddings && this.forms.get(embeddings.inputs[0]!);
    return form?.kind === 'input' ? form.tensor : refuse('there are no token ids whose shape it could take');
  }

  /** Heads into which a value is split: all that read it are attentions, also behind changes of code or layout. */
  headsOf(value: string): number | undefined {
    if (this.isOutput(value)) return undefined;
    const found = new Set(
      this.readersOf(value).map((reader) => {
        if (reader.op === 'Attention') return reader.inputs[3] === value ? undefined : (reader.attributes['heads'] as number);
        return reader.op === 'Quantize' || reader.op === 'Dequantize' || reader.op === 'Reorder'
          ? this.headsOf(reader.outputs[0]!)
          : undefined;
      }),
    );
    const [heads] = found;
    return found.size === 1 ? heads : undefined;
  }

  /** The heads of the attentions that read an additive mask. */
  headsOfMask(value: string): number {
    const readers = this.readersOf(value);
    if (this.isOutput(value) || readers.some((reader) => reader.op !== 'Attention' || reader.inputs.indexOf(value) !== 3))
      refuse('it is read outside attention');
    const heads = new Set(readers.map((reader) => reader.attributes['heads'] as number));
    const [first] = heads;
    return heads.size === 1 ? first! : refuse(`it is read with ${[...heads].join(' and ') || 'no'} heads`);
  }
}

/** The original's files can say that a result is bf16, but not that its readers take f32. */
export function refuseRounding(node: Node): void {
  if (node.attributes['rounding'] === 'bf16') refuse('its result is rounded to bf16; quantise with fp32 between the products');
}

export const isTransposed = (node: Node): boolean => node.attributes['layout'] === 'transposed';

/** Says why an operator has no counterpart; the writer collects these. */
export function refuse(reason: string): never {
  throw new EngineError('E_UNSUPPORTED', 'save', reason);
}

/** The shape that splits heads, in the original's spelling with its one space. */
export const headsShape = (heads: number, size: number, transposed: boolean): string =>
  transposed ? `${heads},${size},-1, -1` : `-1,-1,${heads},${size}`;
