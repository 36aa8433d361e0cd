import { calling } from './errors';
import type { NativeProgram } from './generated/binding';
import { native } from './load';
import type { ProgramSource } from './types';
import type { WeightSet } from './weights';

/** A program that was proved to fit its weights: every offset, length, index and overlap. Any number of sessions may run it. */
export class Program {
  /** For {@link NativeSession} only. */
  readonly native: NativeProgram;

  /**
   * Checks the program once; it keeps the weights alive.
   *
   * @throws {EngineError} E_IR naming the region, step and operand that does not fit; E_IR_MISMATCH another ABI; E_LIMIT.
   */
  constructor(
    readonly source: ProgramSource,
    readonly weights: WeightSet,
  ) {
    const json = typeof source === 'string' ? source : JSON.stringify(source);
    this.native = calling('plan', () => new (native().NativeProgram)(json, weights.native));
  }
}
