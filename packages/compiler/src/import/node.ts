import { EngineError, type ErrorCode } from '@neural-engine/core';
import type { OnnxAttribute, OnnxNode } from '@neural-engine/onnx';

/** An ONNX node on its way in: attributes can be taken once, and what is left over is an error. */
export class ImportNode {
  private readonly left: Map<string, OnnxAttribute>;

  constructor(
    private readonly source: OnnxNode,
    /** Unique in the graph; made from the operator where the file names none. */
    readonly name: string,
    /** Version of the operator set that the node's meaning comes from. */
    readonly opset: number,
    public inputs: string[],
    readonly outputs: string[],
  ) {
    this.left = new Map(source.attributes);
  }

  get op(): string {
    return this.source.opType;
  }

  get domain(): string {
    return this.source.domain;
  }

  /** `node "x" (Slice)`, as messages begin. */
  get label(): string {
    return `node "${this.name}" (${this.domain ? `${this.domain}::` : ''}${this.op})`;
  }

  has(name: string): boolean {
    return this.left.has(name);
  }

  /** Takes an attribute as it is. */
  take(name: string): OnnxAttribute | undefined {
    const found = this.left.get(name);
    this.left.delete(name);
    return found;
  }

  /** Takes an integer. @throws {EngineError} E_MODEL it has another type or is not exact. */
  int(name: string): number | undefined;
  int(name: string, fallback: number): number;
  int(name: string, fallback?: number): number | undefined {
    const found = this.take(name);
    if (found === undefined) return fallback;
    if (found.type !== 'int') this.fail('E_MODEL', `attribute "${name}" is of type ${found.type}, not int`);
    return this.exact(name, found.value);
  }

  ints(name: string): number[] | undefined {
    const found = this.take(name);
    if (found === undefined) return undefined;
    // An empty list carries no trace of its element type in the file.
    if (found.type === 'floats' && found.value.length === 0) return [];
    if (found.type !== 'ints') this.fail('E_MODEL', `attribute "${name}" is of type ${found.type}, not ints`);
    return found.value.map((value) => this.exact(name, value));
  }

  /** Takes integers of which the extremes mean "to the end"; they become the nearest exact numbers. */
  saturatedInts(name: string): number[] | undefined {
    const found = this.take(name);
    if (found === undefined) return undefined;
    if (found.type !== 'ints') this.fail('E_MODEL', `attribute "${name}" is of type ${found.type}, not ints`);
    return found.value.map((value) => Math.max(Number.MIN_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, Number(value))));
  }

  float(name: string): number | undefined;
  float(name: string, fallback: number): number;
  float(name: string, fallback?: number): number | undefined {
    const found = this.take(name);
    if (found === undefined) return fallback;
    if (found.type !== 'float') this.fail('E_MODEL', `attribute "${name}" is of type ${found.type}, not float`);
    return found.value;
  }

  string(name: string): string | undefined;
  string(name: string, fallback: string): string;
  string(name: string, fallback?: string): string | undefined {
    const found = this.take(name);
    if (found === undefined) return fallback;
    if (found.type !== 'string') this.fail('E_MODEL', `attribute "${name}" is of type ${found.type}, not string`);
    return found.value;
  }

  /** Names of the attributes nobody took. */
  leftOver(): string[] {
    return [...this.left.keys()];
  }

  /** An operand that has to be there. */
  input(slot: number): string {
    return this.inputs[slot] || this.fail('E_MODEL', `input ${slot} is missing`);
  }

  fail(code: ErrorCode, message: string): never {
    throw new EngineError(code, 'import', `${this.label}: ${message}`, { where: this.name });
  }

  /** Refuses the node; all refused nodes of a model are reported together. */
  refuse(reason: string): never {
    throw new Unsupported(reason);
  }

  private exact(name: string, value: bigint): number {
    const number = Number(value);
    if (!Number.isSafeInteger(number))
      this.fail('E_MODEL', `attribute "${name}" = ${value} is beyond the integers that can be handled exactly`);
    return number;
  }
}

/** Why one node cannot be imported. Never leaves the importer. */
export class Unsupported {
  constructor(readonly reason: string) {}
}
