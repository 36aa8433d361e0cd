import { dtypeBytes } from '@neural-engine/core';
import type { LoadedModel } from '@neural-engine/engine';
import type { BufferSpec, ProgramSpec, RegionProfile, RunProfile, Step } from '@neural-engine/kernels';
import type { KernelChoice, Profiled } from '@neural-engine/runtime';

/** One layer of a model over one run, or the waiting at barriers. */
export interface LayerTime {
  readonly layer: string;
  /** Step kinds of the layer, in order. */
  readonly steps: readonly string[];
  /** Time of all threads in it, divided by their number: the layers and the waiting add up to the run. */
  readonly ms: number;
}

/** What a layer does, which is the same in every run of one shape. */
export interface LayerWork {
  readonly layer: string;
  readonly op: string;
  readonly choice: KernelChoice | undefined;
  /** The kernel of its weight, with the instruction set. */
  readonly kernel: string | undefined;
  /** 10⁶ multiply-adds as if no weight were zero. */
  readonly megaMacs: number;
  /** The weight and the activations that the layer reads and writes, once each. */
  readonly bytes: number;
}

export const BARRIER = 'barrier wait';

/** Time of each layer in one run, in the order of the first step of each; the waiting last. */
export function layerTimes({ profile, program, layers }: Profiled): LayerTime[] {
  const spec = program.source as ProgramSpec;
  const rows = new Map<string, { steps: Set<string>; ns: number }>();
  let waiting = 0;
  const threads = profile.regions[0]?.barrier.length ?? 1;
  for (const [r, { steps, barrier }] of profile.regions.entries()) {
    for (const [s, times] of steps.entries()) {
      const name = layers[r]![s]!;
      const row = rows.get(name) ?? { steps: new Set(), ns: 0 };
      rows.set(name, row);
      row.steps.add(stepName(spec.regions[r]!.steps[s]!));
      row.ns += sum(times);
    }
    waiting += sum(barrier);
  }
  const toMs = (ns: number): number => ns / 1e6 / threads;
  const named = [...rows].map(([layer, { steps, ns }]): LayerTime => ({ layer, steps: [...steps], ms: toMs(ns) }));
  return [...named, { layer: BARRIER, steps: ['barrier'], ms: toMs(waiting) }];
}

/** What each layer computes and moves, from the program and the rows that it had. */
export function layerWork(model: LoadedModel, { profile, program, layers }: Profiled): Map<string, LayerWork> {
  const spec = program.source as ProgramSpec;
  const choices = new Map(model.kernels.map((choice) => [choice.node, choice]));
  const found = new Map<string, LayerWork>();
  for (const [r, region] of spec.regions.entries()) {
    for (const [s, step] of region.steps.entries()) {
      const layer = layers[r]![s]!;
      const before = found.get(layer);
      const main = step.op !== 'from_rows' && step.op !== 'to_rows';
      found.set(layer, {
        layer,
        op: main || !before ? stepName(step) : before.op,
        choice: choices.get(layer),
        kernel: ('weight' in step ? model.runtime.weights.kernels[step.weight] : undefined) ?? before?.kernel,
        megaMacs: (before?.megaMacs ?? 0) + megaMacs(step, spec, profile, choices.get(layer)),
        bytes: (before?.bytes ?? 0) + bytesOfStep(step, spec, profile, model),
      });
    }
  }
  return found;
}

const stepName = (step: Step): string => (step.op === 'generic' ? step.kind : step.op);

const sum = (times: RegionProfile['barrier']): number => times.reduce((total, time) => total + time, 0);

/** Rows of the space that a buffer's panels belong to. */
function rowsOf(buffer: BufferSpec, profile: RunProfile): number {
  return 'panels' in buffer.layout ? (profile.spaceRows[buffer.layout.panels.space] ?? 0) : 0;
}

function megaMacs(step: Step, spec: ProgramSpec, profile: RunProfile, choice: KernelChoice | undefined): number {
  if (step.op === 'attention' || step.op === 'attention_i8') {
    const q = spec.buffers[step.q]!;
    const space = 'panels' in q.layout ? spec.spaces[q.layout.panels.space] : undefined;
    if (!space || !('panels' in q.layout)) return 0;
    // Two products of every query with every key of its sequence; exact where sequences are equally long.
    const [rows, sequences] = [rowsOf(q, profile), space.kind === 'tokens' ? Math.max(space.batch, 1) : 1];
    return (2 * (rows * rows * q.layout.panels.features)) / sequences / 1e6;
  }
  if (!choice || !('weight' in step)) return 0;
  return (rowsOf(spec.buffers[step.y]!, profile) * choice.out * choice.in) / 1e6;
}

function bytesOfStep(step: Step, spec: ProgramSpec, profile: RunProfile, model: LoadedModel): number {
  const numbers = Object.entries(step).flatMap(([key, value]) => {
    if (['x', 'y', 'q', 'k', 'v', 'a', 'b', 'ids', 'quantized'].includes(key)) return Array.isArray(value) ? value : [value];
    return [];
  });
  const buffers = new Set(numbers.filter((value): value is number => typeof value === 'number'));
  const activations = [...buffers].reduce((total, index) => total + bufferBytes(spec.buffers[index]!, profile), 0);
  const weight = 'weight' in step ? (model.runtime.weights.entries[step.weight]?.sizeBytes ?? 0) : 0;
  return activations + weight;
}

function bufferBytes(buffer: BufferSpec, profile: RunProfile): number {
  const elements =
    'panels' in buffer.layout
      ? rowsOf(buffer, profile) * buffer.layout.panels.features
      : buffer.layout.rows.reduce((product, dim) => product * dim, 1);
  return elements * dtypeBytes(buffer.dtype);
}
