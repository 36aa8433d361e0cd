import { EngineError, LIMITS } from '@neural-engine/core';
import type { ProgramSpec, Space } from '@neural-engine/kernels';
import { ABI } from '../kernels';
import type { Prepared } from '../prepare/prepared';
import type { ConcreteValue } from './concrete';
import { emitChains } from './emit';
import { lowerNeeded } from './needed';
import { schedule } from './schedule';
import { PANEL_TOKENS } from './storage';

export interface PlanOptions {
  readonly threads: number;
  /** Panels of one unit; default: as many as keep every thread busy, at most 2. */
  readonly group?: number;
  /** Values to copy out beside the outputs, for calibration and comparison. */
  readonly taps?: readonly string[];
  /** Compute masked tokens even where they could be left out, because a first token is one. */
  readonly whole?: boolean;
}

/** A component's rows for these input shapes. */
export interface ConcreteSpace {
  readonly space: Space;
  readonly panels: number;
  readonly group: number;
  /** Fewer panels than threads: steps are split by output rows or heads. */
  readonly split: boolean;
}

/** A program, and what a profile wants to know of it. */
export interface Plan {
  readonly program: ProgramSpec;
  /** The node that each step belongs to, `[region][step]`. */
  readonly layers: readonly (readonly string[])[];
}

/**
 * Turns a prepared model and concrete shapes into a program.
 *
 * @throws {EngineError} E_UNSUPPORTED an operator has no kernel for these dtypes; E_LIMIT the activations need more memory than allowed.
 */
export function plan(prepared: Prepared, values: ReadonlyMap<string, ConcreteValue>, options: PlanOptions): ProgramSpec {
  return planLayers(prepared, values, options).program;
}

/** As {@link plan}, with the node that each step belongs to. */
export function planLayers(prepared: Prepared, values: ReadonlyMap<string, ConcreteValue>, options: PlanOptions): Plan {
  const { needed, generic } = lowerNeeded(prepared, values, options.taps ?? []);
  const spaces = prepared.components.map((component) => {
    const dims = values.get(component.rowsOf)!.dims;
    const rows = dims.slice(0, -1);
    const count = rows.reduce((product, dim) => product * dim, 1);
    const panels = Math.ceil(count / PANEL_TOKENS);
    const space: Space =
      component.kind === 'rows' || rows.length !== 2
        ? { kind: 'rows', count }
        : { kind: 'tokens', batch: rows[0]!, seq: rows[1]!, pack: component.pack && !(options.whole && component.readsFirst) };
    const group = options.group ?? Math.max(1, Math.min(2, Math.floor(panels / options.threads)));
    return { space, panels, group, split: panels > 0 && panels < options.threads };
  });
  const chains = schedule(prepared, needed);
  const emitted = emitChains(prepared, chains, spaces, values, generic, options.taps ?? []);
  const bytes = emitted.arenaBytes + emitted.scratchBytes * options.threads;
  if (bytes > LIMITS.arenaBytes) {
    throw new EngineError(
      'E_LIMIT',
      'plan',
      `these input shapes need ${(bytes / 2 ** 20).toFixed(0)} MiB of activations, the limit is ${LIMITS.arenaBytes / 2 ** 20} MiB`,
    );
  }
  const program: ProgramSpec = {
    abi: ABI,
    inputs: emitted.inputs,
    outputs: emitted.outputs,
    spaces: spaces.map(({ space }) => space),
    buffers: emitted.buffers,
    constants: emitted.constants,
    arena_bytes: emitted.arenaBytes,
    scratch_bytes: emitted.scratchBytes,
    regions: emitted.regions,
  };
  return { program, layers: emitted.layers };
}
