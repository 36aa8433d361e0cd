import { Graph, inferShapes } from '@neural-engine/ir';
import { instructionRates } from '@neural-engine/kernels';
import { encodeModel } from '@neural-engine/onnx';
import { Model, type Session } from '@neural-engine/runtime';
import * as ort from 'onnxruntime-node';
import type { Context, SectionSpec } from '../context';
import { random } from '../feeds';
import { barOf } from '../goals';
import { openPeer } from '../models';
import { ortProduct } from '../ort-graphs';
import { type Contestant, fastestOf, median, minimum, race, type Times, timed } from '../race';
import type { Row, Section } from '../record';
import { stepTimes } from '../step-times';

/** Out × in of the products of a DistilBERT-base layer, and how many of each it has. */
const SHAPES = [
  { m: 768, k: 768, count: 4 },
  { m: 3072, k: 768, count: 1 },
  { m: 768, k: 3072, count: 1 },
] as const;

/** One u8 × s8 product with u8 results; `zeros` of its 4x1 blocks are zero. */
function productGraph(m: number, k: number, zeros: number): { graph: Graph; used: number } {
  const next = random(m + k + Math.round(zeros * 100));
  const data = new Int8Array(m * k);
  for (let block = 0; block < m; block += 4) {
    for (let input = 0; input < k; input++) {
      if (next() < zeros) continue;
      for (let row = block; row < block + 4; row++) data[row * k + input] = Math.floor(next() * 254 - 127) || 1;
    }
  }
  const graph = new Graph('product');
  graph.addValue({ name: 'x', dtype: 'f32', shape: ['batch', 'sequence', k] });
  graph.inputs = ['x'];
  const constant = (name: string, count: number, value: number): string =>
    graph.addConstant(name, { dtype: 'f32', dims: [count], data: new Float32Array(count).fill(value) });
  const range = [constant('min', 1, -1), constant('max', 1, 1)];
  const weight = graph.addConstant('weight', { dtype: 's8', dims: [m, k], data });
  const scales = [constant('weight_min', m, -0.05), constant('weight_max', m, 0.05)];
  const results = [constant('y_min', 1, -1), constant('y_max', 1, 1)];
  graph.addValue({ name: 'codes', dtype: 'u8', shape: undefined });
  graph.addValue({ name: 'product', dtype: 'u8', shape: undefined });
  graph.addValue({ name: 'y', dtype: 'f32', shape: undefined });
  graph.nodes = [
    { name: 'quantize', op: 'Quantize', inputs: ['x', ...range], outputs: ['codes'], attributes: { dtype: 'u8' } },
    {
      name: 'product',
      op: 'InnerProduct',
      inputs: ['codes', weight, constant('bias', m, 0.01), '', ...range, ...scales, '', '', ...results],
      outputs: ['product'],
      attributes: { transposed: true, output_dtype: 'u8' },
    },
    { name: 'dequantize', op: 'Dequantize', inputs: ['product', ...results], outputs: ['y'], attributes: {} },
  ];
  graph.outputs = ['y'];
  inferShapes(graph);
  return { graph, used: data.reduce((sum, value) => sum + (value ? 1 : 0), 0) };
}

/** The kernel of one product as a contestant: the time of its step alone. */
async function kernelOf(graph: Graph, sparse: 'always' | 'never' | 'auto', k: number, tokens: number) {
  const model = await Model.fromGraph(graph, { sparse });
  const session = await model.session({ threads: 1 });
  const next = random(3);
  const feeds = {
    x: { dtype: 'f32' as const, dims: [1, tokens, k], data: Float32Array.from({ length: tokens * k }, () => next() * 2 - 1) },
  };
  const run: Contestant = async () => {
    const { profile, program } = await session.profile(feeds);
    return stepTimes(profile, program).get('linear_i8')! / 1e6;
  };
  return { run, session, name: model.weights.kernels.find((kernel) => kernel !== null) ?? 'none' };
}

/** Rate of the best instruction for bytes on this core now; undefined where the CPU has none. */
const rate = (): number | undefined => instructionRates().find(({ instruction }) => /^vp(dpbusd|maddwd)/.test(instruction))?.gmacs;

