import { EngineError } from '@neural-engine/core';
import { type Graph, inferShapes, verifyGraph } from '@neural-engine/ir';
import type { OnnxModel } from '@neural-engine/onnx';
import { importModel } from './import';
import { PIPELINE, type PipelineEntry } from './pipeline';
import { emptyContext, type PassEvent, PassLog, type Rounding } from './rewrite';

export interface CompileOptions {
  /** Passes to turn off (`false`) or on, by name; see {@link parsePatternSwitch}. */
  readonly patternSwitch?: Readonly<Record<string, boolean>>;
  /** Which roundings of a Q/DQ file are kept. Default `fused`, which is faster and nearer to fp32; `file` is what other runtimes compute. */
  readonly rounding?: Rounding;
  /** Told about each hit and each declined near miss, as it happens. */
  readonly explain?: (event: PassEvent) => void;
  /** The passes to run; {@link PIPELINE} unless given. */
  readonly pipeline?: readonly PipelineEntry[];
}

/**
 * Compiles a model, or a graph of ONNX-like operators, to the engine's own operators.
 *
 * What no pattern fits stays operator by operator. The argument is not changed. The graph is verified after each pass.
 *
 * @throws {EngineError} E_UNSUPPORTED, E_MODEL, E_SHAPE, E_LIMIT from the import; E_USAGE the switch names no pass, or the rounding none that there is.
 */
export function compile(source: OnnxModel | Graph, options: CompileOptions = {}): Graph {
  const pipeline = options.pipeline ?? PIPELINE;
  const switches = options.patternSwitch ?? {};
  checkSwitches(switches, pipeline);
  const { rounding = 'fused' } = options;
  if (rounding !== 'fused' && rounding !== 'file')
    throw new EngineError('E_USAGE', 'compile', `rounding is "${rounding}"; it is fused or file`, { where: 'rounding' });
  // By its parts: a graph may be of another copy of the package, such as its CommonJS form.
  let graph = 'graph' in source ? importModel(source) : checked(source.clone());
  const context = emptyContext(undefined, rounding);
  for (const { pass } of pipeline) {
    if (switches[pass.name] === false) {
      options.explain?.({ kind: 'skipped', pass: pass.name, reason: 'turned off' });
      continue;
    }
    const log = new PassLog(pass.name, options.explain);
    const after = pass.run(graph, { ...context, log });
    if (after !== graph) verifyGraph(after);
    graph = after;
  }
  return graph;
}

function checkSwitches(switches: Readonly<Record<string, boolean>>, pipeline: readonly PipelineEntry[]): void {
  const names = new Set(pipeline.map(({ pass }) => pass.name));
  for (const name of Object.keys(switches)) {
    if (!names.has(name)) throw new EngineError('E_USAGE', 'compile', `pattern_switch: there is no pass "${name}"`, { where: name });
  }
}

/** A graph from elsewhere, with shapes inferred. */
function checked(graph: Graph): Graph {
  verifyGraph(graph, { code: 'E_MODEL' });
  inferShapes(graph);
  return graph;
}