/** How much of the instruction rate the VNNI kernels reach, counting multiplications by non-zeros only. */
async function shares({ quick, step }: Context): Promise<Section[]> {
  const rows: Row[] = [];
  for (const { m, k } of SHAPES) {
    for (const zeros of [0, 0.7, 0.8, 0.9]) {
      const { graph, used } = productGraph(m, k, zeros);
      for (const tokens of quick ? [128] : [64, 128, 384]) {
        step(`${m}×${k}, ${zeros * 100}% zeros, ${tokens} tokens`);
        const { run, session, name } = await kernelOf(graph, zeros === 0 ? 'never' : 'always', k, tokens);
        const before = rate();
        const times = await race(new Map([['ours', run]]), { seconds: quick ? 0.3 : 0.8, atMost: 5000 });
        const fastest = minimum(times.get('ours')!);
        await session.close();
        const gmacs = (used * tokens) / fastest / 1e6;
        const detail = `${(fastest * 1000).toFixed(1)} µs, ${gmacs.toFixed(0)} GMAC/s by non-zeros, ${((m * k * tokens) / fastest / 1e6).toFixed(0)} as if dense`;
        const what = `${m}×${k}, ${zeros === 0 ? 'dense' : `${zeros * 100}% zeros`}, ${tokens} tokens: ${name}`;
        const peak = Math.max(before ?? 0, rate() ?? 0);
        rows.push(
          peak > 0
            ? { what, measured: (100 * gmacs) / peak, unit: '%', detail, ...(zeros === 0.8 ? barOf(`vnni share ${k}`) : {}) }
            : { what, measured: gmacs, unit: 'GMAC/s', detail },
        );
      }
    }
  }
  const note =
    'Share of the rate of `vpdpbusd` on registers (of `vpmaddwd` and `vpaddd` on CPUs with neither form of VNNI), taken before and after in the same process. One core; fastest run of the product alone; weights as warm as they stay.';
  return [{ title: 'Int8 products against the instruction rate', note, rows }];
}

const PEERS = ['QLinearMatMul', 'MatMulInteger'] as const;

/** The kernel that the engine chooses against ONNX Runtime's product of the same shape. */
async function againstOrt({ quick, step }: Context): Promise<Section[]> {
  const rows: Row[] = [];
  for (const tokens of quick ? [128] : [64, 128, 384]) {
    const sums = { ours: 0, theirs: 0, whole: 0 };
    for (const { m, k, count } of SHAPES) {
      step(`${m}×${k}, ${tokens} tokens, against ONNX Runtime`);
      const { graph } = productGraph(m, k, 0.8);
      const sessions: [string, { run: Contestant; session: Session; name: string }][] = [];
      for (const policy of ['auto', 'never'] as const) sessions.push([policy, await kernelOf(graph, policy, k, tokens)]);
      const peers = await Promise.all(
        [...PEERS, 'none' as const].map(async (form) => [form, await openPeer(encodeModel(ortProduct(form, k, m)), 1)] as const),
      );
      const next = random(5);
      const x = new ort.Tensor(
        'uint8',
        Uint8Array.from({ length: tokens * k }, () => next() * 256),
        [tokens, k],
      );
      const contestants = new Map<string, Contestant>(sessions.map(([name, { run }]) => [name, run]));
      for (const [form, peer] of peers)
        contestants.set(
          form,
          timed(() => peer.run({ x })),
        );
      const times = await race(contestants, { seconds: quick ? 0.6 : 2, atMost: 5000 });
      const best = fastestOf(times, PEERS);
      const [ours, theirs, call] = ['auto', best, 'none'].map((name) => median(times.get(name)!)) as [number, number, number];
      sums.ours += count * ours;
      sums.theirs += count * (theirs - call);
      sums.whole += count * theirs;
      const kernel = sessions[0]![1].name;
      rows.push({
        what: `${m}×${k}, 80% zeros, ${tokens} tokens: ${kernel}`,
        measured: net(times, best),
        unit: '× ONNX Runtime',
        detail: `${micro(ours)} against ${micro(theirs - call)} by ${best} (${micro(theirs)} with its call); our dense kernel ${micro(median(times.get('never')!))}`,
      });
      for (const [, { session }] of sessions) await session.close();
      for (const [, peer] of peers) await peer.release();
    }
    rows.push({
      what: `the six products of a layer, ${tokens} tokens`,
      measured: sums.theirs / sums.ours,
      unit: '× ONNX Runtime',
      detail: `${micro(sums.ours)} against ${micro(sums.theirs)}; ${(sums.whole / sums.ours).toFixed(2)}× with the cost of its calls`,
      ...(tokens === 128 ? barOf('product 128') : {}),
    });
  }
  const note =
    'One core, runs in turn, medians. Ours is the kernel alone, as it is chosen for the weight, with u8 results; theirs is the faster of two operators, less the time of a call that only passes the input on. Both results are u8 or s32.';
  return [{ title: "Int8 products against ONNX Runtime's", note, rows }];
}

const micro = (milliseconds: number): string => `${(milliseconds * 1000).toFixed(1)} µs`;

/** Median over the rounds of their time, less that of an empty call, over ours. */
const net = (times: Times, best: string): number =>
  median(times.get('auto')!.map((value, i) => (times.get(best)![i]! - times.get('none')![i]!) / value));

export const kernels: SectionSpec = {
  name: 'kernels',
  about: "int8 products against the instruction rate and ONNX Runtime's",
  runs: [
    { pinned: true, env: { NE_MAX_CPU_ISA: 'avx512_vnni' }, run: shares },
    { pinned: true, run: againstOrt },
  ],
};
